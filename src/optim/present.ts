import { Tensor } from "../tensor/tensor.ts";
import { StateTensor } from "./state-tensor.ts";

/**
 * A map whose values are read when they are asked for: each is what it was at that moment, and, as of any tensor made of
 * a parameter, nothing newer is ever read from it.
 */
export class PresentMap<K, L, V> implements ReadonlyMap<K, V> {
  readonly #live: ReadonlyMap<K, L>;
  readonly #read: (live: L) => V;

  constructor(live: ReadonlyMap<K, L>, read: (live: L) => V) {
    this.#live = live;
    this.#read = read;
  }

  get size(): number {
    return this.#live.size;
  }
  has(key: K): boolean {
    return this.#live.has(key);
  }
  get(key: K): V | undefined {
    const live = this.#live.get(key);
    return live === undefined ? undefined : this.#read(live);
  }
  keys(): MapIterator<K> {
    return this.#live.keys();
  }
  *values(): Generator<V, undefined> {
    for (const live of this.#live.values()) yield this.#read(live);
  }
  *entries(): Generator<[K, V], undefined> {
    for (const [key, live] of this.#live) yield [key, this.#read(live)];
  }
  [Symbol.iterator](): Generator<[K, V], undefined> {
    return this.entries();
  }
  forEach(fn: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this) fn(value, key, this);
  }
}

/** A tensor of the value that a state tensor has now. */
export const presentTensor = (live: StateTensor): Tensor => new Tensor(live.node);

/** The numbers and tensors of a state as they are now. */
export const presentState = (live: Readonly<Record<string, number | StateTensor>>): object =>
  Object.fromEntries(
    Object.entries(live).map(([name, value]) => [
      name,
      value instanceof StateTensor ? presentTensor(value) : value,
    ]),
  );
