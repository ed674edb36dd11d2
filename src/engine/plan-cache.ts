import { type Signature, sameSignature } from "./signature.ts";

interface Entry<T> {
  numbers: readonly number[];
  value: T;
  used: number;
}

/** Values by signature, bounded; the one unused for longest goes first. */
export class PlanCache<T> {
  made = 0;
  size = 0;
  #buckets = new Map<number, Entry<T>[]>();
  #clock = 0;
  readonly #limit: number;
  readonly #evict: (value: T) => void;

  constructor(limit: number, evict: (value: T) => void) {
    this.#limit = limit;
    this.#evict = evict;
  }

  get(signature: Signature, make: () => T): T {
    const bucket = this.#buckets.get(signature.hash);
    const found = bucket?.find((e) => sameSignature(e.numbers, signature.numbers));
    if (found !== undefined) {
      found.used = ++this.#clock;
      return found.value;
    }
    const entry = { numbers: signature.numbers, value: make(), used: ++this.#clock };
    if (bucket === undefined) this.#buckets.set(signature.hash, [entry]);
    else bucket.push(entry);
    this.made++;
    if (++this.size > this.#limit) this.#evictOldest();
    return entry.value;
  }

  /** Drops the entry that has been unused for longest. */
  #evictOldest(): void {
    let oldest: { hash: number; entry: Entry<T> } | null = null;
    for (const [hash, bucket] of this.#buckets)
      for (const entry of bucket)
        if (oldest === null || entry.used < oldest.entry.used) oldest = { hash, entry };
    const bucket = this.#buckets.get(oldest!.hash)!;
    bucket.splice(bucket.indexOf(oldest!.entry), 1);
    if (bucket.length === 0) this.#buckets.delete(oldest!.hash);
    this.size--;
    this.#evict(oldest!.entry.value);
  }
}
