import { FileError } from "../../base/errors.ts";
import { partsOfBlob } from "./arriving.ts";
import { type Place, placeNamed, progressOf, type Transfer } from "./place.ts";

/** A blob as a place to load from; a file that a user has picked is one. */
export function ofBlob(blob: Blob): Place {
  const { name = "the blob" } = blob as { name?: string };
  return placeNamed(name, {
    read: (transfer) => readBlob(blob, transfer),
    async write() {
      throw new FileError(
        `Cannot save to ${name}: what was picked can only be read; use download(${JSON.stringify(name)})`,
      );
    },
  });
}

/** All bytes of a blob, piece by piece. */
export async function readBlob(blob: Blob, transfer: Transfer): Promise<Uint8Array> {
  const progress = progressOf(transfer, blob.size);
  progress(0);
  const bytes = new Uint8Array(blob.size);
  let at = 0;
  for await (const part of partsOfBlob(blob)) {
    bytes.set(part, at);
    at += part.length;
    transfer.signal?.throwIfAborted();
    progress(at);
  }
  return bytes;
}
