import { Recent } from "./recent.ts";
import { type Signature, sameSignature } from "./signature.ts";

interface Entry<T> {
  readonly hash: number;
  readonly numbers: readonly number[];
  readonly value: T;
  readonly size: number;
}

/** Values by signature, bounded by the nodes of their graphs; the one unused for longest goes first. */
export class PlanCache<T> {
  made = 0;
  readonly #buckets = new Map<number, Entry<T>[]>();
  readonly #recent: Recent<Entry<T>>;

  constructor(limit: number, evict: (value: T) => void) {
    this.#recent = new Recent(limit, (entry) => {
      const bucket = this.#buckets.get(entry.hash)!;
      bucket.splice(bucket.indexOf(entry), 1);
      if (bucket.length === 0) this.#buckets.delete(entry.hash);
      evict(entry.value);
    });
  }

  get size(): number {
    return this.#recent.count;
  }

  get({ hash, numbers, order }: Signature, make: () => T): T {
    const bucket = this.#buckets.get(hash);
    let entry = bucket?.find((e) => sameSignature(e.numbers, numbers));
    if (entry === undefined) {
      entry = { hash, numbers, value: make(), size: order.length };
      if (bucket === undefined) this.#buckets.set(hash, [entry]);
      else bucket.push(entry);
      this.made++;
    }
    this.#recent.use(entry, entry.size);
    return entry.value;
  }
}
