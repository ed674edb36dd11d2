import { dtypes } from "../base/dtype.ts";
import { ArgumentError, SafetensorsError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { writeAtomically } from "../base/storage/index.ts";
import { bytesIn } from "../nn/bits.ts";
import type { StateDict } from "../nn/module.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { wideIntegers } from "../tensor/wide-integers.ts";
import { fileDtypeOf, held } from "./dtypes.ts";
import { shown } from "./header-text.ts";
import { maxHeaderBytes, metadataName, prefixBytes } from "./safetensors-header.ts";

/** What goes into a safetensors file beside the tensors. */
export interface WriteOptions {
  /** Text by name. */
  metadata?: Readonly<Record<string, string>>;
}

/** A tensor on its way into a file. */
export interface Outgoing {
  readonly name: string;
  readonly tensor: Tensor;
  readonly dtype: string;
}

/** Wider elements come first, so that each begins where its width wants it; this is the reference's order. */
const order = ["I64", ...held.keys()];

/** The header of a file, and its tensors in the order in which they follow. */
export interface Contents {
  readonly header: Uint8Array;
  readonly outgoing: readonly Outgoing[];
}

/**
 * Writes tensors by name to a safetensors file, all of it or nothing: a full disk or a crash leaves the file that was
 * there. They are brought from the backend piece by piece. Throws `FileError` where it cannot be written.
 */
export const writeSafetensors = (path: string, tensors: StateDict, options: WriteOptions = {}): void =>
  writeContents(path, plainContents("writeSafetensors", tensors, options));

/** As `writeSafetensors`, but gives the file in pieces that are to be used at once. */
export const safetensorsPieces = (tensors: StateDict, options: WriteOptions = {}): Iterable<Uint8Array> =>
  piecesOf(plainContents("safetensorsPieces", tensors, options));

/** As `writeSafetensors`, but gives the bytes. */
export const serializeSafetensors = (tensors: StateDict, options: WriteOptions = {}): Uint8Array =>
  serializeContents(plainContents("serializeSafetensors", tensors, options));

function plainContents(what: string, tensors: StateDict, options: WriteOptions): Contents {
  refuseOptions(what, options, { metadata: null });
  const { metadata = {} } = options;
  const outgoing = inOrder(tensors);
  return { header: headerOf(outgoing, metadata), outgoing };
}

/** Writes contents to a file. */
export function writeContents(path: string, contents: Contents): void {
  writeAtomically(path, (append) => {
    for (const piece of piecesOf(contents)) append(piece);
  });
}

/** Contents as the bytes of a file. */
export function serializeContents(contents: Contents): Uint8Array {
  const { header, outgoing } = contents;
  const bytes = new Uint8Array(outgoing.reduce((length, one) => length + sizeOf(one), header.length));
  let at = 0;
  for (const piece of piecesOf(contents)) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** The tensors of contents as arrays that are nobody else's: one copy of each, in pieces. */
export const copyTensors = ({ outgoing }: Contents): Uint8Array[][] =>
  outgoing.map((one) => {
    const pieces: Uint8Array[] = [];
    for (const piece of bytesFor(one)) pieces.push(piece.slice());
    return pieces;
  });

function* piecesOf({ header, outgoing }: Contents): Generator<Uint8Array> {
  yield header;
  for (const one of outgoing) yield* bytesFor(one);
}

/** Tensors in the order of a file; throws `ArgumentError` for a name that a file cannot have. */
export function inOrder(tensors: StateDict): Outgoing[] {
  const given = tensors instanceof Map ? tensors : Object.entries(tensors as Record<string, Tensor>);
  return [...(given as Iterable<[string, Tensor]>)]
    .map(([name, tensor]) => {
      if (name === metadataName || /\p{Surrogate}/u.test(name))
        throw new ArgumentError(`A tensor in a safetensors file cannot be named ${shown(name)}`);
      return { name, tensor, dtype: wideIntegers.has(tensor) ? "I64" : fileDtypeOf.get(tensor.dtype)! };
    })
    .sort((a, b) => order.indexOf(a.dtype) - order.indexOf(b.dtype) || byCodePoints(a.name, b.name));
}

/** The order of names as bytes of UTF-8, which is not that of JavaScript's strings. */
function byCodePoints(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  const differs = left.findIndex((character, i) => character !== right[i]);
  if (differs < 0) return left.length - right.length;
  return left[differs]!.codePointAt(0)! - (right[differs]?.codePointAt(0) ?? -1);
}

/** The bytes that a tensor takes in a file. */
const sizeOf = ({ tensor, dtype }: Outgoing): number =>
  tensor.numel * (dtype === "I64" ? 8 : dtypes[tensor.dtype].bytes);

/** What a file begins with. */
export function headerOf(
  outgoing: readonly Outgoing[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const fields: string[] = [];
  const add = (name: string, value: unknown): void => {
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
  };
  const texts = Object.entries(metadata).sort(([a], [b]) => byCodePoints(a, b));
  for (const [name, text] of texts)
    if (typeof text !== "string" || /\p{Surrogate}/u.test(name + text))
      throw new ArgumentError(`The metadata ${shown(name)} is ${shown(String(text))}; it must be text`);
  if (texts.length > 0) add(metadataName, Object.fromEntries(texts));
  let at = 0;
  for (const one of outgoing) {
    const end = at + sizeOf(one);
    add(one.name, { dtype: one.dtype, shape: one.tensor.shape, data_offsets: [at, end] });
    at = end;
  }
  const text = new TextEncoder().encode(`{${fields.join(",")}}`);
  const length = Math.ceil(text.length / 8) * 8;
  if (length > maxHeaderBytes)
    throw new SafetensorsError(
      `The names, shapes and metadata take ${length} bytes; the header of a safetensors file has ${maxHeaderBytes} at most.`,
    );
  const header = new Uint8Array(prefixBytes + length).fill(32);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(text, prefixBytes);
  return header;
}

/** A tensor's elements as they are in a file, in pieces that are to be used at once. */
export function* bytesFor({ name, tensor, dtype }: Outgoing): Generator<Uint8Array> {
  const what = `writing ${shown(name)}`;
  if (dtype !== "I64") return yield* bytesIn(tensor, what);
  const wide = BigInt64Array.from(tensor.dataSync(), (value) => BigInt(value));
  yield new Uint8Array(wide.buffer);
}
