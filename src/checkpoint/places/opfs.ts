import { FileError } from "../../base/errors.ts";
import { piece, readBlob } from "./blob.ts";
import { type Place, placeNamed, progressOf } from "./place.ts";

/**
 * A file in the private file system of the page's origin, which no other origin sees and the user not either; for what
 * is large. Folders of the path are made where they are not there. A write that fails, or a page that is closed
 * meanwhile, leaves the file that was there. Reading and writing throw `FileError`.
 * Source: https://developer.mozilla.org/docs/Web/API/File_System_API/Origin_private_file_system
 */
export function opfs(path: string): Place {
  const name = `${path} in the origin's private file system`;
  const names = path.split("/").filter((part) => part !== "");
  if (names.length === 0)
    throw new FileError(`opfs: ${JSON.stringify(path)} names no file; write opfs("weights.safetensors")`);
  const fileOf = async (create: boolean): Promise<FileSystemFileHandle> => {
    const { storage } = (globalThis as { navigator?: Partial<Navigator> }).navigator ?? {};
    if (storage?.getDirectory === undefined)
      throw new FileError(
        `Cannot find ${name}: there is none here. A page has one if it comes by https or from localhost; in Node, save() and load() take paths of files.`,
      );
    let folder = await storage.getDirectory();
    for (const part of names.slice(0, -1)) folder = await folder.getDirectoryHandle(part, { create });
    return folder.getFileHandle(names.at(-1)!, { create });
  };
  return placeNamed(name, {
    read: async (transfer) => readBlob(await (await fileOf(false)).getFile(), transfer),
    async write(bytes, transfer) {
      const progress = progressOf(transfer, bytes.length);
      progress(0);
      // What is written replaces the file when it is closed, and not before.
      const file = await (await fileOf(true)).createWritable();
      try {
        for (let at = 0; at < bytes.length; at += piece) {
          transfer.signal?.throwIfAborted();
          await file.write(bytes.slice(at, at + piece));
          progress(Math.min(bytes.length, at + piece));
        }
      } catch (error) {
        await file.abort().catch(() => {});
        throw error;
      }
      await file.close();
    },
  });
}
