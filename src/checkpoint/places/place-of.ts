import { ArgumentError, FileError } from "../../base/errors.ts";
import { readBlob } from "./opfs.ts";
import { failed, type Place } from "./place.ts";
import { atUrl } from "./url.ts";

/** What stands for a place: an address, a file that a user has picked or any other blob, or a place itself. */
export type PlaceLike = string | URL | Blob | Place;

/** The place that is meant; throws `ArgumentError` for what stands for none. */
export function placeOf(what: string, given: PlaceLike): Place {
  if (typeof given === "string" || given instanceof URL) return atUrl(given);
  if (typeof Blob !== "undefined" && given instanceof Blob) return ofBlob(given);
  if (
    typeof (given as Place | undefined)?.read === "function" &&
    typeof (given as Place).write === "function"
  )
    return given as Place;
  throw new ArgumentError(
    `${what}: the place is ${given === null ? "null" : typeof given}; give a URL, a File or Blob, or opfs(…), indexedDb(…), download(…)`,
  );
}

/** The bytes of a blob; a file is one. */
function ofBlob(blob: Blob): Place {
  const { name = "the blob" } = blob as { name?: string };
  return {
    name,
    async read(transfer) {
      try {
        return await readBlob(blob, transfer);
      } catch (cause) {
        throw failed(`load ${name}`, cause, transfer);
      }
    },
    async write() {
      throw new FileError(
        `Cannot save to ${name}: what was picked can only be read; use download(${JSON.stringify(name)})`,
      );
    },
  };
}
