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
const presentTensor = (live: StateTensor): Tensor => new Tensor(live.node);

/** What was given of a state last, and what it was made of: numbers and nodes, in the order of the entries. */
const given = new WeakMap<object, { readonly object: object; readonly of: readonly unknown[] }>();

/** The numbers and tensors of a state as they are now: one object for as long as they stay so, which cannot be set. */
export function presentState(live: Readonly<Record<string, number | StateTensor>>): object {
  const entries = Object.entries(live);
  const of = entries.flatMap(([name, value]) => [name, value instanceof StateTensor ? value.node : value]);
  const before = given.get(live);
  if (
    before !== undefined &&
    before.of.length === of.length &&
    before.of.every((x, i) => Object.is(x, of[i]))
  )
    return before.object;
  const object = Object.freeze(
    Object.fromEntries(
      entries.map(([name, value]) => [name, value instanceof StateTensor ? presentTensor(value) : value]),
    ),
  );
  given.set(live, { object, of });
  return object;
}
