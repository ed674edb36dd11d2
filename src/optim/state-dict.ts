import { StateDictError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { commit } from "../engine/realize.ts";
import { refuseWhileRecording } from "../engine/trace.ts";
import { fromArray } from "../tensor/create.ts";
import { like } from "../tensor/operations/elementwise.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { ParamGroup } from "./param-group.ts";
import { makeTensor, type ParameterState, StateTensor } from "./state.ts";

/** The options of a group, and the names of its parameters. */
export interface GroupStateDict {
  params: string[];
  initialLr?: number;
  [option: string]: unknown;
}

/** An optimizer's state as data: by parameter name, numbers and tensors; and the groups. */
export interface OptimizerStateDict {
  state: Record<string, Record<string, number | Tensor>>;
  paramGroups: GroupStateDict[];
}

type Groups = readonly ParamGroup<object>[];

/** Copies of all state. */
export function optimizerState(
  groups: Groups,
  named: ReadonlyMap<string, Parameter>,
  states: ReadonlyMap<Parameter, ParameterState>,
  optionNames: readonly string[],
): OptimizerStateDict {
  refuseWhileRecording("stateDict()");
  const state: OptimizerStateDict["state"] = {};
  for (const [name, p] of named) {
    const own = states.get(p);
    if (own !== undefined)
      state[name] = Object.fromEntries(
        Object.entries(own).map(([key, value]) => [key, typeof value === "number" ? value : copyOf(value)]),
      );
  }
  const nameOf = new Map([...named].map(([name, p]) => [p, name]));
  const paramGroups = groups.map((group) => {
    const options = Object.fromEntries(
      optionNames.map((option) => [option, copyOption(group[option as never])]),
    );
    const start = group.initialLr === undefined ? {} : { initialLr: group.initialLr };
    return { ...options, ...start, params: group.params.map((p) => nameOf.get(p)!) };
  });
  return { state, paramGroups };
}

const copyOf = (value: Tensor): Tensor => fromArray(value.dataSync(), value.shape, { dtype: value.dtype });
const copyOption = (value: unknown): unknown => (Array.isArray(value) ? [...value] : value);

/** What loading needs to know of an optimizer. */
export interface LoadTarget {
  readonly optimizer: string;
  readonly groups: Groups;
  readonly named: ReadonlyMap<string, Parameter>;
  readonly states: Map<Parameter, ParameterState>;
  readonly optionNames: readonly string[];
  readonly problemOf: (option: string, value: unknown) => string | null;
  readonly makeState: (group: ParamGroup<object>) => ParameterState;
}

/** Checks a state dict against an optimizer, then puts it in place of what is there. */
export function loadOptimizerState(dict: OptimizerStateDict, target: LoadTarget): void {
  refuseWhileRecording("loadStateDict()");
  const wrong = [...wrongGroups(dict, target), ...wrongStates(dict, target)];
  if (wrong.length > 0)
    throw new StateDictError(
      `loadStateDict: the state dict does not fit this ${target.optimizer}; nothing was loaded.\n  ${wrong.join("\n  ")}`,
    );
  for (const [i, group] of target.groups.entries()) {
    const { params: _, ...options } = dict.paramGroups[i]!;
    for (const [option, value] of Object.entries(options))
      (group as Record<string, unknown>)[option] = copyOption(value);
    for (const p of group.params) if (!Object.hasOwn(dict.state, nameIn(target, p))) target.states.delete(p);
  }
  for (const [name, given] of Object.entries(dict.state)) loadState(target, target.named.get(name)!, given);
  commit();
}

const nameIn = (target: LoadTarget, p: Parameter): string => {
  for (const [name, other] of target.named) if (other === p) return name;
  return "";
};

function loadState(target: LoadTarget, p: Parameter, given: Record<string, number | Tensor>): void {
  const group = target.groups.find((g) => g.params.includes(p))!;
  const before = target.states.get(p);
  const state = target.makeState(group);
  for (const [key, value] of Object.entries(given)) {
    if (typeof value === "number") state[key] = value;
    else {
      const held = before?.[key];
      // The same memory where there is some: recorded steps write there.
      const tensor = held instanceof StateTensor ? held : makeTensor(p, key, 0);
      tensor.resident.assign(like(value.detach().node, tensor.shape, tensor.dtype, "loadStateDict"));
      state[key] = tensor;
    }
  }
  target.states.set(p, state);
}

function wrongGroups(
  dict: OptimizerStateDict,
  { groups, named, optionNames, problemOf }: LoadTarget,
): string[] {
  if (!Array.isArray(dict.paramGroups) || typeof dict.state !== "object" || dict.state === null)
    return ["it is not the state dict of an optimizer: it has no paramGroups, or no state"];
  if (dict.paramGroups.length !== groups.length)
    return [`it has ${dict.paramGroups.length} parameter groups, the optimizer ${groups.length}`];
  const nameOf = new Map([...named].map(([name, p]) => [p, name]));
  const wrong: string[] = [];
  for (const [i, group] of groups.entries()) {
    const { params, initialLr: _, ...options } = dict.paramGroups[i]!;
    const mine = new Set(group.params.map((p) => nameOf.get(p)!));
    const theirs = new Set(params);
    const missing = [...mine].filter((name) => !theirs.has(name));
    const extra = [...theirs].filter((name) => !mine.has(name));
    if (missing.length > 0) wrong.push(`group ${i} lacks ${missing.join(", ")}`);
    if (extra.length > 0) wrong.push(`group ${i} has ${extra.join(", ")}, which the optimizer's has not`);
    const unknown = Object.keys(options).filter((option) => !optionNames.includes(option));
    if (unknown.length > 0) wrong.push(`group ${i} has options of another optimizer: ${unknown.join(", ")}`);
    for (const option of optionNames) {
      const problem = Object.hasOwn(options, option) ? problemOf(option, options[option]) : null;
      if (problem !== null) wrong.push(`group ${i}: ${problem}`);
    }
  }
  return wrong;
}

function wrongStates(dict: OptimizerStateDict, { named }: LoadTarget): string[] {
  const wrong: string[] = [];
  for (const [name, given] of Object.entries(dict.state ?? {})) {
    const p = named.get(name);
    if (p === undefined) wrong.push(`there is state for ${name}, which the optimizer does not have`);
    else
      for (const [key, value] of Object.entries(given)) {
        if (typeof value === "number" ? !Number.isFinite(value) : !(value instanceof Tensor))
          wrong.push(`${key} of ${name} is ${String(value)}, not a tensor or a finite number`);
        else if (value instanceof Tensor && !sameShape(value.shape, p.shape))
          wrong.push(
            `${key} of ${name} has shape ${shapeText(value.shape)}, the parameter ${shapeText(p.shape)}`,
          );
      }
    if (typeof given.step !== "number") wrong.push(`the state of ${name} has no step count`);
  }
  return wrong;
}
