import { IndexError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type contents, type Layer, type Member, Module } from "./module.ts";

/** Layers one after the other, found by walking under their index. */
export class Sequential<L extends readonly Layer[] = readonly Layer[]> extends Module {
  declare readonly [contents]?: L;
  readonly #layers: L;

  constructor(...layers: L) {
    super();
    this.#layers = layers;
  }

  protected override members(): [string, Member][] {
    return [...super.members(), ...this.#layers.map((layer, i): [string, Member] => [String(i), layer])];
  }

  forward(x: Tensor): Tensor {
    for (const layer of this.#layers) x = layer.forward(x);
    return x;
  }

  get length(): number {
    return this.#layers.length;
  }
  [Symbol.iterator](): Iterator<L[number]> {
    return this.#layers[Symbol.iterator]();
  }
  /** The layer at an index; negative ones count from the end. */
  at(index: number): L[number] {
    const found = this.#layers.at(index);
    if (found === undefined) throw new IndexError(`Sequential.at: index ${index} in a row of ${this.length}`);
    return found;
  }
}
