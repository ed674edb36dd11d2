import { ArgumentError, FileError } from "../../base/errors.ts";
import { joinBytes } from "../../base/join-bytes.ts";
import { folderOf, joinPath, localPath, makeFolder, writeAtomically } from "../../base/storage/index.ts";
import { opfs, opfsName } from "./opfs.ts";
import type { Place } from "./place.ts";

/** What files of a folder are put into, one after the other. */
export interface Sink {
  /** Puts a file there, whole or not at all; pieces of it are used at once. `file`: its path in the folder. */
  put(file: string, pieces: Iterable<Uint8Array>): void;
}

/** Where a folder is written: a path, `opfs:…`, or a place for each of its files, such as `download`. */
export type FolderPlace = string | URL | ((file: string) => Place);

/** A folder of this machine, which is made where there is none. */
export function localSink(folder: string): Sink {
  makeFolder(folder);
  return {
    put(file, pieces) {
      const path = joinPath(folder, file);
      makeFolder(folderOf(path));
      writeAtomically(path, (append) => {
        for (const piece of pieces) append(piece);
      });
    },
  };
}

/** A file of JSON, as bytes. */
export const jsonPieces = (value: object): Uint8Array[] => [
  new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`),
];

/** Has files written into a folder, wherever that is. In a page all are made before the first is written. */
export async function intoFolder(
  what: string,
  place: FolderPlace,
  save: (sink: Sink) => void | Promise<void>,
): Promise<void> {
  const path = typeof place === "function" ? null : localPath(place);
  if (path !== null) return save(localSink(path));
  const placeOf = typeof place === "function" ? place : inPage(what, place);
  const files: [string, Uint8Array][] = [];
  await save({
    put: (file, pieces) => void files.push([file, joinBytes([...pieces].map((one) => one.slice()))]),
  });
  for (const [file, bytes] of files) {
    const to = placeOf(file);
    if (typeof to?.write !== "function")
      throw new ArgumentError(
        `${what}: no place is given for ${file}; give one, as opfs(file) or download(file)`,
      );
    await to.write(bytes, {});
  }
}

function inPage(what: string, place: string | URL): (file: string) => Place {
  const folder = opfsName(place);
  if (folder !== null) return (file) => opfs(`${folder}/${file}`);
  throw new FileError(
    `${what}: ${String(place)} cannot be written to from here; give "opfs:folder", for the origin's own file system, or a place for each file: (file) => download(file)`,
  );
}
