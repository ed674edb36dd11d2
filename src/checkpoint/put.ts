import { CheckpointError, ThawError } from "../base/errors.ts";
import type { Stateful } from "../base/stateful.ts";
import { commit } from "../engine/realize.ts";
import type { Storage } from "../engine/storage.ts";
import { currentTrace, type Resident, storedLeaf } from "../engine/trace.ts";
import type { Node } from "../ir/node.ts";
import { Module } from "../nn/module.ts";
import { roundsUnderWay } from "../optim/rounds.ts";
import { haveStandIns } from "../optim/stand-ins.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { CheckpointRecord } from "./record.ts";
import type { SavedOptimizer } from "./save-options.ts";

/** What a load puts where. */
export interface Loading {
  readonly module: Module;
  /** By path; they have been matched: what is not among them is to be left. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** What of them is in the backend's memory, each for one parameter or buffer to take over. */
  readonly arrivals: ReadonlyMap<Storage, Resident>;
  readonly optimizer: SavedOptimizer | undefined;
  readonly others: readonly (readonly [string, Stateful | Module])[];
  readonly record: CheckpointRecord | null;
  /** What is called here what the checkpoint calls so; nothing: all is called the same. */
  readonly path: ((name: string) => string) | undefined;
  /** Called when all has been checked, before anything is written; what it throws leaves all as it was. */
  readonly ready: () => void;
}

/**
 * Puts everything in its place, or, if something does not fit, nothing. First all of it is checked; then things that
 * cannot be checked without being loaded are, and are put back if one fails; then the modules' values are written, all
 * of them or none; and what is left cannot fail.
 */
export function putInto(from: string, loading: Loading): void {
  const { module, tensors, arrivals, optimizer, others, record, path } = loading;
  const context = { module, ...(path && { path }) };
  const modules = [module, ...others.map(([, thing]) => thing).filter((thing) => thing instanceof Module)];
  const parameters = new Set(modules.flatMap((one) => one.parameters()));
  if (haveStandIns(parameters))
    throw new CheckpointError(
      `${from} cannot be loaded while the averages of an EMA are in place of the weights, which use() puts back; load it after use(). Nothing was loaded.`,
    );
  const { optimizer: ofOptimizer, states = {} } = record ?? {};
  const { name: _, ...dict } = ofOptimizer ?? {};
  const stateful: [string, Stateful, unknown][] =
    optimizer === undefined ? [] : [["optimizer", optimizer, dict]];
  const writes = written(() => {
    if (tensors.size > 0) module.loadStateDict(tensors, { strict: false, dtype: "module" });
    for (const [name, thing] of others) {
      const { state } = states[name]!;
      if (thing instanceof Module)
        fitting(from, name, () => thing.loadStateDict(state as Record<string, Tensor>));
      else stateful.push([name, thing, state]);
    }
  });
  const ready = stateful.flatMap(([name, thing, state]) =>
    thing.prepareLoad === undefined ? [] : [fitting(from, name, () => thing.prepareLoad!(state, context))],
  );
  const undo: (() => void)[] = [];
  try {
    for (const [name, thing, state] of stateful) {
      if (thing.prepareLoad !== undefined) continue;
      const before: unknown = thing.stateDict({ module });
      fitting(from, name, () => thing.loadStateDict(state, context));
      undo.push(() => thing.loadStateDict(before, { module }));
    }
    loading.ready();
    commit();
    const taken = new Map<Resident, Storage>();
    for (const [resident, value] of writes) {
      const storage = storedLeaf(value)?.attrs.source as Storage | undefined;
      if (storage !== undefined && arrivals.has(storage)) taken.set(resident, storage);
      else currentTrace().writes.set(resident, value);
    }
    commit();
    for (const [resident, storage] of taken) resident.storage.takeOver(storage);
  } catch (error) {
    for (const back of undo.reverse()) back();
    throw error;
  }
  for (const round of roundsUnderWay(parameters)) round.discard();
  for (const p of parameters) p.grad = null;
  for (const put of ready) put();
}

/** What `fn` asks to be written, which is not written yet. */
function written(fn: () => void): Map<Resident, Node> {
  const trace = currentTrace();
  const before = trace.writes;
  trace.writes = new Map(before);
  try {
    fn();
    return trace.writes;
  } finally {
    trace.writes = before;
  }
}

/** Does something with a state from a file; whatever goes wrong, the file is what does not fit. */
function fitting<T>(from: string, name: string, fn: () => T): T {
  try {
    return fn();
  } catch (cause) {
    if (cause instanceof ThawError) throw cause;
    throw new CheckpointError(
      `What ${from} has of \`${name}\` is no state of it: ${(cause as Error).message}. Nothing was loaded.`,
      { cause },
    );
  }
}
