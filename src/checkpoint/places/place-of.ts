import { ArgumentError } from "../../base/errors.ts";
import { ofBlob } from "./blob.ts";
import type { Place } from "./place.ts";
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
