import { FileError, HttpError } from "../../base/errors.ts";
import { localPath, openFile } from "../../base/storage/index.ts";
import { type Absent, type Arriving, partsOfBlob, watched } from "./arriving.ts";
import { openOpfs, opfsName } from "./opfs.ts";
import type { Transfer } from "./place.ts";
import { absoluteUrl, openUrl } from "./url.ts";

/** Where a file is that is read from its beginning to its end: a path, an address, `opfs:…`, or what a user has picked. */
export type FilePlace = string | URL | Blob;

/** Bytes of a file of this machine that are read at a time. */
const block = 2 ** 20;

/** What a file is called, with the ending that tells its kind. */
export const nameOfFile = (place: FilePlace): string =>
  place instanceof Blob ? ((place as { name?: string }).name ?? "the blob") : String(place);

/** Opens a file wherever it is. Throws `FileError` where there is none, `HttpError` where a server says so. */
export async function openFileAt(place: FilePlace, transfer: Transfer): Promise<Arriving> {
  const what = `load ${nameOfFile(place)}`;
  if (place instanceof Blob) return watched(what, { size: place.size, parts: partsOfBlob(place) }, transfer);
  const path = localPath(place);
  if (path !== null) return watched(what, openLocal(path), transfer);
  const inPage = opfsName(place);
  const found: Arriving | Absent =
    inPage === null ? await openUrl(absoluteUrl(place), {}, transfer) : await openOpfs(inPage);
  if (!("absent" in found)) return watched(what, found, transfer);
  const { absent, status } = found;
  const text = `Cannot ${what}: ${absent}; see whether the address is right`;
  throw status === undefined ? new FileError(text) : new HttpError(text, { status });
}

/** A file of this machine. It is opened at once. */
function openLocal(path: string): Arriving {
  const file = openFile(path);
  return {
    size: file.size,
    parts: (async function* () {
      try {
        for (let at = 0; at < file.size; ) {
          const bytes = new Uint8Array(Math.min(block, file.size - at));
          const count = file.read(bytes, at);
          if (count === 0) break;
          at += count;
          yield bytes.subarray(0, count);
        }
      } finally {
        file.close();
      }
    })(),
  };
}
