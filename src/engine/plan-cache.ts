import { foldedValue, isOrdinary, liftedPlaces } from "../ir/lift.ts";
import type { Node } from "../ir/node.ts";
import { Recent } from "./recent.ts";
import { type Signature, sameElsewhere, sameSignature } from "./signature.ts";

interface Entry<T> {
  readonly hash: number;
  readonly numbers: Float64Array;
  /** Where in the numbers stand constants that are inputs of what was made. */
  readonly free: ReadonlySet<number>;
  /** The nodes, by their place in the signature's order, whose values these inputs are. */
  readonly lifted: readonly number[];
  readonly value: T;
  readonly size: number;
}

/**
 * Values by signature, bounded by the nodes of their graphs; the one unused for longest goes first. Where a signature
 * differs from one that is there in constants only, what is made for it takes those as inputs, and serves all others.
 */
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

  /** `make` is told the nodes, by their place in the signature's order, whose values are to be inputs. */
  get(signature: Signature, make: (lifted: readonly number[]) => T): T {
    const { hash, numbers, order } = signature;
    const bucket = this.#buckets.get(hash) ?? [];
    let entry = bucket.find((e) =>
      e.lifted.length === 0
        ? sameSignature(e.numbers, numbers)
        : sameElsewhere(e.numbers, numbers, e.free) && areLiftable(order, e.lifted),
    );
    if (entry === undefined) {
      const { free, lifted } = freed(signature, bucket);
      entry = { hash, numbers, free, lifted, value: make(lifted), size: order.length };
      if (bucket.push(entry) === 1) this.#buckets.set(hash, bucket);
      this.made++;
    }
    this.#recent.use(entry, entry.size);
    return entry.value;
  }
}

type Freed = Pick<Entry<unknown>, "free" | "lifted">;

const none: Freed = { free: new Set(), lifted: [] };

/** The constants in which a signature differs from one that is else the same, and what to lift for them. */
function freed(
  { numbers, order, constants, constantPlaces }: Signature,
  bucket: readonly Entry<unknown>[],
): Freed {
  const places = new Set(constantPlaces);
  const like = bucket.find((e) => sameElsewhere(e.numbers, numbers, places));
  if (like === undefined) return none;
  const differs = (at: number): boolean => like.free.has(at) || !Object.is(like.numbers[at], numbers[at]);
  const free = new Set(constantPlaces.filter(differs));
  const lifted = liftedPlaces(order, new Set(constants.filter((_, i) => free.has(constantPlaces[i]!))));
  return areLiftable(order, lifted) ? { free, lifted } : none;
}

/** Whether some nodes have values that can be inputs. */
const areLiftable = (order: readonly Node[], lifted: readonly number[]): boolean =>
  lifted.every((place) => {
    const n = order[place]!;
    const value = n.dtype === "f32" || n.dtype === "f64" || n.dtype === "i32" ? foldedValue(n) : null;
    return value !== null && isOrdinary(value);
  });
