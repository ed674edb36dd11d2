import { type LoadOptions, type LoadResult, loadFromBytes } from "./load.ts";
import { refuseTransfer, type Transfer } from "./places/place.ts";
import { type PlaceLike, placeOf } from "./places/place-of.ts";
import { saveToBytes } from "./save.ts";
import type { SaveOptions } from "./save-options.ts";
import { loadTogether } from "./saving-group.ts";

/**
 * As `save`, to a place that a page has: an address (`PUT`), `opfs(path)`, `indexedDb(key)`, `download(name)`. What is
 * saved is what there is at the call; the promise settles when it is there. Throws as `save` does; `HttpError` for an
 * answer that is no success.
 */
export async function saveTo(place: PlaceLike, options: SaveOptions, transfer: Transfer = {}): Promise<void> {
  refuseTransfer("saveTo", transfer);
  const to = placeOf("saveTo", place);
  transfer.signal?.throwIfAborted();
  await to.write(saveToBytes(options), transfer);
}

/**
 * As `load`, from a place that a page has: an address, a file that a user has picked, `opfs(path)`, `indexedDb(key)`.
 * All of it is there before anything changes. Throws as `load` does; `HttpError` for an answer that is no success,
 * `SafetensorsError` for one that is a page, say, and no weights.
 */
export async function loadFrom(
  place: PlaceLike,
  options: LoadOptions,
  transfer: Transfer = {},
): Promise<LoadResult> {
  refuseTransfer("loadFrom", transfer);
  const from = placeOf("loadFrom", place);
  const bytes = await readFrom(from, transfer).catch((error: unknown) => {
    loadTogether("loadFrom()", options?.group).fail(error);
    throw error;
  });
  return loadFromBytes(bytes, options, from.name);
}

/** The bytes that are at a place, as `parseSafetensors` takes them. */
export async function readFrom(place: PlaceLike, transfer: Transfer = {}): Promise<Uint8Array> {
  refuseTransfer("readFrom", transfer);
  transfer.signal?.throwIfAborted();
  return placeOf("readFrom", place).read(transfer);
}
