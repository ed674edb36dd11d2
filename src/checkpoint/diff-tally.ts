import { RowRanges } from "../base/row-ranges.ts";
import { sizeOf } from "../base/shape.ts";

/** How elements of a tensor have moved. */
export interface Movement {
  /** Elements that differ in a bit (where dtypes differ: in their value, or the sign of a zero). */
  readonly changed: number;
  /** Of these, how many have the same value: 0 and -0, NaNs of other bits. Null for what is not read as numbers. */
  readonly onlyBits: number | null;
  /** Of these, how many have no finite difference, so that the measures below leave them out: NaN or infinite on a side. */
  readonly unmeasured: number | null;
  /** How many bits differ; null where the dtypes do. */
  readonly bitsChanged: number | null;
  /** The largest |b - a|, and the length (L2) of b - a; null for what is not read as numbers. */
  readonly maxChange: number | null;
  readonly norm: number | null;
  /** Rows (along dimension 0) with a change, as ranges from a first row up to and without an end: 10,000 at most. */
  readonly rows: readonly (readonly [from: number, to: number])[];
  /** Rows with a change, all of them. */
  readonly rowsChanged: number;
}

/** Ranges of rows that are kept; beyond, rows are only counted. */
const maxRanges = 10_000;

/** Sums up changes, which are added in ascending order of elements. */
export class Tally {
  #changed = 0;
  #onlyBits = 0;
  #unmeasured = 0;
  #bits = 0;
  #largest = 0;
  #squares = 0;
  readonly #rows: RowRanges;
  #lastElement = -1;

  /** For a tensor of a shape. */
  constructor(shape: readonly number[]) {
    this.#rows = new RowRanges(sizeOf(shape.slice(1)), maxRanges);
  }

  /** An element that has changed: how many bits, its values and their difference. */
  add(element: number, bits: number, x: number, y: number, difference: number): void {
    this.#changed++;
    this.#bits += bits;
    if (difference === 0 || (Number.isNaN(x) && Number.isNaN(y))) this.#onlyBits++;
    else if (!Number.isFinite(difference)) this.#unmeasured++;
    else {
      const change = Math.abs(difference);
      if (change > this.#largest) this.#largest = change;
      this.#squares += change * change;
    }
    this.#rows.add(element);
  }

  /** A bit that has changed in an element that is not read as a number. */
  addBit(element: number): void {
    if (element === this.#lastElement) this.#bits++;
    else this.add(element, 1, 0, 0, 0);
    this.#lastElement = element;
  }

  /** What was added, so far as elements were read as numbers, and bits compared. */
  movement({ numbers, bits }: { numbers: boolean; bits: boolean }): Movement {
    return {
      changed: this.#changed,
      onlyBits: numbers ? this.#onlyBits : null,
      unmeasured: numbers ? this.#unmeasured : null,
      bitsChanged: bits ? this.#bits : null,
      maxChange: numbers ? this.#largest : null,
      norm: numbers ? Math.sqrt(this.#squares) : null,
      rows: this.#rows.ranges,
      rowsChanged: this.#rows.count,
    };
  }
}
