import { FileError } from "../../base/errors.ts";
import { type Absent, type Arriving, partsOfBlob, piece } from "./arriving.ts";
import { readBlob } from "./blob.ts";
import { failed, type Place, placeNamed, progressOf } from "./place.ts";

/**
 * A file in the private file system of the page's origin, which no other origin sees and the user not either; for what
 * is large. Folders of the path are made where they are not there. A write that fails, or a page that is closed
 * meanwhile, leaves the file that was there. Reading and writing throw `FileError`.
 * Source: https://developer.mozilla.org/docs/Web/API/File_System_API/Origin_private_file_system
 */
export function opfs(path: string): Place {
  const name = `${path} in the origin's private file system`;
  const names = partsOf(path);
  if (names.length === 0)
    throw new FileError(`opfs: ${JSON.stringify(path)} names no file; write opfs("weights.safetensors")`);
  return placeNamed(name, {
    read: async (transfer) => readBlob(await (await fileOf(names, name, false)).getFile(), transfer),
    async write(bytes, transfer) {
      const progress = progressOf(transfer, bytes.length);
      progress(0);
      // What is written replaces the file when it is closed, and not before.
      const file = await (await fileOf(names, name, true)).createWritable();
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

const partsOf = (path: string): string[] => path.split("/").filter((part) => part !== "");

/** A file of the page's origin, by the names of the folders that it is in and its own. */
async function fileOf(
  names: readonly string[],
  what: string,
  create: boolean,
): Promise<FileSystemFileHandle> {
  const { storage } = (globalThis as { navigator?: Partial<Navigator> }).navigator ?? {};
  if (storage?.getDirectory === undefined)
    throw new FileError(
      `Cannot find ${what}: there is none here. A page has one if it comes by https or from localhost; in Node, save() and load() take paths of files.`,
    );
  let folder = await storage.getDirectory();
  for (const part of names.slice(0, -1)) folder = await folder.getDirectoryHandle(part, { create });
  return folder.getFileHandle(names.at(-1)!, { create });
}

const scheme = /^opfs:\/*/i;

/** The path in a name that begins with `opfs:`; null for any other. */
export const opfsName = (place: string | URL): string | null =>
  scheme.test(String(place)) ? String(place).replace(scheme, "").replace(/\/$/, "") : null;

/** A file of the page's origin, in pieces, or why there is none. */
export async function openOpfs(path: string): Promise<Arriving | Absent> {
  const name = `${path} in the origin's private file system`;
  let file: File;
  try {
    file = await (await fileOf(partsOf(path), name, false)).getFile();
  } catch (cause) {
    const isAbsent = ["NotFoundError", "TypeMismatchError"].includes((cause as Error).name);
    if (isAbsent) return { absent: "the origin's private file system has none" };
    throw failed(`load ${name}`, cause, {});
  }
  return { size: file.size, parts: partsOfBlob(file) };
}
