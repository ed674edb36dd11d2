import { bumpEpoch, Cell } from "../engine/cell.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { placeIn, requireModule } from "./items.ts";
import { type contents, type Layer, type Member, Module } from "./module.ts";

/** Layers one after the other, found by walking under their index. */
export class Sequential<L extends readonly Layer[] = readonly Layer[]> extends Module {
  declare readonly [contents]?: L;
  readonly #layers: Layer[];
  readonly #changes = new Cell(0);

  constructor(...layers: L) {
    super();
    for (const layer of layers) requireModule("Sequential", layer);
    this.#layers = [...layers];
  }

  protected override members(): [string, Member][] {
    return [...super.members(), ...this.#read().map((layer, i): [string, Member] => [String(i), layer])];
  }

  /** The layers, for a recording that then depends on which they are. */
  #read(): L {
    void this.#changes.value;
    return this.#layers as readonly Layer[] as L;
  }
  #changed(): this {
    this.#changes.value++;
    bumpEpoch();
    return this;
  }

  forward(x: Tensor): Tensor {
    for (const layer of this.#read()) x = layer.forward(x);
    return x;
  }

  get length(): number {
    return this.#read().length;
  }
  [Symbol.iterator](): Iterator<L[number]> {
    return this.#read()[Symbol.iterator]();
  }
  /** The layer at an index; negative ones count from the end. */
  at(index: number): L[number] {
    return this.#read()[placeIn("Sequential.at", index, this.length)]!;
  }
  /** A row of the layers from `start` up to and without `end`, as an array's `slice`; the layers are the same ones. */
  slice(start?: number, end?: number): Sequential {
    return new Sequential(...this.#read().slice(start, end));
  }
  /** Adds a layer at the end. */
  append(layer: Layer): this {
    return this.extend([layer]);
  }
  /** Adds layers at the end. */
  extend(layers: Iterable<Layer>): this {
    const added = [...layers];
    for (const layer of added) requireModule("Sequential.extend", layer);
    this.#layers.push(...added);
    return this.#changed();
  }
  /** Puts a layer before the one at an index; at the length, at the end. */
  insert(index: number, layer: Layer): this {
    requireModule("Sequential.insert", layer);
    this.#layers.splice(placeIn("Sequential.insert", index, this.length + 1, this.length), 0, layer);
    return this.#changed();
  }
  /** Puts a layer in the place of the one at an index. */
  set(index: number, layer: Layer): this {
    requireModule("Sequential.set", layer);
    this.#layers[placeIn("Sequential.set", index, this.length)] = layer;
    return this.#changed();
  }
  /** Takes out the layer at an index, the last unless another is named, and gives it. */
  pop(index = -1): Layer {
    const [taken] = this.#layers.splice(placeIn("Sequential.pop", index, this.length), 1);
    this.#changed();
    return taken!;
  }
}
