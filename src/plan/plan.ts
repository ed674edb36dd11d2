import type { DType } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import type { Collective } from "../ir/collective.ts";
import type { Node } from "../ir/node.ts";

import type { Kernel, KernelCall } from "./kernel.ts";

/** Where a plan's buffer lives. Offsets and sizes in bytes, 64-byte aligned. */
export type PlanBuffer =
  /** The value of input slot `slot`, bound at each run. */
  | { readonly kind: "input"; readonly slot: number }
  /** Host scalar `index`, stored at each run as its dtype. */
  | { readonly kind: "scalar"; readonly index: number }
  /** One number of a dtype, the same in every run: an argument, so that code does not depend on it. */
  | { readonly kind: "constant"; readonly value: number; readonly dtype: DType }
  /** Scratch, or a result on its way out. */
  | { readonly kind: "arena"; readonly offset: number; readonly bytes: number };

/** A value that comes in: resident in the engine's memory, or an array that is copied in at each run. */
export interface PlanInput {
  readonly dtype: DType;
  readonly shape: Shape;
  /** An array that is bound is copied to this arena offset at each run; null: always memory, bound by pointer. */
  readonly offset: number | null;
}

/** A result, copied out to an array after a run, or written by the run to memory that is bound in place of `buffer`. */
export interface PlanOutput {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly offset: number;
  /** The buffer that it is in. */
  readonly buffer: number;
}

/** All elements of a plan's buffer. */
export interface Stretch {
  readonly buffer: number;
  readonly length: number;
}

/** A kernel whose results all ranks have alike, so that they may share its elements out: see `sharedUpdates`. */
export interface SharedUpdate {
  /** Its number. */
  readonly call: number;
  /** How many elements it makes of each buffer. */
  readonly length: number;
  /** A number that is another one for another kernel. */
  readonly key: number;
  /** The buffers that it goes over, and bytes of an element of each. */
  readonly stored: readonly { readonly buffer: number; readonly bytes: number }[];
}

/** What the ranks of a group give each other, at a time that they all come to: between two kernels of a plan. */
export interface Exchange {
  /** The number of kernels that run before it begins. */
  readonly at: number;
  /** The number of kernels that may run before it has ended. */
  readonly until: number;
  readonly dtype: DType;
  /** What this rank gives: of what is large its shares, where `shares`. */
  readonly parts: readonly Stretch[];
  readonly shares: boolean;
  /** By rank and part, where that goes; null: nowhere. */
  readonly takes: readonly (readonly (Stretch | null)[])[];
  /** By part, the kernel that updates something by its sum, where ranks may share that out. */
  readonly updates: readonly (SharedUpdate | null)[];
  readonly by: Collective;
}

/** One kernel of a plan, as `explain` shows it. */
export interface ExplainedKernel {
  /** What it does: the operations of its body. */
  readonly name: string;
  readonly kind: Kernel["kind"];
  readonly extents: readonly number[];
  /** Floating-point operations, and bytes read and written (each element once). */
  readonly flops: number;
  readonly bytes: number;
  /** Of the operations, those that are done once more, within `checkpoint`. */
  readonly recomputedFlops: number;
}

/** What a plan does and what it costs. */
export interface PlanExplanation {
  readonly kernels: readonly ExplainedKernel[];
  /** Different kernels among them: what has to be compiled. */
  readonly structures: number;
  readonly flops: number;
  readonly bytes: number;
  /** Of the operations, those that are done once more, within `checkpoint`. */
  readonly recomputedFlops: number;
  /** Bytes that a rank gives to sums over the ranks of its group. */
  readonly exchangedBytes: number;
  /** Bytes of scratch and results at their peak; parameters and optimizer state are not in it. */
  readonly arenaBytes: number;
  toString(): string;
}

/** A compiled step: exact shapes, its memory, its commands. */
export interface Plan {
  readonly id: number;
  readonly inputs: readonly PlanInput[];
  readonly scalars: readonly DType[];
  readonly buffers: readonly PlanBuffer[];
  readonly arenaBytes: number;
  readonly calls: readonly KernelCall[];
  /** Exchanges with the ranks of a group, in order: none follows a check, and no write comes before the last. */
  readonly exchanges: readonly Exchange[];
  readonly outputs: readonly PlanOutput[];
  /** Its kernels with their FLOPs, bytes and peak memory, as data that prints as a table. */
  explain(): PlanExplanation;
}

/**
 * A plan with the graph that it came from, which is larger than all the rest of it: who keeps a plan and does not evaluate
 * its graph keeps it without.
 */
export interface PlanWithGraph extends Plan {
  readonly graph: PlanGraph;
}

/** A plan that holds on to nothing of the graph that it came from. */
export function withoutGraph<P extends Omit<PlanWithGraph, "explain">>({
  graph,
  ...plan
}: P): Omit<P, "graph"> {
  return plan;
}

/** A plan's graph. Leaves are `input` nodes (slot = index in `leaves`) and `hostScalar` nodes. */
export interface PlanGraph {
  readonly order: readonly Node[];
  readonly leaves: readonly Node<"input">[];
  readonly scalars: readonly Node<"hostScalar">[];
  /** Nodes copied out, in order of `Plan.outputs`. */
  readonly outputs: readonly Node[];
  /** Values stored into input slots after everything that reads the old ones. */
  readonly writes: readonly { readonly slot: number; readonly value: Node }[];
  /** i32 status words; the first that is not zero stops the run before any write. */
  readonly checks: readonly Node[];
}
