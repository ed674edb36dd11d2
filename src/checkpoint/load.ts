import { CheckpointError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { commit } from "../engine/realize.ts";
import { bytesOf } from "../engine/storage.ts";
import { currentTrace, refuseWhileRecording } from "../engine/trace.ts";
import { bitsOf } from "../nn/bits.ts";
import { type Described, type MatchOptions, pathIn } from "../nn/compare-state.ts";
import { checkMatchOptions, type IncompatibleKeys, matchState } from "../nn/match-state.ts";
import type { Module } from "../nn/module.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { setRandomState } from "../tensor/random.ts";
import { Region } from "../tensor/region.ts";
import type { Stored } from "../tensor/stored.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { arithmetic } from "./arithmetic.ts";
import { held, integers } from "./dtypes.ts";
import { bytesSource, openTensors, type TensorSource } from "./open.ts";
import { readTensor } from "./read.ts";
import { type CheckpointRecord, decodeRecord, type FrozenRecord, recordName } from "./record.ts";
import type { SavedOptimizer } from "./save.ts";
import { translateRecord } from "./translate-record.ts";

/** What a checkpoint is loaded into; `prefix` and `rename` hold for the optimizer's state and the frozen set too. */
export interface LoadOptions extends MatchOptions {
  module: Module;
  /** Goes on from the checkpoint, if it is one of this kind of optimizer. */
  optimizer?: SavedOptimizer;
  /** Whether what was frozen is frozen again, and all else thawed; default false. */
  frozen?: boolean;
  /** Whether the random numbers go on where they were; default: if an optimizer is given. */
  random?: boolean;
}

/** What loading found. */
export interface LoadResult extends IncompatibleKeys {
  /** What was written with the checkpoint. */
  metadata: Record<string, string>;
}

/**
 * Puts a checkpoint into a module, and with an optimizer goes on training from it: parameters, buffers, the optimizer's
 * state and options, the random numbers. Any safetensors file, index or folder will do for the module alone. A tied
 * weight may be under any of its paths. All of it is checked first: after an error nothing has changed. Throws
 * `CheckpointError`, `StateDictError` for what does not fit, `SafetensorsError` for what is broken, `FileError`.
 */
export function load(path: string, options: LoadOptions): LoadResult {
  return loadFrom(path, openTensors(path), options);
}

/** As `load`, of the bytes of a file: for browsers. */
export const loadFromBytes = (bytes: Uint8Array, options: LoadOptions): LoadResult =>
  loadFrom("The checkpoint", bytesSource(bytes), options);

function loadFrom(from: string, source: TensorSource, options: LoadOptions): LoadResult {
  const { module, optimizer, frozen = false, random = optimizer !== undefined } = options;
  refuseWhileRecording("load()");
  checkMatchOptions("load()", options);
  try {
    const { [recordName]: text, ...metadata } = source.metadata;
    const own = new Set<string>();
    const record =
      text === undefined
        ? null
        : translateRecord(
            decodeRecord(text, (name) => recordedTensor(source, name, own)),
            options,
          );
    if (optimizer !== undefined) checkOptimizer(from, record, optimizer);
    const names = [...source.entries.keys()].filter((name) => !own.has(name));
    const setFrozen = frozen ? frozenParts(from, module, record) : null;
    const { tensors, keys } = tensorsFor(module, source, names, options);
    // What was asked for before has its own errors, and is not the load's to lose.
    commit();
    putInto(module, tensors, optimizer, record);
    setFrozen?.();
    if (record !== null && random) setRandomState(record.random);
    commit();
    if (optimizer !== undefined) warnOfArithmetic(from, record!);
    return { ...keys, metadata };
  } finally {
    source.close();
  }
}

/** A tensor that the record refers to, which therefore is not the module's. */
function recordedTensor(source: TensorSource, name: string, own: Set<string>): Tensor {
  if (!source.entries.has(name))
    throw new CheckpointError(
      `The checkpoint's record refers to the tensor ${printable(name)}, which is not in the file.`,
    );
  own.add(name);
  return readTensor(source, name);
}

function checkOptimizer(from: string, record: CheckpointRecord | null, { name }: SavedOptimizer): void {
  if (record?.optimizer === undefined)
    throw new CheckpointError(
      `${from} has no optimizer's state. Load it without \`optimizer\` to take the weights alone; nothing was loaded.`,
    );
  if (record.optimizer.name !== name)
    throw new CheckpointError(
      `${from} has the state of ${printable(record.optimizer.name)}, and the optimizer is ${name}; nothing was loaded.`,
    );
}

/** The file's tensors for a module's paths, and the names on both sides that are left. */
function tensorsFor(module: Module, source: TensorSource, names: readonly string[], options: MatchOptions) {
  const walk = { removeDuplicate: false };
  const buffers = module.namedBuffers(walk).filter(([, buffer]) => buffer.persistent);
  const all = new Map<string, Stored>([...module.namedParameters(walk), ...buffers]);
  const paths = new Map<Stored, string[]>();
  for (const [path, member] of all) paths.set(member, [...(paths.get(member) ?? []), path]);
  const found = new Set(names.map((name) => pathIn(options, name)));
  // Of the paths of a tied parameter, those that the file has are enough.
  const wanted = [...paths].flatMap(([member, tied]) => {
    const there = tied.filter((path) => found.has(path));
    return (there.length > 0 ? there : tied).map((path) => [path, member] as const);
  });
  const given = new Map(names.map((name) => [name, described(source, name)]));
  const order = [...all.keys()];
  const members = new Map(wanted.sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)));
  const match = matchState("load()", module.constructor.name, given, members, options);
  const tensors = new Map([...match.names].map(([path, name]) => [path, readTensor(source, name)]));
  for (const tied of paths.values()) {
    const there = tied.filter((path) => tensors.has(path));
    if (tied.length === 1 || there.length === 0) continue;
    const [first, ...others] = there as [string, ...string[]];
    for (const other of others)
      if (!sameBits(tensors.get(first)!, tensors.get(other)!))
        throw new CheckpointError(
          `${first} and ${other} are one parameter of ${module.constructor.name}, and differ in the file. Untie them, or remove one; nothing was loaded.`,
        );
    for (const path of tied) tensors.set(path, tensors.get(first)!);
  }
  return { tensors, keys: match.keys };
}

/** Dtype and shape of a tensor as it is when it has been read; a dtype that thaw does not have as the file has it. */
function described(source: TensorSource, name: string): Described {
  const { dtype, shape } = source.entries.get(name)!;
  return { dtype: held.get(dtype) ?? (integers.has(dtype) ? "i32" : dtype), shape };
}

function sameBits(a: Tensor, b: Tensor): boolean {
  const [left, right] = [a, b].map((t) => bytesOf(bitsOf(t, "load()"))) as [Uint8Array, Uint8Array];
  return a.dtype === b.dtype && left.length === right.length && left.every((byte, i) => byte === right[i]);
}

/** Checks what was frozen against a module; gives what makes it so. */
function frozenParts(from: string, module: Module, record: CheckpointRecord | null): () => void {
  if (record === null)
    throw new CheckpointError(
      `${from} does not say what was frozen: it is weights alone. Load it without \`frozen\`.`,
    );
  const parameters = new Map(module.namedParameters({ removeDuplicate: false }));
  const regions = new Map<Parameter, Region | "all">();
  for (const [path, what] of Object.entries(record.frozen)) {
    const p = parameters.get(path);
    if (p === undefined)
      throw new CheckpointError(
        `${from} says that ${printable(path)} was frozen, which ${module.constructor.name} does not have.`,
      );
    regions.set(p, what === "all" ? what : regionOf(path, p, what));
  }
  return () => {
    for (const p of parameters.values()) {
      const what = regions.get(p);
      if (what === "all") p.frozen = true;
      else p.frozenRegion = what ?? null;
    }
  };
}

function regionOf(
  path: string,
  { shape }: Parameter,
  { dim, indices }: Exclude<FrozenRecord, "all">,
): Region {
  const at = indices.dataSync() as Int32Array;
  try {
    return dim === null ? Region.elements(shape, at) : Region.along(shape, dim, at);
  } catch (cause) {
    throw new CheckpointError(
      `What the checkpoint says to be frozen of ${path} is not in it: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

/** Puts everything into module and optimizer, or, if something does not fit, nothing. */
function putInto(
  module: Module,
  tensors: ReadonlyMap<string, Tensor>,
  optimizer: SavedOptimizer | undefined,
  record: CheckpointRecord | null,
): void {
  const trace = currentTrace();
  const before = new Map(trace.writes);
  try {
    // They have been matched: what is not among them is to be left.
    if (tensors.size > 0) module.loadStateDict(tensors, { strict: false, dtype: "module" });
    if (optimizer !== undefined) {
      const { name: _, ...dict } = record!.optimizer!;
      optimizer.loadStateDict(dict, { module });
    }
  } catch (error) {
    // The module's new values are not written yet.
    trace.writes = before;
    throw error;
  }
}

function warnOfArithmetic(from: string, record: CheckpointRecord): void {
  const here = arithmetic();
  if (record.arithmetic === here) return;
  console.warn(
    `thaw: ${from} was made with ${printable(record.arithmetic)}, and this is ${here}: training goes on, but its last digits may differ.`,
  );
}
