import type { DType } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { bumpEpoch, Cell } from "../engine/cell.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Member, Module } from "./module.ts";
import { parameterLines, parameterOf } from "./parameter-list.ts";

/**
 * Parameters by name, found by walking under it.
 *
 * Takes parameters, and tensors of which it makes parameters. A name is not empty and has no dot.
 * Throws `ArgumentError` for what is no tensor, and for a name that is not there or cannot be.
 * Source: `torch.nn.ParameterDict`. Example: `scales = new nn.ParameterDict({ left: ones([3]), right: ones([3]) })`.
 */
export class ParameterDict extends Module {
  readonly #items = new Map<string, Parameter>();
  readonly #changes = new Cell(0);

  constructor(values: Readonly<Record<string, Tensor>> = {}) {
    super();
    this.update(values);
  }

  protected override members(): [string, Member][] {
    return [...super.members(), ...this.#read()];
  }

  /** The items, for a recording that then depends on which they are. */
  #read(): ReadonlyMap<string, Parameter> {
    void this.#changes.value;
    return this.#items;
  }
  #changed(): void {
    this.#changes.value++;
    bumpEpoch();
  }

  get size(): number {
    return this.#read().size;
  }
  /** The names, in the order in which they were added. */
  keys(): string[] {
    return [...this.#read().keys()];
  }
  /** The parameters, in the order in which they were added. */
  values(): Parameter[] {
    return [...this.#read().values()];
  }
  /** Names and parameters. */
  entries(): [string, Parameter][] {
    return [...this.#read()];
  }
  has(key: string): boolean {
    return this.#read().has(key);
  }
  /** The parameter of a name. */
  get(key: string): Parameter {
    const found = this.#read().get(key);
    if (found === undefined)
      throw new ArgumentError(
        `ParameterDict.get: no parameter is called "${key}"; there are ${this.keys().join(", ") || "none"}`,
      );
    return found;
  }
  /** Adds one, or puts it in the place of another. */
  set(key: string, value: Tensor): this {
    if (key === "" || key.includes("."))
      throw new ArgumentError(
        `ParameterDict.set: "${key}" cannot be a name: it would be part of paths, so it is not empty and has no dot`,
      );
    this.#items.set(key, parameterOf("ParameterDict.set", value));
    this.#changed();
    return this;
  }
  /** Adds some, each in the place of another of its name. */
  update(values: Readonly<Record<string, Tensor>>): this {
    for (const [key, value] of Object.entries(values)) this.set(key, value);
    return this;
  }
  delete(key: string): boolean {
    this.#changed();
    return this.#items.delete(key);
  }
  /** Takes out the parameter of a name, and gives it. */
  pop(key: string): Parameter {
    const taken = this.get(key);
    this.delete(key);
    return taken;
  }
  /** Takes out all of them. */
  clear(): void {
    this.#items.clear();
    this.#changed();
  }

  override extraRepr(): string {
    return parameterLines(this.entries(), ({ dtype }) => `torch.${tensorKinds[dtype]}Tensor`);
  }
}

/** PyTorch's older names of dtypes, which it prints here. */
const tensorKinds: Readonly<Record<DType, string>> = {
  f32: "Float",
  f64: "Double",
  bf16: "BFloat16",
  f16: "Half",
  i32: "Int",
  i8: "Char",
  u8: "Byte",
  bool: "Bool",
};
