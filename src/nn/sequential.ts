import type { Tensor } from "../tensor/tensor.ts";
import { Items, items, placeIn, requireModule } from "./items.ts";
import { type Layer, type Member, Module } from "./module.ts";
import type { contents } from "./paths.ts";

/**
 * Layers one after the other, found by walking under their index: each takes what the one before gives.
 *
 * Takes the `layers` one by one, modules with a `forward` of one tensor. `forward` takes what the first of them
 * takes and gives what the last one gives; without layers, x itself.
 * Throws `ArgumentError` for what is no module, `IndexError` for an index that is not there.
 * Source: `torch.nn.Sequential`.
 * Example: `new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU()).forward(randn([4, 2]))`.
 */
export class Sequential<L extends readonly Layer[] = readonly Layer[]> extends Module {
  declare readonly [contents]?: L;
  private readonly [items]: Items<Layer[]>;

  constructor(...layers: L) {
    super();
    for (const layer of layers) requireModule("Sequential", layer);
    this[items] = new Items([...layers]);
  }

  protected override members(): [string, Member][] {
    return [
      ...super.members(),
      ...this[items].read().map((layer, i): [string, Member] => [String(i), layer]),
    ];
  }

  forward(x: Tensor): Tensor {
    for (const layer of this[items].read()) x = layer.forward(x);
    return x;
  }

  protected override setMember(name: string, module: Module): void {
    if (Object.hasOwn(this, name.split(".")[0]!)) super.setMember(name, module);
    else this.set(Number(name), module as Layer);
  }

  get length(): number {
    return this[items].read().length;
  }
  [Symbol.iterator](): Iterator<L[number]> {
    return this[items].read()[Symbol.iterator]();
  }
  /** The layer at an index; negative ones count from the end. */
  at(index: number): L[number] {
    return this[items].read()[placeIn("Sequential.at", index, this.length)]!;
  }
  /** A row of the layers from `start` up to and without `end`, as an array's `slice`; the layers are the same ones. */
  slice(start?: number, end?: number): Sequential {
    return new Sequential(...this[items].read().slice(start, end));
  }
  /** Adds a layer at the end. */
  append(layer: Layer): this {
    return this.extend([layer]);
  }
  /** Adds layers at the end. */
  extend(layers: Iterable<Layer>): this {
    const added = [...layers];
    for (const layer of added) requireModule("Sequential.extend", layer);
    this[items].change((held) => held.push(...added));
    return this;
  }
  /** Puts a layer before the one at an index; at the length, at the end. */
  insert(index: number, layer: Layer): this {
    requireModule("Sequential.insert", layer);
    const place = placeIn("Sequential.insert", index, this.length + 1, this.length);
    this[items].change((held) => held.splice(place, 0, layer));
    return this;
  }
  /** Puts a layer in the place of the one at an index. */
  set(index: number, layer: Layer): this {
    requireModule("Sequential.set", layer);
    const place = placeIn("Sequential.set", index, this.length);
    this[items].change((held) => held.splice(place, 1, layer));
    return this;
  }
  /** Takes out the layer at an index, the last unless another is named, and gives it. */
  pop(index = -1): Layer {
    const place = placeIn("Sequential.pop", index, this.length);
    return this[items].change((held) => held.splice(place, 1))[0]!;
  }
}
