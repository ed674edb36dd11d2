import { ArgumentError } from "../base/errors.ts";
import { refuseWhileRecording } from "../engine/trace.ts";
import type { Module } from "../nn/module.ts";
import type { NamingOptions } from "../optim/optimizer.ts";
import type { OptimizerStateDict } from "../optim/saved-state.ts";
import { fromArray } from "../tensor/create.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { getRandomState } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { arithmetic } from "./arithmetic.ts";
import { type CheckpointRecord, encodeRecord, type FrozenRecord, recordName } from "./record.ts";
import { serializeSafetensors, type WriteOptions, writeSafetensors } from "./write.ts";

/** What checkpoints need of an optimizer. */
export interface SavedOptimizer {
  readonly name: string;
  stateDict(options?: NamingOptions): OptimizerStateDict;
  loadStateDict(dict: OptimizerStateDict, options?: NamingOptions): void;
}

/** What goes into a checkpoint. */
export interface SaveOptions extends WriteOptions {
  module: Module;
  /** With it, training can go on from the checkpoint. */
  optimizer?: SavedOptimizer;
}

/**
 * Writes a checkpoint: a safetensors file with the parameters and persistent buffers under their paths (tied weights
 * under the first of theirs), the optimizer's state under `optimizer.`, and, as JSON in its metadata, the optimizer's
 * numbers, the random state, what is frozen (not the modules that are held) and which arithmetic made it. All of it or
 * nothing is written: a full disk or a crash leaves the file that was there. Throws `FileError`.
 */
export function save(path: string, options: SaveOptions): void {
  const { tensors, metadata } = contentsOf("save()", options);
  writeSafetensors(path, tensors, { metadata });
}

/** As `save`, but gives the bytes: for browsers. */
export function saveToBytes(options: SaveOptions): Uint8Array {
  const { tensors, metadata } = contentsOf("saveToBytes()", options);
  return serializeSafetensors(tensors, { metadata });
}

function contentsOf(what: string, { module, optimizer, metadata = {} }: SaveOptions) {
  refuseWhileRecording(what);
  if (Object.hasOwn(metadata, recordName))
    throw new ArgumentError(
      `${what}: the metadata "${recordName}" is the checkpoint's own; use another name`,
    );
  const parameters = module.namedParameters();
  const buffers = module.namedBuffers().filter(([, buffer]) => buffer.persistent);
  const tensors = new Map<string, Tensor>([...parameters, ...buffers]);
  const record: CheckpointRecord = {
    format: 1,
    arithmetic: arithmetic(),
    random: { ...getRandomState() },
    frozen: Object.fromEntries(
      parameters.flatMap(([path, p]) => (p.frozen || p.frozenRegion ? [[path, frozenOf(p)]] : [])),
    ),
    ...(optimizer && { optimizer: { name: optimizer.name, ...optimizer.stateDict({ module }) } }),
  };
  return { tensors, metadata: { ...metadata, [recordName]: encodeRecord(record, tensors) } };
}

function frozenOf({ frozenRegion }: Parameter): FrozenRecord {
  if (frozenRegion === null) return "all";
  const { dim, text, indices } = frozenRegion;
  return { dim, text, indices: fromArray(indices, [indices.length]) };
}
