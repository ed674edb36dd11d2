import { parseJson } from "../base/bounded-json.ts";
import { CheckpointError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import type { OptimizerStateDict } from "../optim/saved-state.ts";
import type { RandomState } from "../tensor/draws.ts";
import { Tensor } from "../tensor/tensor.ts";

/** What of a parameter was frozen: all of it, or the region at the indices (along `dim`; null: single elements). */
export type FrozenRecord = "all" | { dim: number | null; text: string; indices: Tensor };

/** What a checkpoint says beside the tensors of the module. */
export interface CheckpointRecord {
  format: 1;
  /** Which arithmetic the numbers come from: with another, the same steps may differ in last digits. */
  arithmetic: string;
  random: RandomState;
  /** That of each rank, where several have saved; \`random\` is rank 0's. */
  randomOf?: readonly RandomState[];
  /** By path. */
  frozen: Record<string, FrozenRecord>;
  /**
   * What the step that made the last update left as it was, whether it was set to be frozen or not: by path, with the
   * text of the region where that is not all. For whoever reads the file: nothing is done with it.
   */
  leftOut?: Record<string, string>;
  optimizer?: OptimizerStateDict & { name: string };
  /** What else took part, by the name under which it was saved. */
  states?: Record<string, StateRecord>;
  /** The tensors of the module that are not in the file, because they are in another one. */
  base?: BaseRecord;
}

/** The state of something that took part in a checkpoint. */
export interface StateRecord {
  /** What it calls itself, where it does: `AdamW`. */
  kind?: string;
  /** Whether it was between two calls of one update. */
  underWay?: boolean;
  state: unknown;
}

/** Where tensors are that a checkpoint refers to instead of holding them. */
export interface BaseRecord {
  /** The name of a file, index or folder; null: it was bytes. */
  name: string | null;
  /** The checksum of each tensor's bytes, by its path. */
  tensors: Record<string, string>;
}

/** JSON's values, and tensors. */
type Plain =
  | null
  | boolean
  | number
  | string
  | Tensor
  | readonly Plain[]
  | { readonly [name: string]: Plain };

/** Records are this deep at most; a deeper one is not ours. */
const maxDepth = 32;

/** The name of the one field of an object that stands for itself, though it looks as what stands for a tensor would. */
const literal = "=";

/**
 * A record as text, with its tensors put into `tensors`: an optimizer's are called `optimizer.`, the parameter and what
 * they are of it. Numbers come back to the bit: those that JSON does not have are written as `{"number": "NaN"}`. Throws
 * `CheckpointError` for what is no data.
 */
export function encodeRecord(record: CheckpointRecord, tensors: Map<string, Tensor>): string {
  const { frozen, optimizer, states, ...rest } = record;
  const { state, ...settings } = optimizer ?? {};
  const encoded = encoderInto(tensors);
  return JSON.stringify({
    ...rest,
    frozen: encoded(frozen as Plain, "frozen"),
    ...(optimizer && {
      optimizer: {
        ...(encoded(settings as Plain, "optimizer") as object),
        state: encoded(state as Plain, "optimizer"),
      },
    }),
    ...(states && {
      states: mapped(states, ({ state, ...about }, name) => ({
        ...about,
        state: encoded(state as Plain, name),
      })),
    }),
  });
}

/** Gives what turns values into what JSON has, with the tensors in them put into `tensors`, each once. */
function encoderInto(tensors: Map<string, Tensor>): (value: Plain, path: string) => Plain {
  const names = new Map<Tensor, string>();
  const nameOf = (tensor: Tensor, path: string): string => {
    let name = path;
    while (tensors.has(name)) name += "'";
    tensors.set(name, tensor);
    names.set(tensor, name);
    return name;
  };
  const encoded = (value: Plain, path: string, depth = maxDepth - 4): Plain => {
    if (value instanceof Tensor) return { tensor: names.get(value) ?? nameOf(value, path) };
    if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)))
      return { number: Object.is(value, -0) ? "-0" : String(value) };
    if (value === null || ["boolean", "number", "string"].includes(typeof value)) return value;
    if (depth === 0)
      throw new CheckpointError(`${path} cannot be saved: it is nested too deeply, or in itself`);
    if (Array.isArray(value)) return value.map((item, i) => encoded(item, `${path}.${i}`, depth - 1));
    if (typeof value !== "object" || ![Object.prototype, null].includes(Object.getPrototypeOf(value)))
      throw new CheckpointError(
        `${path} cannot be saved: it is ${described(value)}. A state is made of plain objects, arrays, numbers, text, booleans, null and tensors.`,
      );
    const fields = Object.entries(value as { [name: string]: Plain }).filter(
      ([, item]) => item !== undefined,
    );
    const plain = Object.fromEntries(
      fields.map(([name, item]) => [name, encoded(item, `${path}.${name}`, depth - 1)]),
    );
    return fields.length === 1 && ["tensor", "number", literal].includes(fields[0]![0])
      ? { [literal]: plain }
      : plain;
  };
  return encoded;
}

const described = (value: unknown): string =>
  typeof value === "object" ? `of class ${value!.constructor.name}` : `of type ${typeof value}`;

/** The record in a text, its tensors fetched by `tensor`; throws `CheckpointError` for what is none. */
export function decodeRecord(text: string, tensor: (name: string) => Tensor): CheckpointRecord {
  const decoded = (value: Plain, depth: number): Plain => {
    if (typeof value !== "object" || value === null) return value;
    if (depth === 0) throw broken("it is nested too deeply");
    if (Array.isArray(value)) return value.map((item) => decoded(item, depth - 1));
    const fields = value as { [name: string]: Plain };
    const names = Object.keys(fields);
    if (names.length === 1 && typeof fields.number === "string") return Number(fields.number);
    if (names.length === 1 && typeof fields.tensor === "string") return tensor(fields.tensor);
    if (names.length === 1 && isObject(fields[literal]))
      return mapped(fields[literal], (item) => decoded(item, depth - 1));
    return mapped(fields, (item) => decoded(item, depth - 1));
  };
  let value: Plain;
  try {
    value = parseJson(text) as Plain;
  } catch (cause) {
    throw broken(`it is not JSON that can be read: ${(cause as Error).message}`, cause);
  }
  const record = decoded(value, maxDepth);
  checkRecord(record);
  return record;
}

const broken = (problem: string, cause?: unknown): CheckpointError =>
  new CheckpointError(`The checkpoint's record is broken: ${printable(problem)}. Nothing was loaded.`, {
    cause,
  });

/** Whether a value has fields. */
const isObject = (value: unknown): value is { readonly [name: string]: Plain } =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Tensor);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Checks that a record has the form that the rest of the code relies on; whether its values fit is for that to say. */
function checkRecord(record: unknown): asserts record is CheckpointRecord {
  if (!isObject(record)) throw broken("it is not an object");
  if (record.format !== 1)
    throw broken(`it has format ${String(record.format)}, and this version of thaw reads format 1`);
  const { arithmetic, random, randomOf = [random], frozen, optimizer } = record;
  if (typeof arithmetic !== "string") throw broken("it does not say where it was made");
  if (!Array.isArray(randomOf) || randomOf.length === 0 || ![random, ...randomOf].every(isRandomState))
    throw broken("its random state is not two whole numbers");
  if (!isObject(frozen)) throw broken("it has no frozen set");
  for (const [path, what] of Object.entries(frozen))
    if (
      what !== "all" &&
      !(isObject(what) && isIndices(what.indices) && (what.dim === null || isCount(what.dim)))
    )
      throw broken(`what it says to be frozen of ${path} is neither all nor a region`);
  if (record.leftOut !== undefined && !isTextByName(record.leftOut))
    throw broken("it does not say what the last step left out");
  checkStates(record.states);
  checkBase(record.base);
  if (optimizer === undefined) return;
  if (!isObject(optimizer) || typeof optimizer.name !== "string" || !isObject(optimizer.state))
    throw broken("its optimizer has no name, or no state");
  for (const [key, state] of Object.entries(optimizer.state))
    if (!isObject(state) || !Object.entries(state).every(isStateEntry))
      throw broken(`the state of ${key} is not numbers and tensors by name`);
  const { paramGroups } = optimizer;
  if (!Array.isArray(paramGroups) || !paramGroups.every(isGroup))
    throw broken("its optimizer's groups do not say what parameters they have");
}

function checkStates(states: Plain | undefined): void {
  if (states === undefined) return;
  if (!isObject(states)) throw broken("its states are not by name");
  for (const [name, one] of Object.entries(states))
    if (
      !isObject(one) ||
      !Object.hasOwn(one, "state") ||
      !["string", "undefined"].includes(typeof one.kind) ||
      !["boolean", "undefined"].includes(typeof one.underWay)
    )
      throw broken(`what it has of ${name} is no state`);
}

function checkBase(base: Plain | undefined): void {
  if (base === undefined) return;
  // A name, not a path: a file must not say where on a machine to look.
  if (
    !isObject(base) ||
    !(base.name === null || (typeof base.name === "string" && /^(?!\.+$)[^/\\:\0]+$/.test(base.name)))
  )
    throw broken("what it refers to is not the name of a file beside it");
  if (
    !isObject(base.tensors) ||
    !Object.values(base.tensors).every((sum) => typeof sum === "string" && /^[0-9a-f]{8}$/.test(sum))
  )
    throw broken("it does not say which tensors are in another file");
}

const isRandomState = (state: Plain): boolean =>
  isObject(state) && Number.isSafeInteger(state.seed) && isCount(state.drawn);

const isTextByName = (value: unknown): boolean =>
  isObject(value) && Object.values(value).every((text) => typeof text === "string");

const isIndices = (value: unknown): boolean =>
  value instanceof Tensor && value.dtype === "i32" && value.ndim === 1;

const isStateEntry = ([name, value]: [string, Plain]): boolean =>
  /^[A-Za-z]\w*$/.test(name) && (typeof value === "number" || value instanceof Tensor);

const isGroup = (group: Plain): boolean =>
  isObject(group) &&
  Array.isArray(group.params) &&
  group.params.every((name) => typeof name === "string") &&
  (group.initialLr === undefined || typeof group.initialLr === "number");

/** An object with another value under each name; `__proto__` is a name like any other. */
function mapped<T, U>(fields: { readonly [name: string]: T }, change: (value: T, name: string) => U) {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, change(value, name)]));
}
