import { bytesOf } from "../base/dtype.ts";
import { equalBytes } from "../base/equal-bytes.ts";
import { CheckpointError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import type { Stateful } from "../base/stateful.ts";
import { finishWrites } from "../base/storage/index.ts";
import { commit } from "../engine/realize.ts";
import type { Storage } from "../engine/storage.ts";
import { currentTrace, type Resident, refuseWhileRecording } from "../engine/trace.ts";
import type { Node } from "../ir/node.ts";
import { bitsOf } from "../nn/bits.ts";
import { type Described, type MatchOptions, pathIn } from "../nn/compare-state.ts";
import { checkMatchOptions, type IncompatibleKeys, matchState } from "../nn/match-state.ts";
import type { Module } from "../nn/module.ts";
import { setRandomState } from "../tensor/draws.ts";
import { Region } from "../tensor/region.ts";
import type { Stored } from "../tensor/stored.ts";
import { Tensor } from "../tensor/tensor.ts";
import { arithmetic } from "./arithmetic.ts";
import { type Base, openReferred } from "./base.ts";
import { goesOn, kindOf, refuseOthers, takingPart } from "./contents.ts";
import { held, integers } from "./dtypes.ts";
import { headerSum, recordName, withoutReserved } from "./header-sum.ts";
import { HeldWeights } from "./held-weights.ts";
import type { SavingGroup } from "./meet.ts";
import { bytesSource, openTensors, type TensorSource } from "./open.ts";
import { pathOf } from "./path-of.ts";
import { putInto } from "./put.ts";
import { readResident, readTensor } from "./read.ts";
import { type BaseRecord, type CheckpointRecord, decodeRecord, type FrozenRecord } from "./record.ts";
import type { SavedOptimizer, TakingPart } from "./save-options.ts";
import { type LoadMeeting, loadTogether, randomStateOf } from "./saving-group.ts";
import { checkSeal } from "./seal.ts";

/**
 * What a checkpoint is loaded into. As with `save`, whatever else took part stands under its name. `prefix` and `rename`
 * hold for all that names parameters by their paths in the module: optimizers, averages, steps, what was frozen; not for
 * another module.
 */
export interface LoadOptions extends MatchOptions {
  module: Module;
  /** Goes on from the checkpoint, if it is one of this kind of optimizer. */
  optimizer?: SavedOptimizer;
  /** Whether what was frozen is frozen again, and all else thawed; default false. */
  frozen?: boolean;
  /** Whether the random numbers go on where they were; default: if more than modules is given. */
  random?: boolean;
  /** The weights that the checkpoint refers to, where they are not beside it under the name that they had. */
  base?: Base | HeldWeights;
  /** Whether the file is compared with its checksums; default true. */
  checksums?: boolean;
  /** Aborted before, nothing is loaded, and the signal's reason is thrown. */
  signal?: AbortSignal;
  /**
   * Ranks that train together, `distributed.group()`: all make the call, each takes its own random state, and what cannot
   * be loaded on one of them is loaded on none. A rank that there was none of when it was saved has the seed of rank 0's
   * state made its own; where all had one state, it takes that.
   */
  group?: SavingGroup;
  [name: string]: TakingPart;
}

/** What loading found. */
export interface LoadResult extends IncompatibleKeys {
  /** What was written with the checkpoint. */
  metadata: Record<string, string>;
}

/**
 * Puts a checkpoint into a module, and with an optimizer and whatever else took part goes on training from it. Any
 * safetensors file, index or folder will do for the module alone. A tied weight may be under any of its paths. Weights
 * of bf16 and f16 go into a module of f32 as they are; what would have to be rounded needs `dtype: "module"`.
 * Gradients, and what steps have half accumulated, belong to the weights before and are gone. All of it is checked
 * first: after an error nothing has changed. Throws `CheckpointError`, `StateDictError` for what does not fit,
 * `ChecksumError` and `SafetensorsError` for what is damaged, `FileError`.
 */
export function load(path: string, options: LoadOptions): LoadResult {
  finishWrites();
  return loadSource(
    path,
    path,
    opened(options, () => openTensors(path)),
    options,
  );
}

/** As `load`, of the bytes of a file, which errors call by its name. */
export const loadFromBytes = (bytes: Uint8Array, options: LoadOptions, name = "The checkpoint"): LoadResult =>
  loadSource(
    name,
    null,
    opened(options, () => bytesSource(bytes, name)),
    options,
  );

/** As `load`, of tensors that are open, which it closes; errors call them by a name. */
export const loadTensors = (source: TensorSource, options: LoadOptions, name: string): LoadResult =>
  loadSource(name, null, source, options);

/** What is opened; that it cannot be, the other ranks of a group are told. */
function opened(options: LoadOptions, open: () => TensorSource): TensorSource {
  try {
    return open();
  } catch (error) {
    loadTogether("load()", options?.group).fail(error);
    throw error;
  }
}

function loadSource(from: string, file: string | null, own: TensorSource, options: LoadOptions): LoadResult {
  let source = own;
  /** What is read into the backend's memory, for parameters and buffers to take over. */
  const arrivals = new Map<Storage, Resident>();
  let putBack = (): void => {};
  let together: LoadMeeting | null = null;
  try {
    refuseWhileRecording("load()");
    refuseOthers("load()", options);
    together = loadTogether("load()", options.group);
    checkMatchOptions("load()", options);
    options.signal?.throwIfAborted();
    const { module, optimizer, frozen = false } = options;
    const others = takingPart("load()", options);
    const resumes = goesOn(optimizer, others);
    if (options.checksums !== false) checkSeal(from, own);
    const text = own.metadata[recordName];
    const recorded = new Set<string>();
    const record =
      text === undefined ? null : decodeRecord(text, (name) => recordedTensor(own, name, recorded));
    const path = pathOf(module, options);
    if (optimizer !== undefined) checkOptimizer(from, record, optimizer);
    checkOthers(from, record, others, resumes);
    /** What is in the module as it should be, and stays. */
    let present: ReadonlySet<Stored> = new Set();
    if (record?.base !== undefined) {
      const { base } = options;
      if (base instanceof HeldWeights) present = base.found(from, record.base);
      else source = joined(own, openReferred(from, file, record.base, base), record.base);
    }
    const names = [...source.entries.keys()].filter((name) => !recorded.has(name));
    const setFrozen = frozen ? frozenParts(from, module, record, path) : null;
    const { tensors, keys } = tensorsFor(module, source, names, options, { arrivals, present });
    const replaced = others.length === 0 ? tensors.keys() : [];
    putBack = withheld(module, replaced);
    // What was asked for before has its own errors, and is not the load's to lose.
    commit();
    const { agree } = together;
    const into = [
      "module",
      ...(optimizer === undefined ? [] : ["optimizer"]),
      ...others.map(([name]) => name),
    ];
    const about = `a checkpoint with the checksum ${own.metadata[headerSum] ?? "of none"} for ${into.join(", ")}`;
    const ready = () => agree(about);
    putInto(from, { module, tensors, arrivals, optimizer, others, record, path, ready });
    putBack = () => {};
    setFrozen?.();
    if (record !== null && (options.random ?? resumes))
      setRandomState(randomStateOf(record.randomOf ?? [record.random], options.group?.rank ?? 0));
    commit();
    if (resumes && record !== null) warnOfArithmetic(from, record);
    return { ...keys, metadata: withoutReserved(own.metadata) };
  } catch (error) {
    together?.fail(error);
    throw error;
  } finally {
    putBack();
    for (const { storage } of arrivals.values()) storage.park(null);
    source.close();
  }
}

/**
 * Takes what is still to be computed for parameters and buffers that get other values anyway, as the first ones of a model
 * just made, out of what is pending: what it would take in memory is never there. Gives what puts it back.
 */
function withheld(module: Module, paths: Iterable<string>): () => void {
  const { writes } = currentTrace();
  const walk = { removeDuplicate: false };
  const members = new Map<string, Stored>([...module.namedParameters(walk), ...module.namedBuffers(walk)]);
  const taken: [Resident, Node][] = [];
  for (const path of paths) {
    const resident = members.get(path)?.resident;
    const value = resident && writes.get(resident);
    if (value === undefined) continue;
    writes.delete(resident!);
    taken.push([resident!, value]);
  }
  return () => {
    for (const [resident, value] of taken) currentTrace().writes.set(resident, value);
  };
}

/** A checkpoint's tensors and those that it refers to; closing it closes both. */
function joined(own: TensorSource, base: TensorSource, { tensors }: BaseRecord): TensorSource {
  const referred = Object.keys(tensors).map((name) => [name, base.entries.get(name)!] as const);
  const of = (name: string): TensorSource => (Object.hasOwn(tensors, name) ? base : own);
  return {
    ...own,
    entries: new Map([...own.entries, ...referred]),
    read: (name, into, fromByte) => of(name).read(name, into, fromByte),
    close() {
      own.close();
      base.close();
    },
  };
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

/** Checks that what is to be loaded is there, of the same kind, and that no half of an update would be lost. */
function checkOthers(
  from: string,
  record: CheckpointRecord | null,
  others: readonly (readonly [string, Stateful | Module])[],
  resumes: boolean,
): void {
  const states = record?.states ?? {};
  for (const [name, thing] of others) {
    const state = Object.hasOwn(states, name) ? states[name] : undefined;
    if (state === undefined)
      throw new CheckpointError(
        `${from} has no state of \`${name}\`; it has ${Object.keys(states).join(", ") || "none but the module's and the optimizer's"}. Leave it out to load the rest; nothing was loaded.`,
      );
    const kind = kindOf(thing);
    if (state.kind !== undefined && kind !== undefined && state.kind !== kind)
      throw new CheckpointError(
        `${from} has the state of ${state.kind} as \`${name}\`, which is ${kind} here; nothing was loaded.`,
      );
  }
  if (!resumes) return;
  for (const [name, { underWay }] of Object.entries(states))
    if (underWay && !others.some(([other]) => other === name))
      throw new CheckpointError(
        `${from} was saved between two calls of one update, whose gradients are in \`${name}\`. Load it with { ${name} } to go on from there; nothing was loaded.`,
      );
}

/** The file's tensors for a module's paths, and the names on both sides that are left. */
function tensorsFor(
  module: Module,
  source: TensorSource,
  names: readonly string[],
  options: MatchOptions,
  { arrivals, present }: { arrivals: Map<Storage, Resident>; present: ReadonlySet<Stored> },
) {
  const walk = { removeDuplicate: false };
  const buffers = module.namedBuffers(walk).filter(([, buffer]) => buffer.persistent);
  const members = [...module.namedParameters(walk), ...buffers];
  const all = new Map<string, Stored>(members.filter(([, member]) => !present.has(member)));
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
  const known = new Map(wanted.sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)));
  const match = matchState("load()", module.constructor.name, given, known, options);
  const tensors = new Map([...match.names].map(([path, name]) => [path, arrived(source, name, arrivals)]));
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

function arrived(source: TensorSource, name: string, arrivals: Map<Storage, Resident>): Tensor {
  const resident = readResident(source, name);
  if (resident === null) return readTensor(source, name);
  arrivals.set(resident.storage, resident);
  return new Tensor(resident.stored);
}

/** Dtype and shape of a tensor as it is when it has been read; a dtype that thaw does not have as the file has it. */
function described(source: TensorSource, name: string): Described {
  const { dtype, shape } = source.entries.get(name)!;
  return { dtype: held.get(dtype) ?? (integers.has(dtype) ? "i32" : dtype), shape };
}

function sameBits(a: Tensor, b: Tensor): boolean {
  const [left, right] = [a, b].map((t) => bytesOf(bitsOf(t, "load()"))) as [Uint8Array, Uint8Array];
  return a.dtype === b.dtype && equalBytes(left, right);
}

/** Checks what was frozen against a module; gives what makes it so. */
function frozenParts(
  from: string,
  module: Module,
  record: CheckpointRecord | null,
  pathOf = (name: string) => name,
): () => void {
  if (record === null)
    throw new CheckpointError(
      `${from} does not say what was frozen: it is weights alone. Load it without \`frozen\`.`,
    );
  const walk = { removeDuplicate: false };
  const members = new Map<string, Stored>([...module.namedParameters(walk), ...module.namedBuffers(walk)]);
  const regions = new Map<Stored, Region | "all">();
  for (const [name, what] of Object.entries(record.frozen)) {
    const path = pathOf(name);
    const p = members.get(path);
    if (p === undefined)
      throw new CheckpointError(
        `${from} says that ${printable(path)} was frozen, which ${module.constructor.name} does not have.`,
      );
    regions.set(p, what === "all" ? what : regionOf(path, p, what));
  }
  return () => {
    for (const p of members.values()) {
      const what = regions.get(p);
      if (what === "all") p.frozen = true;
      else p.frozenRegion = what ?? null;
    }
  };
}

function regionOf(path: string, { shape }: Stored, { dim, indices }: Exclude<FrozenRecord, "all">): Region {
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

function warnOfArithmetic(from: string, record: CheckpointRecord): void {
  const here = arithmetic();
  if (record.arithmetic === here) return;
  console.warn(
    `thaw: ${from} was made with ${printable(record.arithmetic)}, and this is ${here}: training goes on, but its last digits may differ.`,
  );
}
