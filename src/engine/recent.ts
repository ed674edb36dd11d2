/** Things by when they were last used, bounded by their sizes together: what was unused for longest goes first. */
export class Recent<T> {
  readonly #entries = new Map<T, { size: number; used: number }>();
  readonly #limit: number;
  readonly #evict: (thing: T) => void;
  #total = 0;
  #uses = 0;

  /** `limit` is of all sizes together; the thing used last stays, however large it is. */
  constructor(limit: number, evict: (thing: T) => void) {
    this.#limit = limit;
    this.#evict = evict;
  }

  get count(): number {
    return this.#entries.size;
  }

  /** Says that a thing, new or not, is used now. */
  use(thing: T, size: number): void {
    const used = ++this.#uses;
    const entry = this.#entries.get(thing);
    this.#total += size - (entry?.size ?? 0);
    if (entry === undefined) this.#entries.set(thing, { size, used });
    else {
      entry.size = size;
      entry.used = used;
    }
    while (this.#total > this.#limit && this.#entries.size > 1) this.#evictOldest();
  }

  // Uses are many, and evictions few: looking for the oldest costs less than keeping all in order.
  #evictOldest(): void {
    let oldest: T | undefined;
    let first = Number.POSITIVE_INFINITY;
    for (const [thing, { used }] of this.#entries) if (used < first) [oldest, first] = [thing, used];
    this.delete(oldest!);
    this.#evict(oldest!);
  }

  /** Evicts everything. */
  clear(): void {
    for (const thing of [...this.#entries.keys()]) {
      this.delete(thing);
      this.#evict(thing);
    }
  }

  /** Forgets a thing, without evicting it. */
  delete(thing: T): void {
    this.#total -= this.#entries.get(thing)?.size ?? 0;
    this.#entries.delete(thing);
  }
}
