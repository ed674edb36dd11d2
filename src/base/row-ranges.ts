/** The rows that elements are in, which are added in ascending order. */
export class RowRanges {
  /** From a first row up to and without an end; the first so many, where a limit was given. */
  readonly ranges: [from: number, to: number][] = [];
  /** Rows, all of them. */
  count = 0;
  readonly #size: number;
  readonly #most: number;
  /** The element that the last row ends before. */
  #end = 0;

  /** `size` is how many elements a row has, `most` how many ranges are kept. */
  constructor(size: number, most = Number.POSITIVE_INFINITY) {
    this.#size = size;
    this.#most = most;
  }

  add(element: number): void {
    // Elements ascend, so that a row ends once.
    if (element < this.#end) return;
    const row = Math.floor(element / this.#size);
    this.#end = (row + 1) * this.#size;
    this.count++;
    const last = this.ranges[this.ranges.length - 1];
    if (last !== undefined && last[1] === row) last[1]++;
    else if (this.ranges.length < this.#most) this.ranges.push([row, row + 1]);
  }
}
