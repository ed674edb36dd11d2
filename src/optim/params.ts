import { ArgumentError } from "../base/errors.ts";
import { Module } from "../nn/module.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { Origin } from "./parameter-names.ts";

/** Parameters to train: a module's, or a list, with their names or without. */
export type ParamSource = Module | Parameter | Iterable<Parameter | readonly [string, Parameter]>;

/** A group of parameters with options of its own; those left out are the optimizer's. */
export type GroupOptions<O extends object> = Partial<O> & { params: ParamSource };

/** What an optimizer can be made of; where it is a module, of class M. */
export type OptimizerParams<O extends object, M extends Module | null = Module | null> =
  | (M & Module)
  | Exclude<ParamSource, Module>
  | readonly GroupOptions<O>[];

/** A parameter, and how it was given. */
export type Given = readonly [origin: Origin, parameter: Parameter];

const isGroup = (value: unknown): value is { params: ParamSource } =>
  typeof value === "object" &&
  value !== null &&
  !(value instanceof Parameter) &&
  !(value instanceof Module) &&
  "params" in value;

/** The groups that an optimizer's first argument stands for. */
export function groupsOf<O extends object>(optimizer: string, params: OptimizerParams<O>): GroupOptions<O>[] {
  if (params instanceof Module || params instanceof Parameter) return [{ params } as GroupOptions<O>];
  if (typeof params !== "object" || params === null || !(Symbol.iterator in params))
    throw new ArgumentError(
      `${optimizer}: the first argument is ${describe(params)}; give a module, parameters, or groups of them`,
    );
  const items = [...(params as Iterable<unknown>)];
  if (items.length > 0 && items.every(isGroup)) return items as unknown as GroupOptions<O>[];
  return [{ params: items } as unknown as GroupOptions<O>];
}

/** The parameters of a source, each once. */
export function parametersOf(optimizer: string, source: ParamSource): Given[] {
  if (source instanceof Module)
    return source.namedParameters().map(([name, p]) => [{ name, module: source }, p]);
  if (source instanceof Parameter) return [[{ name: null, module: null }, source]];
  const found: Given[] = [];
  for (const item of source) {
    const pair: readonly unknown[] = Array.isArray(item) ? item : [null, item];
    const [name, parameter] = pair;
    if (!(parameter instanceof Parameter))
      throw new ArgumentError(
        `${optimizer}: one of the parameters is ${describe(parameter)}; only nn parameters can be optimized`,
      );
    found.push([{ name: typeof name === "string" ? name : null, module: null }, parameter]);
  }
  return found;
}

const describe = (value: unknown): string =>
  value === null
    ? "null"
    : typeof value === "object"
      ? (value.constructor?.name ?? "an object")
      : typeof value;
