import { ChecksumError, SafetensorsError } from "../base/errors.ts";
import { checksumOf } from "../base/storage/index.ts";
import { blankSum, headerSum, placeOfSum, placesOfSums, tensorSums } from "./header-sum.ts";
import { shown } from "./header-text.ts";
import type { TensorSource } from "./open.ts";
import { bytesFor, type Contents, headerOf, type Outgoing } from "./write.ts";

/** Bytes that are read at a time. */
const pieceBytes = 2 ** 20;

/** Contents whose metadata have room for a checksum of each tensor, and for one of the header with these in it. */
export interface Unsealed extends Contents {
  /** Where in the header each tensor's goes. */
  readonly places: readonly number[];
  /** Where the header's own goes. */
  readonly headerPlace: number;
}

/** Contents with room for checksums in their metadata. */
export function unsealed(
  outgoing: readonly Outgoing[],
  metadata: Readonly<Record<string, string>>,
): Unsealed {
  const blank = Object.fromEntries(outgoing.map(({ name }) => [name, blankSum]));
  const header = headerOf(outgoing, {
    ...metadata,
    [tensorSums]: JSON.stringify(blank),
    [headerSum]: blankSum,
  });
  const found = placesOfSums(header, Object.keys(blank));
  const places = outgoing.map(({ name }) => found.get(name)!);
  return { header, outgoing, places, headerPlace: placeOfSum(header)! };
}

/** The same with the checksums in their places. */
export function sealed({ header, outgoing, places, headerPlace }: Unsealed): Contents {
  const put = (at: number, pieces: Iterable<Uint8Array>) =>
    header.set(new TextEncoder().encode(checksumOf(pieces)), at);
  for (const [i, one] of outgoing.entries()) put(places[i]!, bytesFor(one));
  put(headerPlace, [header]);
  return { header, outgoing };
}

/** The checksum of a tensor's bytes in a source. */
export function checksumIn(source: TensorSource, name: string): string {
  const { begin, end } = source.entries.get(name)!;
  const piece = new Uint8Array(Math.min(pieceBytes, end - begin));
  return checksumOf(pieces());

  function* pieces(): Generator<Uint8Array> {
    for (let at = 0; at < end - begin; at += pieceBytes)
      yield piece.subarray(0, source.read(name, piece, at));
  }
}

/**
 * Checks a source against the checksums that are in it, if there are any. Throws `ChecksumError`, which names what is
 * damaged.
 */
export function checkSeal(from: string, source: TensorSource): void {
  const remedy =
    "The file is damaged: take another copy, or an earlier checkpoint. If another program has changed it on purpose, load it with { checksums: false }.";
  if (source.intact === null) return;
  if (!source.intact) throw new ChecksumError(`The header of ${from} is not what was written. ${remedy}`);
  const sums = parsedSums(from, source.metadata[tensorSums]!);
  for (const name of source.entries.keys()) {
    const is = checksumIn(source, name);
    if (is !== sums.get(name))
      throw new ChecksumError(
        `${shown(name)} in ${from} is not what was written: its checksum is ${is}, and was ${shown(String(sums.get(name)))}. ${remedy}`,
      );
  }
}

function parsedSums(from: string, text: string): ReadonlyMap<string, unknown> {
  try {
    return new Map(Object.entries(JSON.parse(text)));
  } catch (cause) {
    throw new SafetensorsError(`The checksums in ${from} are not JSON, or not by name`, { cause });
  }
}
