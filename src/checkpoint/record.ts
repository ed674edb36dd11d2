import { parseJson } from "../base/bounded-json.ts";
import { CheckpointError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import type { OptimizerStateDict } from "../optim/saved-state.ts";
import { Tensor } from "../tensor/tensor.ts";

/** The name under which a checkpoint has, as JSON in the file's metadata, what is not a tensor. */
export const recordName = "thaw";

/** What of a parameter was frozen: all of it, or the region at the indices (along `dim`; null: single elements). */
export type FrozenRecord = "all" | { dim: number | null; text: string; indices: Tensor };

/** What a checkpoint says beside the tensors of the module. */
export interface CheckpointRecord {
  format: 1;
  /** Which arithmetic the numbers come from: with another, the same steps may differ in last digits. */
  arithmetic: string;
  random: { seed: number; drawn: number };
  /** By path. */
  frozen: Record<string, FrozenRecord>;
  optimizer?: OptimizerStateDict & { name: string };
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
const maxDepth = 8;

/**
 * A record as text, with its tensors put into `tensors`: an optimizer's are called `optimizer.`, the parameter and what
 * they are of it. Numbers come back to the bit: those that JSON does not have are written as `{"number": "NaN"}`.
 */
export function encodeRecord(record: CheckpointRecord, tensors: Map<string, Tensor>): string {
  const { frozen, optimizer, ...rest } = record;
  const { state, ...settings } = optimizer ?? {};
  return JSON.stringify({
    ...rest,
    frozen: encoded(frozen as Plain, "frozen", tensors),
    ...(optimizer && {
      optimizer: {
        ...(encoded(settings as Plain, "optimizer", tensors) as object),
        state: encoded(state as Plain, "optimizer", tensors),
      },
    }),
  });
}

function encoded(value: Plain, path: string, tensors: Map<string, Tensor>): Plain {
  if (value instanceof Tensor) {
    let name = path;
    while (tensors.has(name)) name += "'";
    tensors.set(name, value);
    return { tensor: name };
  }
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)))
    return { number: Object.is(value, -0) ? "-0" : String(value) };
  if (Array.isArray(value)) return value.map((item, i) => encoded(item, `${path}.${i}`, tensors));
  if (typeof value !== "object" || value === null) return value;
  const fields = value as { [name: string]: Plain };
  return mapped(fields, (item, name) => encoded(item, `${path}.${name}`, tensors));
}

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
  const { arithmetic, random, frozen, optimizer } = record;
  if (typeof arithmetic !== "string") throw broken("it does not say where it was made");
  if (!isObject(random) || !Number.isSafeInteger(random.seed) || !isCount(random.drawn))
    throw broken("its random state is not two whole numbers");
  if (!isObject(frozen)) throw broken("it has no frozen set");
  for (const [path, what] of Object.entries(frozen))
    if (
      what !== "all" &&
      !(isObject(what) && isIndices(what.indices) && (what.dim === null || isCount(what.dim)))
    )
      throw broken(`what it says to be frozen of ${path} is neither all nor a region`);
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
