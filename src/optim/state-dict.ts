import type { TypedArray } from "../base/dtype.ts";
import { StateDictError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { type Shape, sameShape, shapeText } from "../base/shape.ts";
import { refuseWhileRecording } from "../engine/trace.ts";
import { fromArray } from "../tensor/create.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { intersect, Region } from "../tensor/region.ts";
import { Tensor } from "../tensor/tensor.ts";
import { matchStateDict, rememberParameters, type StateDictMatch } from "./match-state-dict.ts";
import { isOn, type ParamGroup, steer } from "./param-group.ts";
import { isFormer } from "./parameter-names.ts";
import { type Part, partShape } from "./part.ts";
import type { GroupStateDict, LoadTarget, OptimizerStateDict, StateOwner } from "./saved-state.ts";
import { addTensors, makeTensor, stateShape } from "./state.ts";
import { bitsFor, copyOf, type ResidentState, StateTensor, stateDtype } from "./state-tensor.ts";
import { isSteered, noteLoadedRates } from "./steering.ts";
import type { AnyTransform } from "./transform.ts";
import { translateState } from "./translate-state.ts";

/** All state; `live`: in the tensors that hold it, where they are in memory, and not in copies. */
export function optimizerState(owner: StateOwner, live: boolean): OptimizerStateDict {
  refuseWhileRecording("stateDict()");
  const { groups, names, states, optionNames } = owner;
  const state: OptimizerStateDict["state"] = {};
  const nameOf = new Map([...names.own].map(([name, p]) => [p, name]));
  for (const group of groups)
    for (const p of group.params)
      for (const part of states.of(p))
        if (!part.dropped) state[keyOf(nameOf.get(p)!, part, state)] = entriesOf(part, group, owner, live);
  const paramGroups = groups.map((group) => {
    const options = Object.fromEntries(
      optionNames.map((option) => [option, copyOption(group[option as never])]),
    );
    const start = group.initialLr === undefined ? {} : { initialLr: group.initialLr };
    return { ...options, ...start, params: group.params.map((p) => nameOf.get(p)!) };
  });
  const tied = Object.fromEntries([...names.tied].map(([path, p]) => [path, nameOf.get(p)!]));
  const places = Object.fromEntries([...names.places].map((name) => [name, [...names.own.get(name)!.shape]]));
  const dict: OptimizerStateDict = {
    name: owner.optimizer,
    state,
    paramGroups,
    updates: states.updates,
    scheduled: isSteered(groups),
    ...(names.tied.size > 0 && { tied }),
    ...(names.places.size > 0 && { places }),
  };
  rememberParameters(dict, names.own);
  return dict;
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

/** The numbers and tensors of a part's state, copied unless `live`; with the tensors that its next step would add. */
function valuesOf(
  part: Part,
  group: ParamGroup<object>,
  chain: StateOwner["chain"],
  live: boolean,
): Record<string, number | Tensor> {
  const { offloaded } = part;
  const lost = offloaded?.lost;
  const state = { ...part.state } as ResidentState;
  addTensors({ ...part, state }, chain, group, (option) => isOn(group[option as never]));
  const values = Object.fromEntries(
    Object.entries(state).map(([name, value]) => [
      name,
      // What is offloaded is brought for a copy: reading it later may find that it is lost.
      typeof value === "number" || (live && offloaded === null) ? value : copyOf(value),
    ]),
  );
  // One of its tensors could not be had back, so the state has started anew: what was copied before that is none of it.
  return offloaded?.lost === lost ? values : valuesOf(part, group, chain, live);
}

/** What there is to know of a part, copied unless `live`. */
function entriesOf(
  part: Part,
  group: ParamGroup<object>,
  { states, chain }: StateOwner,
  live: boolean,
): Record<string, number | Tensor> {
  const { region, lastUpdate, thawedAt } = part;
  const entries = valuesOf(part, group, chain, live);
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

/** Checks a state dict against an optimizer; gives what puts it in place of what is there, which cannot fail. */
export function prepareOptimizerState(given: OptimizerStateDict, target: LoadTarget): () => void {
  refuseWhileRecording("loadStateDict()");
  const refuse = (wrong: readonly string[]): void => {
    if (wrong.length > 0)
      throw new StateDictError(
        `loadStateDict: the state dict does not fit this ${target.optimizer}; nothing was loaded.\n  ${wrong.map(printable).join("\n  ")}`,
      );
  };
  refuse(wrongForm(given, target));
  const dict = target.path === undefined ? given : translateState(given, target.path);
  const match = matchStateDict(dict, target);
  refuse([...match.wrong, ...wrongOptions(match.groups, target), ...wrongStates(dict, match, target)]);
  const bits = bitsOfStates(dict, match, target);
  return () => putOptimizerState(dict, match, bits, target);
}

/** The elements of each tensor of a state dict, by its key and entry, as the states here have them. */
function bitsOfStates(
  dict: OptimizerStateDict,
  { parameters }: StateDictMatch,
  { chain }: LoadTarget,
): Map<string, TypedArray> {
  const bits = new Map<string, TypedArray>();
  for (const [key, given] of Object.entries(dict.state)) {
    const p = parameters.get(nameIn(key, parameters));
    if (p === undefined) continue;
    const whole = partShape(p, regionOf(p, given));
    for (const [entry, value] of Object.entries(given))
      if (value instanceof Tensor && !about.has(entry)) {
        const shape = stateShape(chain, entry, whole);
        bits.set(`${key} ${entry}`, bitsFor(value, { shape, dtype: stateDtype(p) }));
      }
  }
  return bits;
}

function putOptimizerState(
  dict: OptimizerStateDict,
  match: StateDictMatch,
  bits: ReadonlyMap<string, TypedArray>,
  target: LoadTarget,
): void {
  const { groups, names, states } = target;
  const rates = (): unknown => groups.map((group) => (group as { lr?: number }).lr).join();
  const ratesBefore = rates();
  for (const [i, group] of match.groups.entries()) {
    const { params: _, initialLr, ...values } = group ?? { params: [] };
    for (const [option, value] of Object.entries(values)) steer(groups[i]!, option, copyOption(value));
    if (initialLr !== undefined) groups[i]!.initialLr = initialLr;
  }
  const hasFirstRates = dict.paramGroups.some(({ initialLr }) => initialLr !== undefined);
  // What was saved by an earlier version, or by PyTorch, does not say whether a schedule had taken a step.
  const isSteered = dict.scheduled ?? (hasFirstRates && rates() !== ratesBefore);
  noteLoadedRates(groups, { hadSchedule: isSteered || hasFirstRates, isSteered });
  const all = [...names.own.values()];
  const before = new Map(all.map((p) => [p, [...states.of(p)]]));
  states.updates = dict.updates ?? 0;
  for (const p of all) states.clear(p);
  for (const [key, given] of Object.entries(dict.state)) loadState(target, match, before, key, given, bits);
  for (const parts of before.values()) for (const part of parts) part.offloaded?.discard();
}

/** The name in a key: all of it, or what stands before a region. */
const nameIn = (key: string, known: { has(name: string): boolean }): string =>
  known.has(key) ? key : key.slice(0, Math.max(0, key.search(/[[(]/))) || key;

/** Entries of a state dict that are not the state's own. */
const about = new Set(["dim", "indices", "idle", "thawedAt"]);

function loadState(
  { groups, states, makePart, chain }: LoadTarget,
  { parameters }: StateDictMatch,
  before: ReadonlyMap<Parameter, readonly Part[]>,
  key: string,
  given: Record<string, number | Tensor>,
  bits: ReadonlyMap<string, TypedArray>,
): void {
  const p = parameters.get(nameIn(key, parameters));
  // Its module no longer held it when it was saved, and does not hold it here.
  if (p === undefined) return;
  const region = regionOf(p, given);
  const old = before.get(p)!.find((part) => part.region === region && part.offloaded === null);
  const part = makePart(p, groups.find((g) => g.params.includes(p))!, region);
  for (const [entry, value] of Object.entries(given)) {
    if (about.has(entry)) continue;
    if (typeof value === "number") part.state[entry] = value;
    else {
      const held = old?.state[entry];
      // The same memory where there is some: recorded steps write there.
      const shape = stateShape(chain, entry, partShape(p, region));
      const tensor = held instanceof StateTensor ? held : makeTensor(p, region, entry, shape, 0);
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

/** Whether something is an object of fields. */
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function wrongForm(dict: OptimizerStateDict, { optimizer }: LoadTarget): string[] {
  if (!isRecord(dict) || !Array.isArray(dict.paramGroups) || !isRecord(dict.state))
    return ["it is not the state dict of an optimizer: it has no paramGroups, or no state"];
  if (dict.name !== undefined && dict.name !== optimizer) return [`it is the state of ${String(dict.name)}`];
  if (dict.scheduled !== undefined && typeof dict.scheduled !== "boolean")
    return [`whether it is scheduled is ${String(dict.scheduled)}, neither true nor false`];
  if (dict.updates !== undefined && !(Number.isInteger(dict.updates) && dict.updates >= 0))
    return [`its updates are ${String(dict.updates)}, not a whole number of at least 0`];
  const names = dict.paramGroups.map((group) => (isRecord(group) ? group.params : undefined));
  if (!names.every((params) => Array.isArray(params) && params.every((name) => typeof name === "string")))
    return ["one of its groups does not say which parameters it has"];
  const twice = names.flat().find((name, i, all) => all.indexOf(name) !== i);
  return twice === undefined ? [] : [`it has ${twice} twice`];
}

function wrongOptions(groups: StateDictMatch["groups"], { optionNames, problemOf }: LoadTarget): string[] {
  const wrong: string[] = [];
  for (const [i, group] of groups.entries()) {
    if (group === undefined) continue;
    const { params: _, initialLr, ...options } = group;
    if (initialLr !== undefined && !Number.isFinite(initialLr))
      wrong.push(`group ${i}: initialLr is ${String(initialLr)}; it must be a number`);
    const unknown = Object.keys(options).filter((option) => !optionNames.includes(option));
    if (unknown.length > 0) wrong.push(`group ${i} has options of another optimizer: ${unknown.join(", ")}`);
    const missing = optionNames.filter((option) => options[option] === undefined);
    if (missing.length > 0) wrong.push(`group ${i} does not say ${missing.join(", ")}`);
    for (const option of optionNames) {
      // A schedule's factor may have made its rate a negative one.
      const steered = option === "lr" && initialLr !== undefined && Number.isFinite(options.lr);
      const problem = options[option] === undefined || steered ? null : problemOf(option, options[option]);
      if (problem !== null) wrong.push(`group ${i}: ${problem}`);
    }
  }
  return wrong;
}

/** What is wrong with the entries of one state: of a kind that cannot be, too many, or too few. */
function wrongEntries(
  key: string,
  given: Record<string, number | Tensor>,
  chain: readonly AnyTransform<object>[],
  group: GroupStateDict | undefined,
  shape: Shape,
): string[] {
  const tensorsOf = (on: (option: string) => boolean): string[] =>
    chain.flatMap((transform) => [...(transform.tensors?.(on as never, shape) ?? [])]);
  const numbers = chain.flatMap((transform) =>
    Object.keys(transform.numbers?.((group ?? {}) as never) ?? {}),
  );
  const tensors = new Set([...tensorsOf(() => true), ...tensorsOf(() => false)]);
  const needed = tensorsOf((option) => isOn(group?.[option]));
  const wrong: string[] = [];
  for (const [entry, value] of Object.entries(given))
    if (typeof value === "number" ? !Number.isFinite(value) : !(value instanceof Tensor))
      wrong.push(`${entry} of ${key} is ${String(value)}, not a tensor or a finite number`);
    else if (!about.has(entry) && entry !== "step" && !numbers.includes(entry) && !tensors.has(entry))
      wrong.push(`the state of ${key} has ${entry}, which is none of this optimizer's`);
    else if (tensors.has(entry) !== value instanceof Tensor && !about.has(entry))
      wrong.push(`${entry} of ${key} is ${tensors.has(entry) ? "a number" : "a tensor"}, and should not be`);
  if (typeof given.step !== "number") wrong.push(`the state of ${key} has no step count`);
  else if (Number.isFinite(given.step) && !(Number.isInteger(given.step) && given.step >= 0))
    wrong.push(`step of ${key} is ${given.step}, not a whole number of at least 0`);
  const missing = [...needed, ...numbers].filter((entry) => given[entry] === undefined);
  if (missing.length > 0) wrong.push(`the state of ${key} is cut short: it has no ${missing.join(", ")}`);
  return wrong;
}

function wrongStates(
  dict: OptimizerStateDict,
  { parameters }: StateDictMatch,
  { chain }: LoadTarget,
): string[] {
  const wrong: string[] = [];
  const regions = new Map<Parameter, (Region | null)[]>();
  const groupOf = new Map(dict.paramGroups.flatMap((group) => group.params.map((name) => [name, group])));
  for (const [key, given] of Object.entries(dict.state)) {
    const name = nameIn(key, groupOf);
    const p = parameters.get(name);
    if (p === undefined) {
      if (!isFormer(name)) wrong.push(`there is state for ${key}, which the optimizer does not have`);
      continue;
    }
    if (!isRecord(given)) {
      wrong.push(`the state of ${key} is ${String(given)}`);
      continue;
    }
    const elsewhere: string[] = [];
    const region = wrongRegion(p, key, given, elsewhere);
    const shape = partShape(p, region ?? null);
    wrong.push(...wrongEntries(key, given, chain, groupOf.get(name), shape), ...elsewhere);
    if (region === undefined) continue;
    const others = regions.get(p) ?? [];
    if (others.some((other) => !intersect(other, region)?.isEmpty))
      wrong.push(`the state of ${key} is of elements that another state is of as well`);
    regions.set(p, [...others, region]);
    for (const [entry, value] of Object.entries(given)) {
      const own = stateShape(chain, entry, shape);
      if (!about.has(entry) && value instanceof Tensor && !sameShape(value.shape, own))
        wrong.push(
          own === shape
            ? `${entry} of ${key} has shape ${shapeText(value.shape)}, the ${region === null ? "parameter" : "region"} ${shapeText(shape)}`
            : `${entry} of ${key} has shape ${shapeText(value.shape)}; of a value of ${shapeText(shape)} it has ${shapeText(own)}`,
        );
    }
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
