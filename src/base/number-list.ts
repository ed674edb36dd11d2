const none: readonly number[] = [];

/**
 * A list of numbers to look something up by. One is filled again and again, and is as long as the longest so far; its
 * content is copied where it is to be kept.
 */
export class NumberList {
  #numbers = new Float64Array(1024);
  #count = 0;

  get length(): number {
    return this.#count;
  }

  clear(): void {
    this.#count = 0;
  }

  push(x: number): void {
    if (this.#count === this.#numbers.length) {
      const longer = new Float64Array(2 * this.#count);
      longer.set(this.#numbers);
      this.#numbers = longer;
    }
    this.#numbers[this.#count++] = x;
  }

  /** Adds how many there are, and then each: lists one after the other stay apart. */
  pushAll(list: readonly number[]): void {
    this.push(list.length);
    for (let i = 0; i < list.length; i++) this.push(list[i]!);
  }

  /** A number that lists share which are equal but for what stands in some places, which ascend. */
  hash(but: readonly number[] = none): number {
    const numbers = this.#numbers;
    let hash = this.#count;
    let from = 0;
    for (let i = 0; i <= but.length; i++) {
      const to = i < but.length ? but[i]! : this.#count;
      for (let at = from; at < to; at++) {
        const x = numbers[at]! | 0;
        hash = (Math.imul(hash, 31) + x + Math.imul(x, 458_759)) | 0;
      }
      from = to + 1;
    }
    return hash;
  }

  /** Whether it holds these, to the sign of a zero. */
  equals(numbers: Float64Array): boolean {
    if (numbers.length !== this.#count) return false;
    for (let i = 0; i < this.#count; i++) if (!Object.is(numbers[i], this.#numbers[i])) return false;
    return true;
  }

  copy(): Float64Array {
    return this.#numbers.slice(0, this.#count);
  }
}
