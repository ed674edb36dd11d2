import { checksumOf } from "../base/storage/index.ts";

/** The name under which a checkpoint has, as JSON in the file's metadata, what is not a tensor. */
export const recordName = "thaw";
/** The name under which it has checksums of its tensors, as JSON. */
export const tensorSums = "thaw.checksums";
/** The name under which it has a checksum of the header that all this is in. */
export const headerSum = "thaw.header";

/** Whether metadata of this name are checksums. */
export const isSum = (name: string): boolean => name === tensorSums || name === headerSum;

const isReserved = (name: string): boolean => name === recordName || name.startsWith("thaw.");

/** The first name of metadata that is a checkpoint's own, or could be that of a later version. */
export const reservedIn = (metadata: Readonly<Record<string, string>>): string | undefined =>
  Object.keys(metadata).find(isReserved);

/** Metadata less what checkpoints have in it for themselves. */
export const withoutReserved = (metadata: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(metadata).filter(([name]) => !isReserved(name)));

/** What stands in a header for its own checksum while that is computed. */
export const blankSum = "00000000";

/** Where a header has its checksum. */
export const placeOfSum = (header: Uint8Array): number | null => placeOf(header, headerSum);

/** Where the text of some metadata begins: quotes in a name or a text are escaped, so there is one such place. */
function placeOf(header: Uint8Array, name: string): number | null {
  const mark = `"${name}":"`;
  const at = new TextDecoder("latin1").decode(header).indexOf(mark);
  return at < 0 ? null : at + mark.length;
}

/** Where a header has the checksums of tensors, whose names are in the order in which JSON has them. */
export function placesOfSums(header: Uint8Array, names: readonly string[]): Map<string, number> {
  const bytes = (text: string): number => new TextEncoder().encode(text).length;
  const places = new Map<string, number>();
  // The text is JSON in JSON: {\"name\":\"00000000\",\"name\":\"00000000\"}, a name's own quotes escaped twice.
  let at = placeOf(header, tensorSums)! + 1;
  for (const name of names) {
    at += bytes(JSON.stringify(JSON.stringify(name)).slice(1, -1)) + bytes(':\\"');
    places.set(name, at);
    at += blankSum.length + bytes('\\",');
  }
  return places;
}

/**
 * Whether the first bytes of a file, up to its header's end, are those that were written: true or false, or null for a
 * file that does not say.
 */
export function headerIntact(header: Uint8Array, metadata: Readonly<Record<string, string>>): boolean | null {
  if (!Object.keys(metadata).some((name) => name.startsWith("thaw."))) return null;
  const at = placeOfSum(header);
  // One of their names that has been changed is damage too, and leaves the others.
  if (at === null || !(tensorSums in metadata) || !(recordName in metadata)) return false;
  const blanked = header.slice();
  blanked.set(new TextEncoder().encode(blankSum), at);
  return checksumOf([blanked]) === metadata[headerSum];
}
