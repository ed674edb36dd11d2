import { minus, type Region, union } from "../tensor/region.ts";

/** Things that selectors name or leave out, with the region of each that is meant (null: all of it). */
export class PartSet<K> {
  readonly #included = new Map<K, Region | null>();
  readonly #excluded = new Map<K, Region | null>();

  /** Takes note of what an entry names, or, if it is an exclusion, leaves out. */
  add(key: K, region: Region | null, exclusion: boolean): void {
    const into = exclusion ? this.#excluded : this.#included;
    into.set(key, into.has(key) ? union(into.get(key)!, region) : region);
  }

  /** What was named, less what was left out, wherever that stood; of exclusions alone, `all` less those. */
  left(all: Iterable<K>): Map<K, Region | null> {
    const left = new Map<K, Region | null>();
    const onlyExclusions = this.#included.size === 0 && this.#excluded.size > 0;
    for (const key of onlyExclusions ? all : this.#included.keys()) {
      const region = this.#included.get(key) ?? null;
      const rest = this.#excluded.has(key) ? minus(region, this.#excluded.get(key)!) : region;
      if (rest !== "none") left.set(key, rest);
    }
    return left;
  }
}
