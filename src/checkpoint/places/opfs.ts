import { FileError } from "../../base/errors.ts";
import { failed, type Place, progressOf, type Transfer } from "./place.ts";

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
  return {
    name,
    async read(transfer) {
      try {
        return await readBlob(await (await fileOf(false)).getFile(), transfer);
      } catch (cause) {
        throw failed(`load ${name}`, cause, transfer);
      }
    },
    async write(bytes, transfer) {
      const progress = progressOf(transfer, bytes.length);
      try {
        transfer.signal?.throwIfAborted();
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
      } catch (cause) {
        throw failed(`save ${name}`, cause, transfer);
      }
    },
  };
}

/** Bytes that are written, or read, at a time. */
const piece = 2 ** 22;

/** All bytes of a blob, piece by piece. */
export async function readBlob(blob: Blob, transfer: Transfer): Promise<Uint8Array> {
  const progress = progressOf(transfer, blob.size);
  transfer.signal?.throwIfAborted();
  progress(0);
  const bytes = new Uint8Array(blob.size);
  for (let at = 0; at < blob.size; at += piece) {
    bytes.set(new Uint8Array(await blob.slice(at, at + piece).arrayBuffer()), at);
    transfer.signal?.throwIfAborted();
    progress(Math.min(blob.size, at + piece));
  }
  return bytes;
}
