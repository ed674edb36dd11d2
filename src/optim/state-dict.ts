import type { TypedArray } from "../base/dtype.ts";
import { StateDictError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { refuseWhileRecording } from "../engine/trace.ts";
import { fromArray } from "../tensor/create.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { intersect, Region } from "../tensor/region.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { ParamGroup } from "./param-group.ts";
import { type Part, partShape } from "./part.ts";
import { makeTensor } from "./state.ts";
import { bitsFor, copyOf, StateTensor, stateDtype } from "./state-tensor.ts";
import type { States } from "./states.ts";

/** The options of a group, and the names of its parameters. */
export interface GroupStateDict {
  params: string[];
  initialLr?: number;
  [option: string]: unknown;
}

/**
 * An optimizer's state as data: by parameter name, numbers and tensors; and the groups. The state of a part has the
 * region's text after the name, with `dim` (-1: single elements) and `indices` to say what it is the state of. `idle`
 * counts the updates since a state's last step, `thawedAt` is the step count from which a rate rises again.
 */
export interface OptimizerStateDict {
  state: Record<string, Record<string, number | Tensor>>;
  paramGroups: GroupStateDict[];
  /** Updates carried out so far. */
  updates?: number;
}

type Groups = readonly ParamGroup<object>[];

/** Copies of all state. */
export function optimizerState(
  groups: Groups,
  named: ReadonlyMap<string, Parameter>,
  states: States,
  optionNames: readonly string[],
): OptimizerStateDict {
  refuseWhileRecording("stateDict()");
  const state: OptimizerStateDict["state"] = {};
  for (const [name, p] of named)
    for (const part of states.of(p))
      if (!part.dropped) state[keyOf(name, part, state)] = entriesOf(part, states);
  const nameOf = new Map([...named].map(([name, p]) => [p, name]));
  const paramGroups = groups.map((group) => {
    const options = Object.fromEntries(
      optionNames.map((option) => [option, copyOption(group[option as never])]),
    );
    const start = group.initialLr === undefined ? {} : { initialLr: group.initialLr };
    return { ...options, ...start, params: group.params.map((p) => nameOf.get(p)!) };
  });
  return { state, paramGroups, updates: states.updates };
}

/** Names a part among those that have been named. */
function keyOf(name: string, { region }: Part, taken: object): string {
  if (region === null) return name;
  const key = name + region.text;
  let i = 2;
  let free = key;
  while (free in taken) free = `${key}#${i++}`;
  return free;
}

/** What there is to know of a part, copied. */
function entriesOf(
  { region, state, lastUpdate, thawedAt }: Part,
  states: States,
): Record<string, number | Tensor> {
  const entries: Record<string, number | Tensor> = {};
  for (const [name, value] of Object.entries(state))
    entries[name] = typeof value === "number" ? value : copyOf(value);
  if (region !== null) {
    entries.dim = region.dim ?? -1;
    entries.indices = fromArray(region.indices, [region.indices.length], { dtype: "i32" });
  }
  const idle = states.updates - lastUpdate;
  if (idle > 0) entries.idle = idle;
  if (thawedAt >= 0) entries.thawedAt = thawedAt;
  return entries;
}

const copyOption = (value: unknown): unknown => (Array.isArray(value) ? [...value] : value);

/** What loading needs to know of an optimizer. */
export interface LoadTarget {
  readonly optimizer: string;
  readonly groups: Groups;
  readonly named: ReadonlyMap<string, Parameter>;
  readonly states: States;
  readonly optionNames: readonly string[];
  readonly problemOf: (option: string, value: unknown) => string | null;
  readonly makePart: (p: Parameter, group: ParamGroup<object>, region: Region | null) => Part;
}

/** Checks a state dict against an optimizer; gives what puts it in place of what is there, which cannot fail. */
export function prepareOptimizerState(dict: OptimizerStateDict, target: LoadTarget): () => void {
  refuseWhileRecording("loadStateDict()");
  const wrong = [...wrongGroups(dict, target), ...wrongStates(dict, target)];
  if (wrong.length > 0)
    throw new StateDictError(
      `loadStateDict: the state dict does not fit this ${target.optimizer}; nothing was loaded.\n  ${wrong.join("\n  ")}`,
    );
  const bits = bitsOfStates(dict, target);
  return () => putOptimizerState(dict, bits, target);
}

/** The elements of each tensor of a state dict, by its key and entry, as the states here have them. */
function bitsOfStates(dict: OptimizerStateDict, { named }: LoadTarget): Map<string, TypedArray> {
  const bits = new Map<string, TypedArray>();
  for (const [key, given] of Object.entries(dict.state)) {
    const p = named.get(nameOf(key, named))!;
    const shape = partShape(p, regionOf(p, given));
    for (const [entry, value] of Object.entries(given))
      if (value instanceof Tensor && !about.has(entry))
        bits.set(`${key} ${entry}`, bitsFor(value, { shape, dtype: stateDtype(p) }));
  }
  return bits;
}

function putOptimizerState(
  dict: OptimizerStateDict,
  bits: ReadonlyMap<string, TypedArray>,
  target: LoadTarget,
): void {
  for (const [i, group] of target.groups.entries()) {
    const { params: _, ...options } = dict.paramGroups[i]!;
    for (const [option, value] of Object.entries(options))
      (group as Record<string, unknown>)[option] = copyOption(value);
  }
  target.states.updates = dict.updates ?? 0;
  const before = new Map([...target.named.values()].map((p) => [p, [...target.states.of(p)]]));
  for (const p of target.named.values()) target.states.clear(p);
  for (const [key, given] of Object.entries(dict.state)) loadState(target, before, key, given, bits);
  for (const parts of before.values()) for (const part of parts) part.offloaded?.discard();
}

/** The name in a key: all of it, or what stands before a region. */
const nameOf = (key: string, named: ReadonlyMap<string, Parameter>): string =>
  named.has(key) ? key : key.slice(0, Math.max(0, key.search(/[[(]/)));

/** Entries of a state dict that are not the state's own. */
const about = new Set(["dim", "indices", "idle", "thawedAt"]);

function loadState(
  { groups, named, states, makePart }: LoadTarget,
  before: ReadonlyMap<Parameter, readonly Part[]>,
  key: string,
  given: Record<string, number | Tensor>,
  bits: ReadonlyMap<string, TypedArray>,
): void {
  const p = named.get(nameOf(key, named))!;
  const region = regionOf(p, given);
  const old = before.get(p)!.find((part) => part.region === region && part.offloaded === null);
  const part = makePart(p, groups.find((g) => g.params.includes(p))!, region);
  for (const [entry, value] of Object.entries(given)) {
    if (about.has(entry)) continue;
    if (typeof value === "number") part.state[entry] = value;
    else {
      const held = old?.state[entry];
      // The same memory where there is some: recorded steps write there.
      const tensor = held instanceof StateTensor ? held : makeTensor(p, region, entry, 0);
      tensor.resident.storage.overwrite(bits.get(`${key} ${entry}`)!);
      part.state[entry] = tensor;
    }
  }
  part.lastUpdate = states.updates - ((given.idle as number | undefined) ?? 0);
  part.thawedAt = (given.thawedAt as number | undefined) ?? -1;
  states.add(part);
}

/** What the state of a state dict belongs to. */
function regionOf(p: Parameter, { dim, indices }: Record<string, number | Tensor>): Region | null {
  if (indices === undefined) return null;
  const at = (indices as Tensor).dataSync() as Int32Array;
  return dim === -1 ? Region.elements(p.shape, at) : Region.along(p.shape, dim as number, at);
}

function wrongGroups(
  dict: OptimizerStateDict,
  { groups, named, optionNames, problemOf }: LoadTarget,
): string[] {
  if (!Array.isArray(dict.paramGroups) || typeof dict.state !== "object" || dict.state === null)
    return ["it is not the state dict of an optimizer: it has no paramGroups, or no state"];
  if (dict.updates !== undefined && !(Number.isInteger(dict.updates) && dict.updates >= 0))
    return [`its updates are ${String(dict.updates)}, not a whole number of at least 0`];
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
  const regions = new Map<Parameter, (Region | null)[]>();
  for (const [key, given] of Object.entries(dict.state ?? {})) {
    const p = named.get(nameOf(key, named));
    if (p === undefined) {
      wrong.push(`there is state for ${key}, which the optimizer does not have`);
      continue;
    }
    for (const [entry, value] of Object.entries(given))
      if (typeof value === "number" ? !Number.isFinite(value) : !(value instanceof Tensor))
        wrong.push(`${entry} of ${key} is ${String(value)}, not a tensor or a finite number`);
    if (typeof given.step !== "number") wrong.push(`the state of ${key} has no step count`);
    const region = wrongRegion(p, key, given, wrong);
    if (region === undefined) continue;
    const others = regions.get(p) ?? [];
    if (others.some((other) => !intersect(other, region)?.isEmpty))
      wrong.push(`the state of ${key} is of elements that another state is of as well`);
    regions.set(p, [...others, region]);
    const shape = partShape(p, region);
    for (const [entry, value] of Object.entries(given))
      if (!about.has(entry) && value instanceof Tensor && !sameShape(value.shape, shape))
        wrong.push(
          `${entry} of ${key} has shape ${shapeText(value.shape)}, the ${region === null ? "parameter" : "region"} ${shapeText(shape)}`,
        );
  }
  return wrong;
}

/** What a state belongs to; undefined, with the reason in `wrong`, where that cannot be. */
function wrongRegion(
  p: Parameter,
  key: string,
  given: Record<string, number | Tensor>,
  wrong: string[],
): Region | null | undefined {
  const { dim, indices } = given;
  if (indices === undefined && dim === undefined) return null;
  if (!(indices instanceof Tensor) || indices.dtype !== "i32" || typeof dim !== "number")
    wrong.push(`the state of ${key} has no dim, or no i32 indices, to say what it is of`);
  else
    try {
      return regionOf(p, given);
    } catch (error) {
      wrong.push(`the state of ${key} is of no region of the parameter: ${(error as Error).message}`);
    }
  return undefined;
}
