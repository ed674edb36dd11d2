import { decoders } from "./diff-values.ts";
import type { SourceEntry, TensorSource } from "./open.ts";

/** How two tensors of one name differ. */
export interface TensorChange {
  /** Elements of the tensor, and how many of them differ in a bit: 0 and −0 do, and NaNs of other bits. */
  readonly elements: number;
  readonly changed: number;
  /** How many bits differ; null where the dtypes do. */
  readonly bitsChanged: number | null;
  /** The largest |b − a|, the length (L2) of b − a, and that over the length of a; null for what is not read as numbers. */
  readonly maxChange: number | null;
  readonly norm: number | null;
  readonly relative: number | null;
  /** Rows (along dimension 0) with a change, as ranges from a first row up to and without an end. */
  readonly rows: readonly (readonly [from: number, to: number])[];
  readonly rowsChanged: number;
  /** Changed elements among those that `counts` was asked about. */
  readonly counted: number;
}

/** Bytes read at a time from each side. */
const blockBytes = 4 * 2 ** 20;
/** Ranges of rows that are kept; beyond, rows are only counted. */
const maxRanges = 10_000;

/** Two buffers that comparisons share, so that memory is bounded whatever is compared. */
export class Blocks {
  readonly a = new Uint8Array(blockBytes);
  readonly b = new Uint8Array(blockBytes);
}

/** Whether two tensors of as many bytes have the same ones. */
export function sameBytes(
  [a, nameA]: readonly [TensorSource, string],
  [b, nameB]: readonly [TensorSource, string],
  blocks: Blocks,
): boolean {
  const { begin, end } = a.entries.get(nameA)!;
  for (let at = 0; at < end - begin; at += blockBytes) {
    const count = a.read(nameA, blocks.a, at);
    b.read(nameB, blocks.b, at);
    if (differenceIn(blocks.a.subarray(0, count), blocks.b.subarray(0, count)) >= 0) return false;
  }
  return true;
}

/** Where two byte arrays of one length first differ, to a page; -1 where they do not. */
function differenceIn(a: Uint8Array, b: Uint8Array): number {
  for (let from = 0; from < a.length; from += pageBytes) {
    const to = Math.min(a.length, from + pageBytes);
    if (compareBytes(a, b, from, to) !== 0) return from;
  }
  return -1;
}

/** Pages that are equal are not looked into. */
const pageBytes = 64 * 2 ** 10;

/** 0 where bytes are the same: by the system's comparison where there is one. */
function compareBytes(a: Uint8Array, b: Uint8Array, from: number, to: number): number {
  if (typeof Buffer === "function") return Buffer.compare(a.subarray(from, to), b.subarray(from, to));
  for (let i = from; i < to; i++) if (a[i] !== b[i]) return 1;
  return 0;
}

/**
 * Compares two tensors of as many elements block by block; null where no bit differs. Dtypes may differ: then values
 * are compared. `counts` says of an element whether to count it if it has changed.
 */
export function compareTensors(
  [a, nameA]: readonly [TensorSource, string],
  [b, nameB]: readonly [TensorSource, string],
  blocks: Blocks,
  counts?: (element: number) => boolean,
): TensorChange | null {
  const [entryA, entryB] = [a.entries.get(nameA)!, b.entries.get(nameB)!];
  const sameDtype = entryA.dtype === entryB.dtype;
  if (sameDtype && sameBytes([a, nameA], [b, nameB], blocks)) return null;
  const [left, right] = [decoders.get(entryA.dtype), decoders.get(entryB.dtype)];
  if (left === undefined || right === undefined)
    return sameDtype ? onlyBytes(entryA, [a, nameA], [b, nameB], blocks) : notComparable(entryA);
  const tally = new Tally(entryA, counts);
  const step = Math.floor(blockBytes / Math.max(left.bytes, right.bytes));
  const { elements } = tally;
  for (let first = 0; first < elements; first += step) {
    const count = Math.min(step, elements - first);
    const bytesA = blocks.a.subarray(0, count * left.bytes);
    const bytesB = blocks.b.subarray(0, count * right.bytes);
    a.read(nameA, bytesA, first * left.bytes);
    b.read(nameB, bytesB, first * right.bytes);
    const [x, y] = [left.decode(bytesA), right.decode(bytesB)];
    for (let i = 0; i < count; i++) tally.squares += x[i]! * x[i]!;
    if (!sameDtype) tally.values(first, x, y);
    else
      for (let from = 0; from < bytesA.length; from += pageBytes) {
        const to = Math.min(bytesA.length, from + pageBytes);
        if (compareBytes(bytesA, bytesB, from, to) !== 0)
          tally.page(first, from / left.bytes, to / left.bytes, left.bytes, bytesA, bytesB, x, y);
      }
  }
  return sameDtype || tally.changed > 0 ? tally.result(sameDtype) : null;
}

/** Sums up differences, element by element in ascending order. */
class Tally {
  readonly elements: number;
  changed = 0;
  /** Of a, for its length. */
  squares = 0;
  readonly #width: number;
  readonly #counts: ((element: number) => boolean) | undefined;
  #bits = 0;
  #largest = 0;
  #squaredChange = 0;
  #rows: [number, number][] = [];
  #rowsChanged = 0;
  /** The element that the row of the last change ends before. */
  #rowEnd = 0;
  #counted = 0;

  constructor({ shape }: SourceEntry, counts: ((element: number) => boolean) | undefined) {
    this.elements = shape.reduce((product, size) => product * size, 1);
    this.#width = shape.length === 0 ? 1 : this.elements / Math.max(1, shape[0]!);
    this.#counts = counts;
  }

  /** Elements `from` to `to` of a block, some of which differ in a bit. */
  page(
    first: number,
    from: number,
    to: number,
    bytes: number,
    a: Uint8Array,
    b: Uint8Array,
    x: ArrayLike<number>,
    y: ArrayLike<number>,
  ): void {
    const [wordsA, wordsB] = [wordsOf(a, bytes), wordsOf(b, bytes)];
    const per = bytes === 8 ? 2 : 1;
    let bits = 0;
    for (let i = from; i < to; i++) {
      let differing = bitCount(wordsA[i * per]! ^ wordsB[i * per]!);
      if (per === 2) differing += bitCount(wordsA[2 * i + 1]! ^ wordsB[2 * i + 1]!);
      if (differing === 0) continue;
      bits += differing;
      this.#add(first + i, x[i]!, y[i]!);
    }
    this.#bits += bits;
  }

  /** Elements of a block, compared by value. */
  values(first: number, x: ArrayLike<number>, y: ArrayLike<number>): void {
    for (let i = 0; i < x.length; i++) if (!Object.is(x[i], y[i])) this.#add(first + i, x[i]!, y[i]!);
  }

  #add(element: number, x: number, y: number): void {
    this.changed++;
    if (this.#counts?.(element)) this.#counted++;
    // What stays equal (an infinity, 0 and -0), or NaN, has not moved; what becomes NaN has, without measure.
    if (x !== y && !(Number.isNaN(x) && Number.isNaN(y))) {
      const change = Math.abs(y - x);
      if (change > this.#largest || Number.isNaN(change)) this.#largest = change;
      this.#squaredChange += change * change;
    }
    // Elements ascend, so that a row ends once.
    if (element < this.#rowEnd) return;
    const row = Math.floor(element / this.#width);
    this.#rowEnd = (row + 1) * this.#width;
    this.#rowsChanged++;
    const range = this.#rows[this.#rows.length - 1];
    if (range !== undefined && range[1] === row) range[1]++;
    else if (this.#rows.length < maxRanges) this.#rows.push([row, row + 1]);
  }

  result(sameDtype: boolean): TensorChange {
    const norm = Math.sqrt(this.#squaredChange);
    return {
      elements: this.elements,
      changed: this.changed,
      bitsChanged: sameDtype ? this.#bits : null,
      maxChange: this.#largest,
      norm,
      relative: norm === 0 ? 0 : norm / Math.sqrt(this.squares),
      rows: this.#rows,
      rowsChanged: this.#rowsChanged,
      counted: this.#counted,
    };
  }
}

/** Bytes as words of an element's size, of half of it for 8 bytes. */
const wordsOf = (
  { buffer, byteOffset, length }: Uint8Array,
  bytes: number,
): Int32Array | Uint16Array | Uint8Array =>
  bytes >= 4
    ? new Int32Array(buffer, byteOffset, length / 4)
    : bytes === 2
      ? new Uint16Array(buffer, byteOffset, length / 2)
      : new Uint8Array(buffer, byteOffset, length);

/** How many bits of a word are set (Hacker's Delight, 5-1). */
function bitCount(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

const unread = { maxChange: null, norm: null, relative: null, rows: [], rowsChanged: 0 };

/** A change of what is not read as numbers: bytes count as its elements where nothing smaller is known. */
function onlyBytes(
  entry: SourceEntry,
  [a, nameA]: readonly [TensorSource, string],
  [b, nameB]: readonly [TensorSource, string],
  blocks: Blocks,
): TensorChange {
  const { begin, end } = entry;
  let [changed, bitsChanged] = [0, 0];
  for (let at = 0; at < end - begin; at += blockBytes) {
    const count = a.read(nameA, blocks.a, at);
    b.read(nameB, blocks.b, at);
    for (let i = 0; i < count; i++) {
      const bits = bitCount(blocks.a[i]! ^ blocks.b[i]!);
      if (bits > 0) changed++;
      bitsChanged += bits;
    }
  }
  return { ...unread, elements: end - begin, changed, bitsChanged, counted: changed };
}

function notComparable({ begin, end }: SourceEntry): TensorChange {
  return { ...unread, elements: end - begin, changed: end - begin, bitsChanged: null, counted: end - begin };
}
