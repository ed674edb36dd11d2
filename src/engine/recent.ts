/** Things by when they were last used, bounded by their sizes together: what was unused for longest goes first. */
export class Recent<T> {
  readonly #sizes = new Map<T, number>();
  readonly #limit: number;
  readonly #evict: (thing: T) => void;
  #total = 0;

  /** `limit` is of all sizes together; the thing used last stays, however large it is. */
  constructor(limit: number, evict: (thing: T) => void) {
    this.#limit = limit;
    this.#evict = evict;
  }

  get count(): number {
    return this.#sizes.size;
  }

  /** Says that a thing, new or not, is used now. */
  use(thing: T, size: number): void {
    this.delete(thing);
    this.#sizes.set(thing, size);
    this.#total += size;
    while (this.#total > this.#limit && this.#sizes.size > 1) {
      const [oldest] = this.#sizes.keys();
      this.delete(oldest!);
      this.#evict(oldest!);
    }
  }

  /** Evicts everything. */
  clear(): void {
    for (const thing of [...this.#sizes.keys()]) {
      this.delete(thing);
      this.#evict(thing);
    }
  }

  /** Forgets a thing, without evicting it. */
  delete(thing: T): void {
    this.#total -= this.#sizes.get(thing) ?? 0;
    this.#sizes.delete(thing);
  }
}
