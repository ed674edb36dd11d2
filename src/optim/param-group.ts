import { ArgumentError } from "../base/errors.ts";
import { type OptionCheck, optionProblem, refuseUnknownOptions } from "../base/options.ts";
import type { Shape } from "../base/shape.ts";
import { Cell } from "../engine/cell.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";
import type { AnyTransform } from "./transform.ts";

/** What an optimizer is: its options, and the chain of transforms that makes its update. */
export interface OptimizerDefinition<O extends object> {
  readonly name: string;
  readonly defaults: Readonly<O>;
  readonly checks: { readonly [K in keyof O]?: OptionCheck };
  /** What is wrong between the options an optimizer is made with, or null; as in PyTorch, groups may differ. */
  readonly conflict?: (options: O) => string | null;
  readonly chain: readonly AnyTransform<O>[];
  /** Whether state exists from construction on (Adagrad's does). */
  readonly stateFromStart?: boolean;
  /** Options whose values decide which nodes an update is made of, so that another value is another recording. */
  readonly structural?: readonly (keyof O & string)[];
  /** Why a parameter of a shape, or a region of one, cannot be updated, with the remedy; null: it can. */
  readonly refuses?: (shape: Shape, region: Region | null) => string | null;
}

/**
 * Parameters with their options. An option can be set at any time: `optimizer.paramGroups[0].lr = 0.01`. Numbers are
 * read anew at every step, so that changing one never records a captured step again; flags, and numbers that become
 * zero or cease to be, do.
 */
export type ParamGroup<O extends object> = O & {
  readonly params: readonly Parameter[];
  /** The rate that a schedule started from. */
  initialLr?: number;
};

/** What is behind the options of a group. */
interface Options {
  readonly values: Record<string, unknown>;
  /** Whether each is on, or what it is where that is structural, for the recordings that depend on it. */
  readonly switches: Map<string, Cell<unknown>>;
  readonly structural: ReadonlySet<string>;
}

const optionsOf = new WeakMap<object, Options>();

/** Whether an option switches something on: a flag that is true, a number that is not zero. */
export const isOn = (value: unknown): boolean => value !== false && value !== 0;

/** A group whose options are checked when they are set. */
export function makeParamGroup<O extends object>(
  definition: OptimizerDefinition<O>,
  params: readonly Parameter[],
  options: Partial<O>,
): ParamGroup<O> {
  const known = Object.keys(definition.defaults);
  refuseUnknownOptions(definition.name, options, known);
  const values: Record<string, unknown> = { ...definition.defaults };
  for (const [name, value] of Object.entries(options)) if (value !== undefined) values[name] = value;
  for (const name of known) values[name] = unchanging(values[name]);
  const check = (name: string, value: unknown): void => {
    const problem = optionProblem(name, value, definition.checks[name as keyof O]);
    if (problem !== null) throw new ArgumentError(`${definition.name}: ${problem}`);
  };
  // There is a place for `initialLr`, and for nothing else: a name that is misspelt would be an option without effect.
  const group = { params, initialLr: undefined } as Record<string, unknown>;
  const cells = new Map<string, Cell<unknown>>();
  const structural = new Set<string>(definition.structural);
  const structureOf = (name: string, value: unknown): unknown => (structural.has(name) ? value : isOn(value));
  for (const name of known) {
    check(name, values[name]);
    const cell = new Cell(structureOf(name, values[name]));
    cells.set(name, cell);
    Object.defineProperty(group, name, {
      enumerable: true,
      get: () => values[name],
      set: (value: unknown) => {
        check(name, value);
        values[name] = unchanging(value);
        cell.value = structureOf(name, value);
      },
    });
  }
  Object.preventExtensions(group);
  optionsOf.set(group, { values, switches: cells, structural });
  return group as ParamGroup<O>;
}

/** An option of several numbers as PyTorch's tuple: another is set as a whole, which is checked, or not at all. */
const unchanging = (value: unknown): unknown =>
  Array.isArray(value) && !Object.isFrozen(value) ? Object.freeze([...value]) : value;

/** Whether an option of a group is on, as part of the key of a recorded step. */
export const isSwitchedOn = (group: object, option: string): boolean =>
  isOn(optionsOf.get(group)!.switches.get(option)!.value);

/** What a structural option of a group is, as part of the key of a recorded step. */
export const structuralOption = (group: object, option: string): unknown =>
  optionsOf.get(group)!.switches.get(option)!.value;

/**
 * Sets a group's option to what a schedule makes of it. What a constructor checks is not asked again: as in PyTorch, a
 * negative factor makes a negative rate.
 */
export function steer(group: object, option: string, value: unknown): void {
  const own = optionsOf.get(group);
  if (own === undefined) {
    (group as Record<string, unknown>)[option] = value;
    return;
  }
  own.values[option] = unchanging(value);
  own.switches.get(option)!.value = own.structural.has(option) ? value : isOn(value);
}
