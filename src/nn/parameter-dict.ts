import type { DType } from "../base/dtype.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Items, items, named, requireName } from "./items.ts";
import { type Member, Module } from "./module.ts";
import { parameterLines, parameterOf } from "./parameter-list.ts";

/**
 * Parameters by name, found by walking under it.
 *
 * Takes an object of `values`, none unless given: parameters, and tensors of which it makes parameters. A name is not
 * empty and has no dot. Gives a module without a `forward`: `get(name)` is a parameter of it.
 * Throws `ArgumentError` for what is no tensor, and for a name that is not there or cannot be.
 * Source: `torch.nn.ParameterDict`. Example: `scales = new nn.ParameterDict({ left: ones([3]), right: ones([3]) })`.
 */
export class ParameterDict extends Module {
  private readonly [items] = new Items(new Map<string, Parameter>());

  constructor(values: Readonly<Record<string, Tensor>> = {}) {
    super();
    this.update(values);
  }

  protected override members(): [string, Member][] {
    return [...super.members(), ...this[items].read()];
  }

  get size(): number {
    return this[items].read().size;
  }
  /** The names, in the order in which they were added. */
  keys(): string[] {
    return [...this[items].read().keys()];
  }
  /** The parameters, in the order in which they were added. */
  values(): Parameter[] {
    return [...this[items].read().values()];
  }
  /** Names and parameters. */
  entries(): [string, Parameter][] {
    return [...this[items].read()];
  }
  has(key: string): boolean {
    return this[items].read().has(key);
  }
  /** The parameter of a name. */
  get(key: string): Parameter {
    return named("ParameterDict.get", "parameter", this[items].read(), key);
  }
  /** Adds one, or puts it in the place of another. */
  set(key: string, value: Tensor): this {
    requireName("ParameterDict.set", key);
    const parameter = parameterOf("ParameterDict.set", value);
    this[items].change((held) => held.set(key, parameter));
    return this;
  }
  /** Adds some, each in the place of another of its name. */
  update(values: Readonly<Record<string, Tensor>>): this {
    for (const [key, value] of Object.entries(values)) this.set(key, value);
    return this;
  }
  delete(key: string): boolean {
    return this[items].change((held) => held.delete(key));
  }
  /** Takes out the parameter of a name, and gives it. */
  pop(key: string): Parameter {
    const taken = this.get(key);
    this.delete(key);
    return taken;
  }
  /** Takes out all of them. */
  clear(): void {
    this[items].change((held) => held.clear());
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
