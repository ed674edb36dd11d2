import { bytesOf } from "../../../base/dtype.ts";
import { FileError } from "../../../base/errors.ts";
import type { FileReader } from "../../../base/storage/file-reader.ts";
import {
  checksumOf,
  fileFacts,
  joinPath,
  makeFolder,
  namesIn,
  openFile,
  removeFile,
  temporaryEnd,
  writeAtomically,
} from "../../../base/storage/index.ts";

/** What was kept of some rows, in a file that another process may read. */
export interface KeptFile {
  readonly reader: FileReader;
  /** How many numbers there are for a token, and whether each token has them; else each row has. */
  readonly size: number;
  readonly isOfTokens: boolean;
  /** Where each row's begin, in bytes, and how many numbers they are. */
  readonly places: readonly { readonly from: number; readonly length: number }[];
}

/** A folder for such files, and how many bytes they may take there. */
export interface KeptFolder {
  readonly path: string;
  readonly limit: number;
}

const nameOf = (key: string): string => `prefix-${key}.bin`;
const namePattern = /^prefix-[0-9a-f]{16}\.bin$/;

/** Whether a name is that of such a file, or of one that has not come to its end. */
export const isPrefixFile = (name: string): boolean => namePattern.test(name.replace(temporaryEnd, ""));

const [headBytes, sumBytes, pieceBytes] = [64, 8, 2 ** 20];
/** After so many milliseconds nobody is writing any more what is unfinished. */
const longAgo = 86_400_000;

const headOf = (key: string, size: number, isOfTokens: boolean, rows: number): Uint8Array =>
  new TextEncoder().encode(
    `thaw prefix 1 ${key} ${size} ${isOfTokens ? 1 : 0} ${rows}`.padEnd(headBytes - 1).concat("\n"),
  );

/**
 * Opens what was kept of rows of some lengths under a key; null where there is none. A file that is damaged, or of
 * something else, is removed: what was kept there is computed anew.
 */
export function openKept({ path }: KeptFolder, key: string, tokens: readonly number[]): KeptFile | null {
  const file = joinPath(path, nameOf(key));
  let reader: FileReader;
  try {
    reader = openFile(file);
  } catch (error) {
    if (error instanceof FileError) return null;
    throw error;
  }
  const found = partsOf(reader, key, tokens);
  if (found !== null) return found;
  reader.close();
  removeFile(file);
  return null;
}

function partsOf(reader: FileReader, key: string, tokens: readonly number[]): KeptFile | null {
  const head = new Uint8Array(headBytes);
  reader.read(head, 0);
  const [size, ofTokens] = new TextDecoder().decode(head).split(" ").slice(4).map(Number);
  const isOfTokens = ofTokens === 1;
  if (!Number.isSafeInteger(size) || headOf(key, size!, isOfTokens, tokens.length).join() !== head.join())
    return null;
  let at = headBytes;
  const places = tokens.map((count) => {
    const length = (isOfTokens ? count : 1) * size!;
    const from = at;
    at += length * Float32Array.BYTES_PER_ELEMENT;
    return { from, length };
  });
  if (reader.size !== at + sumBytes) return null;
  const sum = new Uint8Array(sumBytes);
  reader.read(sum, at);
  return checksumOf(piecesOf(reader, at)) === new TextDecoder().decode(sum)
    ? { reader, size: size!, isOfTokens, places }
    : null;
}

/** The first bytes of a file, piece by piece. */
function* piecesOf(reader: FileReader, length: number): Generator<Uint8Array> {
  const piece = new Uint8Array(pieceBytes);
  for (let at = 0; at < length; at += pieceBytes)
    yield piece.subarray(0, reader.read(piece.subarray(0, length - at), at));
}

/**
 * Writes what was kept of rows under a key, where the folder may take it; the oldest files there go for it. Gives why it is
 * not there; null: it is.
 */
export function writeKept(
  { path, limit }: KeptFolder,
  key: string,
  { size, isOfTokens }: Pick<KeptFile, "size" | "isOfTokens">,
  rows: readonly number[],
  valuesOf: (row: number) => Float32Array,
): string | null {
  const numbers = rows.reduce((sum, count) => sum + (isOfTokens ? count : 1), 0) * size;
  const bytes = headBytes + numbers * Float32Array.BYTES_PER_ELEMENT + sumBytes;
  if (bytes > limit) return `it takes ${bytes} bytes, and ${limit} are allowed there`;
  const head = headOf(key, size, isOfTokens, rows.length);
  function* pieces(): Generator<Uint8Array> {
    yield head;
    for (const row of rows.keys()) yield bytesOf(valuesOf(row));
  }
  try {
    makeFolder(path);
    makeRoom(path, limit - bytes);
    writeAtomically(joinPath(path, nameOf(key)), (append) => {
      const sum = checksumOf(
        (function* () {
          for (const piece of pieces()) {
            append(piece);
            yield piece;
          }
        })(),
      );
      append(new TextEncoder().encode(sum));
    });
    return null;
  } catch (error) {
    if (error instanceof FileError) return error.message;
    throw error;
  }
}

/** Removes the oldest of such files, so that what is left takes no more than some bytes, and what nobody has ended. */
function makeRoom(folder: string, bytes: number): void {
  const files = namesIn(folder)
    .filter(isPrefixFile)
    .flatMap((name) => {
      const facts = fileFacts(joinPath(folder, name));
      return facts === null
        ? []
        : [{ path: joinPath(folder, name), isWhole: namePattern.test(name), ...facts }];
    })
    .sort((a, b) => b.modified - a.modified);
  let left = bytes;
  for (const { path, size, modified, isWhole } of files) {
    if (isWhole) left -= size;
    if (isWhole ? left < 0 : modified < Date.now() - longAgo) removeFile(path);
  }
}
