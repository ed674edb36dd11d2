/**
 * A list of numbers to look something up by. One is filled again and again, and is as long as the longest so far; its
 * content is copied where it is to be kept.
 */
export class NumberList {
  #numbers = new Float64Array(1024);
  #count = 0;

  /** How many numbers there are. */
  get length(): number {
    return this.#count;
  }

  clear(): void {
    this.#count = 0;
  }

  push(x: number): void {
    if (this.#count === this.#numbers.length) this.#grow(this.#count + 1);
    this.#numbers[this.#count++] = x;
  }

  #grow(count: number): void {
    const longer = new Float64Array(2 * count);
    longer.set(this.#numbers);
    this.#numbers = longer;
  }

  /** Adds how many there are, and then each: lists one after the other stay apart. */
  pushAll(list: readonly number[]): void {
    this.push(list.length);
    for (let i = 0; i < list.length; i++) this.push(list[i]!);
  }

  /** A number that equal lists share. */
  hash(): number {
    let hash = this.#count;
    for (let i = 0; i < this.#count; i++) {
      const x = this.#numbers[i]! | 0;
      hash = (Math.imul(hash, 31) + x + Math.imul(x, 458_759)) | 0;
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
