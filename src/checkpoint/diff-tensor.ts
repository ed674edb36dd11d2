import { bitCount } from "../base/bit-count.ts";
import { equalBytes } from "../base/equal-bytes.ts";
import { sizeOf } from "../base/shape.ts";
import { Rounding } from "./diff-rounding.ts";
import { type Movement, Tally } from "./diff-tally.ts";
import { type Decoder, decoders, type NumberArray, roomFor } from "./diff-values.ts";
import type { TensorSource } from "./open.ts";

/** How two tensors differ. */
export interface TensorChange extends Movement {
  /** Elements of the tensor. */
  readonly elements: number;
  /** `norm` over the length of a, its finite elements; null where that is 0 or not read as numbers. */
  readonly relative: number | null;
  /** Where dtypes differ: whether the narrower side is the other one rounded to the nearest, in every element. */
  readonly rounded: boolean | null;
  /** The same of the elements that were asked about; null where none were. */
  readonly within: Movement | null;
}

/** A tensor of a source, by name. */
export interface NamedTensor {
  readonly source: TensorSource;
  readonly name: string;
}

/** Says of an element, by its row-major place, whether it is asked about. */
export type ElementTest = (element: number) => boolean;

/** Bytes read at a time from each side. */
const blockBytes = 2 ** 20;
/** Bytes compared at a time: pages that are equal are not looked into. */
const pageBytes = 2 ** 16;

/** Memory that comparisons share, so that it is bounded whatever is compared. */
export class Blocks {
  readonly a = new Uint8Array(blockBytes);
  readonly b = new Uint8Array(blockBytes);
  readonly roomA = roomFor(pageBytes);
  readonly roomB = roomFor(pageBytes);
}

const entryOf = ({ source, name }: NamedTensor) => source.entries.get(name)!;

/** Whether two tensors of as many bytes have the same ones. */
export function sameBytes(a: NamedTensor, b: NamedTensor, blocks: Blocks): boolean {
  const { begin, end } = entryOf(a);
  for (let at = 0; at < end - begin; at += blockBytes) {
    const count = a.source.read(a.name, blocks.a, at);
    b.source.read(b.name, blocks.b, at);
    if (!equalBytes(blocks.a.subarray(0, count), blocks.b.subarray(0, count))) return false;
  }
  return true;
}

/** Whether two tensors can be compared element by element: as many elements, of one dtype or of two that are numbers. */
export function comparable(a: NamedTensor, b: NamedTensor): boolean {
  const [before, after] = [entryOf(a), entryOf(b)];
  if (sizeOf(before.shape) !== sizeOf(after.shape)) return false;
  // Of a dtype that the format does not have, elements may be of any size.
  return before.dtype === after.dtype
    ? before.end - before.begin === after.end - after.begin
    : decoders.has(before.dtype) && decoders.has(after.dtype);
}

/**
 * Compares two tensors that are `comparable`, page by page; null where nothing differs. Of one dtype their bits are
 * compared, of two their values. `within` names elements to measure on their own too.
 */
export function compareTensors(
  a: NamedTensor,
  b: NamedTensor,
  blocks: Blocks,
  within?: ElementTest,
): TensorChange | null {
  const [before, after] = [entryOf(a), entryOf(b)];
  const sameDtype = before.dtype === after.dtype;
  if (sameDtype && sameBytes(a, b, blocks)) return null;
  const [left, right] = [decoders.get(before.dtype), decoders.get(after.dtype)];
  const comparison = new Comparison(before.shape, within);
  if (left === undefined || right === undefined)
    eachPage(a, b, 1, 1, before.end - before.begin, blocks, (first, pageA, pageB) => {
      if (!equalBytes(pageA, pageB))
        comparison.bits(first, pageA, pageB, ((before.end - before.begin) * 8) / comparison.elements);
    });
  else {
    const rounding = sameDtype ? null : new Rounding(before.dtype, after.dtype);
    eachPage(a, b, left.bytes, right.bytes, comparison.elements, blocks, (first, pageA, pageB) => {
      const x = left.decode(pageA, blocks.roomA);
      comparison.measure(x);
      if (rounding !== null) comparison.values(first, x, right.decode(pageB, blocks.roomB), rounding);
      else if (!equalBytes(pageA, pageB))
        comparison.words(first, left, pageA, pageB, x, right.decode(pageB, blocks.roomB));
    });
    if (rounding !== null) return comparison.result({ numbers: true, bits: false }, rounding.exact);
  }
  return comparison.result({ numbers: left !== undefined, bits: true }, null);
}

/** Reads two tensors side by side, and gives them in pages of as many elements, which are of so many bytes each. */
function eachPage(
  a: NamedTensor,
  b: NamedTensor,
  bytesA: number,
  bytesB: number,
  elements: number,
  blocks: Blocks,
  use: (first: number, pageA: Uint8Array, pageB: Uint8Array) => void,
): void {
  const larger = Math.max(bytesA, bytesB);
  const [perBlock, perPage] = [blockBytes / larger, pageBytes / larger];
  for (let block = 0; block < elements; block += perBlock) {
    const count = Math.min(perBlock, elements - block);
    a.source.read(a.name, blocks.a.subarray(0, count * bytesA), block * bytesA);
    b.source.read(b.name, blocks.b.subarray(0, count * bytesB), block * bytesB);
    for (let from = 0; from < count; from += perPage) {
      const to = Math.min(count, from + perPage);
      use(
        block + from,
        blocks.a.subarray(from * bytesA, to * bytesA),
        blocks.b.subarray(from * bytesB, to * bytesB),
      );
    }
  }
}

/** Sums up what differs in all elements of a tensor, and in those that are asked about. */
class Comparison {
  readonly elements: number;
  readonly #all: Tally;
  readonly #within: Tally | null;
  readonly #test: ElementTest;
  /** Of a, for its length. */
  #squares = 0;

  constructor(shape: readonly number[], within: ElementTest | undefined) {
    this.elements = sizeOf(shape);
    this.#all = new Tally(shape);
    this.#within = within === undefined ? null : new Tally(shape);
    this.#test = within ?? (() => false);
  }

  /** Elements of a, for its length: the finite ones. */
  measure(x: NumberArray): void {
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += x[i]! * x[i]!;
    if (!Number.isFinite(sum)) {
      sum = 0;
      for (let i = 0; i < x.length; i++) if (Number.isFinite(x[i])) sum += x[i]! * x[i]!;
    }
    this.#squares += sum;
  }

  #add(element: number, bits: number, x: number, y: number, difference: number): void {
    this.#all.add(element, bits, x, y, difference);
    if (this.#within !== null && this.#test(element)) this.#within.add(element, bits, x, y, difference);
  }

  /** A page of elements of one dtype, from element `first` on. */
  words(
    first: number,
    { bytes, wide }: Decoder,
    a: Uint8Array,
    b: Uint8Array,
    x: NumberArray,
    y: NumberArray,
  ): void {
    const [wordsA, wordsB] = [wordsOf(a, bytes), wordsOf(b, bytes)];
    const [wideA, wideB] = [wide?.(a), wide?.(b)];
    for (let i = 0; i < x.length; i++) {
      if (bytes < 8) {
        const bits = wordsA[i]! ^ wordsB[i]!;
        if (bits !== 0) this.#add(first + i, bitCount(bits), x[i]!, y[i]!, y[i]! - x[i]!);
        continue;
      }
      const bits =
        bitCount(wordsA[2 * i]! ^ wordsB[2 * i]!) + bitCount(wordsA[2 * i + 1]! ^ wordsB[2 * i + 1]!);
      if (bits === 0) continue;
      // Of integers that are exact, where numbers are only near to them.
      const difference = wideA === undefined ? y[i]! - x[i]! : Number(wideB![i]! - wideA[i]!);
      this.#add(first + i, bits, x[i]!, y[i]!, difference);
    }
  }

  /** A page of elements of two dtypes, compared by value. */
  values(first: number, x: NumberArray, y: NumberArray, rounding: Rounding): void {
    for (let i = 0; i < x.length; i++) {
      const [before, after] = [x[i]!, y[i]!];
      if (Object.is(before, after)) continue;
      this.#add(first + i, 0, before, after, after - before);
      rounding.add(before, after);
    }
  }

  /** A page of bytes whose elements, of so many bits each, are not read as numbers. */
  bits(first: number, a: Uint8Array, b: Uint8Array, width: number): void {
    for (let i = 0; i < a.length; i++) {
      const differing = a[i]! ^ b[i]!;
      for (let bit = 0; differing >> bit > 0; bit++) {
        if (((differing >> bit) & 1) === 0) continue;
        const element = Math.floor(((first + i) * 8 + bit) / width);
        this.#all.addBit(element);
        if (this.#within !== null && this.#test(element)) this.#within.addBit(element);
      }
    }
  }

  result(what: { numbers: boolean; bits: boolean }, rounded: boolean | null): TensorChange | null {
    const all = this.#all.movement(what);
    if (all.changed === 0) return null;
    const length = Math.sqrt(this.#squares);
    return {
      ...all,
      elements: this.elements,
      relative: all.norm === null || length === 0 ? null : all.norm / length,
      rounded,
      within: this.#within?.movement(what) ?? null,
    };
  }
}

/** Bytes as words of an element's size, of half of it for 8 bytes. */
const wordsOf = ({ buffer, byteOffset, length }: Uint8Array, bytes: number): NumberArray =>
  bytes >= 4
    ? new Int32Array(buffer, byteOffset, length / 4)
    : bytes === 2
      ? new Uint16Array(buffer, byteOffset, length / 2)
      : new Uint8Array(buffer, byteOffset, length);
