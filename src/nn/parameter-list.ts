import { dtypes } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { Parameter } from "../tensor/parameter.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Items, items, placeIn } from "./items.ts";
import { type Member, Module } from "./module.ts";

/**
 * Parameters in a row, found by walking under their index.
 *
 * Takes a list of `values`, none unless given: parameters, and tensors of which it makes parameters. Gives a module without
 * a `forward`: `at(i)` is a parameter of it, negative indices counted from the end.
 * Throws `ArgumentError` for what is no tensor, `IndexError` for an index that is not there.
 * Source: `torch.nn.ParameterList`. Example: `scales = new nn.ParameterList([ones([3]), ones([4])])`.
 */
export class ParameterList extends Module {
  private readonly [items]: Items<Parameter[]>;

  constructor(values: Iterable<Tensor> = []) {
    super();
    this[items] = new Items(Array.from(values, (value) => parameterOf("ParameterList", value)));
  }

  protected override members(): [string, Member][] {
    return [...super.members(), ...this[items].read().map((item, i): [string, Member] => [String(i), item])];
  }

  get length(): number {
    return this[items].read().length;
  }
  [Symbol.iterator](): Iterator<Parameter> {
    return this[items].read()[Symbol.iterator]();
  }
  /** The parameter at an index. */
  at(index: number): Parameter {
    return this[items].read()[placeIn("ParameterList.at", index, this.length)]!;
  }
  /** A list of the parameters from `start` up to and without `end`, as an array's `slice`; they are the same ones. */
  slice(start?: number, end?: number): ParameterList {
    return new ParameterList(this[items].read().slice(start, end));
  }
  /** Adds one at the end. */
  append(value: Tensor): this {
    return this.extend([value]);
  }
  /** Adds some at the end. */
  extend(values: Iterable<Tensor>): this {
    const added = Array.from(values, (value) => parameterOf("ParameterList.extend", value));
    this[items].change((held) => held.push(...added));
    return this;
  }
  /** Puts one in the place of that at an index. */
  set(index: number, value: Tensor): this {
    const place = placeIn("ParameterList.set", index, this.length);
    const parameter = parameterOf("ParameterList.set", value);
    this[items].change((held) => held.splice(place, 1, parameter));
    return this;
  }

  override extraRepr(): string {
    return parameterLines(
      this[items].read().map((item, i) => [String(i), item]),
      ({ dtype }) => `torch.${dtypes[dtype].torch}`,
    );
  }
}

/** Lines that say of named parameters what they are, as PyTorch prints them in a list or dictionary. */
export const parameterLines = (
  entries: readonly (readonly [string, Parameter])[],
  kind: (parameter: Parameter) => string,
): string =>
  entries
    .map(([name, p]) => `  (${name}): Parameter containing: [${kind(p)} of size ${p.shape.join("x")}]`)
    .join("\n");

/** A parameter as it is, and one made of any other tensor. */
export function parameterOf(op: string, value: unknown): Parameter {
  if (value instanceof Parameter) return value;
  if (value instanceof Tensor) return new Parameter(value.detach());
  throw new ArgumentError(`${op}: takes parameters and tensors, not ${typeof value}`);
}
