import { dtypes } from "../base/dtype.ts";
import { ArgumentError, SafetensorsError } from "../base/errors.ts";
import { writeAtomically } from "../base/storage/index.ts";
import { bytesOf } from "../engine/storage.ts";
import { bitsOf } from "../nn/bits.ts";
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
interface Outgoing {
  readonly name: string;
  readonly tensor: Tensor;
  readonly dtype: string;
}

/** Wider elements come first, so that each begins where its width wants it; this is the reference's order. */
const order = ["I64", ...held.keys()];

/**
 * Writes tensors by name to a safetensors file, all of it or nothing: a full disk or a crash leaves the file that was
 * there. They are brought from the backend one at a time. Throws `FileError` where it cannot be written.
 */
export function writeSafetensors(path: string, tensors: StateDict, options: WriteOptions = {}): void {
  const outgoing = inOrder(tensors);
  const header = headerOf(outgoing, options);
  writeAtomically(path, (append) => {
    append(header);
    for (const one of outgoing) append(bytesFor(one));
  });
}

/** As `writeSafetensors`, but gives the bytes. */
export function serializeSafetensors(tensors: StateDict, options: WriteOptions = {}): Uint8Array {
  const outgoing = inOrder(tensors);
  const header = headerOf(outgoing, options);
  const bytes = new Uint8Array(outgoing.reduce((length, one) => length + sizeOf(one), header.length));
  let at = 0;
  for (const part of parts()) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;

  function* parts(): Generator<Uint8Array> {
    yield header;
    for (const one of outgoing) yield bytesFor(one);
  }
}

function inOrder(tensors: StateDict): Outgoing[] {
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

const sizeOf = ({ tensor, dtype }: Outgoing): number =>
  tensor.numel * (dtype === "I64" ? 8 : dtypes[tensor.dtype].bytes);

function headerOf(outgoing: readonly Outgoing[], { metadata = {} }: WriteOptions): Uint8Array {
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

/** A tensor's elements as they are in a file. */
function bytesFor({ name, tensor, dtype }: Outgoing): Uint8Array {
  const bits = bitsOf(tensor, `writing ${shown(name)}`);
  if (dtype !== "I64") return bytesOf(bits);
  return new Uint8Array(BigInt64Array.from(bits, (value) => BigInt(value)).buffer);
}
