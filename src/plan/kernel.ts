import type { DType } from "../base/dtype.ts";
import { exactText, hashOf, sameData } from "../base/exact-text.ts";
import type { ElementwiseOp } from "../ir/evaluate-elementwise.ts";

/**
 * What codegen turns into code. A `Kernel` is pure structure: extents, strides and pointers are arguments of a
 * call, so one piece of code serves every size. Its `key` is the identity in the cache of compiled code.
 */
export type Kernel = LoopKernel | ContractKernel | AxisKernel | AttentionKernel;

/** How a kernel reaches one buffer. Strides per loop dimension are arguments of the call. */
export interface Access {
  /** Dtype in memory; values in the body are widened (u8 and bool to 32-bit lanes). */
  readonly dtype: DType;
  /**
   * Along which dimensions the stride is not zero: none (`scalar`), outer ones only (`row`), or inner ones too
   * (`full`). In a contraction: `scalar`, or `full`.
   */
  readonly level: "scalar" | "row" | "full";
  /** Stride along the vector dimension: 1, 0 or anything else. */
  readonly vector: "unit" | "uniform" | "strided";
}

/** One value of a kernel's body; `args` are indices of earlier values. `dtype` is never a storage-only type. */
export type Value =
  | { readonly op: "load"; readonly dtype: DType; readonly access: number }
  | { readonly op: "constant"; readonly dtype: DType; readonly value: number }
  /** The i32 offset + Σ stride · index of an access that has no buffer (an iota, or a random counter). */
  | { readonly op: "index"; readonly dtype: "i32"; readonly access: number }
  /** The element at access + args[0] · axisStride, where axisStride is an extra argument of the access. */
  | {
      readonly op: "gather";
      readonly dtype: DType;
      readonly access: number;
      readonly args: readonly [number];
    }
  /** Threefry-2x32-20 bits: args are key word 0, key word 1, element index (all i32). */
  | { readonly op: "random"; readonly dtype: "i32"; readonly args: readonly [number, number, number] }
  | { readonly op: ElementwiseOp; readonly dtype: DType; readonly args: readonly number[] }
  /** A full value folded over the inner dimensions; gives a row value. Only in loop kernels. */
  | {
      readonly op: "reduce";
      readonly kind: ReduceKind;
      readonly dtype: DType;
      readonly args: readonly [number];
    }
  /** The contraction's sum at (batch, m, n). Only in the epilogue of a contraction. */
  | { readonly op: "accumulator"; readonly dtype: DType };

/** How a reduction combines. max and min give NaN if any element is. */
export type ReduceKind = "sum" | "max" | "min" | "prod";

/** A value written through an access. */
export interface Store {
  readonly access: number;
  readonly value: number;
  /** What is stored is the sum over the rows of a block, or along a line: see `LoopKernel`. */
  readonly adds?: "rows" | "line";
}

/**
 * for every outer index: stages of loops over the inner indices. Values that depend on inner indices are `full`,
 * the rest are `row`; a `reduce` turns full into row, and a later full value may use it, which makes another
 * stage (softmax has three: max, sum of exponentials, store). Stores of row values happen once per outer index.
 * Without a reduce it is a plain map. Dimensions are collapsed: outer 0 to 5, inner 1 to 5 (1 nearly always).
 *
 * The vector runs along the last inner dimension, or, with `vector: "outer"`, along the last outer one: each lane
 * is then a row of its own (sums over a leading axis).
 * Tasks split the first outer dimension or, where there is none and no reduce, the first inner one.
 *
 * Stores that add are of full values, and have one place for all elements that they add up: those of a block's rows that are
 * one below the other, where the first `blocks` outer dimensions tell blocks apart and the other ones the rows of a block; or
 * those of a line, where the first `lines` inner dimensions tell lines apart. The vector is along the inner dimension then.
 */
export interface LoopKernel {
  readonly kind: "loop";
  readonly key: string;
  readonly outer: number;
  readonly blocks?: number;
  readonly inner: number;
  readonly lines?: number;
  readonly vector: "inner" | "outer";
  readonly accesses: readonly Access[];
  readonly body: readonly Value[];
  readonly stores: readonly Store[];
}

/**
 * out[b…, m, n] = epilogue(Σ_k left[b…, m, k] · right[b…, n, k]). Dimensions of every access, in order: the batch
 * ones (0 to 4), m, n, k; strides are zero where an operand lacks a dimension. `left` and `right` are values of
 * the prologue body (loads, and elementwise chains over them, evaluated while packing); the epilogue has its own
 * body, whose accesses have k stride zero, and runs once per element after the whole sum is there.
 * `Access.vector` is along: k for left's and right's accesses if unit there, else m (left) or n (right), see
 * `leftUnit`, `rightUnit`; n for the epilogue's. A store may be strided.
 */
export interface ContractKernel {
  readonly kind: "contract";
  readonly key: string;
  readonly batch: number;
  readonly dtype: DType;
  readonly accesses: readonly Access[];
  readonly prologue: readonly Value[];
  readonly left: number;
  readonly right: number;
  /** Which dimension has unit stride in left's loads ("none": neither, or mixed). */
  readonly leftUnit: "m" | "k" | "none";
  readonly rightUnit: "n" | "k" | "none";
  readonly epilogue: readonly Value[];
  readonly stores: readonly Store[];
}

/**
 * Serial work along one axis. Extents: outer, axis, inner (and for scatter and scatterAdd: axis of the updates).
 * Access strides are over (outer, axis, inner). Accesses: argmax, argsort, cumsum: [operand, result];
 * scatter, scatterAdd: [result, whole and already holding the data; indices; updates].
 */
export interface AxisKernel {
  readonly kind: "argmax" | "argsort" | "argsortDescending" | "cumsum" | "scatter" | "scatterAdd";
  readonly key: string;
  readonly accesses: readonly Access[];
}

/**
 * softmax(query · keyᵀ · scale + mask) · value without scores in memory, or its gradients. Extents: batches, heads of keys,
 * heads of queries that share one, queries, keys, size of keys, size of values; strides of all accesses are over these.
 * Accesses: query, key, value, then the mask (unless it is "none") and dropout's key (unless `dropout` is 0). Then of
 * attention itself its result, and each query's logarithm of the sum of exponentials; of the gradient that logarithm, each
 * query's Σ gradient · result, the result's gradient, and the gradients of what it is `of`. Operands, the mask and gradients
 * are packed along their last extent.
 */
export interface AttentionKernel {
  readonly kind: "attention" | "attentionGradient";
  readonly key: string;
  readonly accesses: readonly Access[];
  readonly causal: boolean;
  readonly mask: "none" | "bool" | "bias";
  readonly scale: number;
  /** The probability with which a weight is dropped. */
  readonly dropout: number;
  /** Of the gradient: of which operands; else none. */
  readonly of: readonly ("query" | "key" | "value")[];
}

/** Whether a kernel is attention's, or its gradient's. */
export const isAttention = (kernel: Kernel): kernel is AttentionKernel =>
  kernel.kind === "attention" || kernel.kind === "attentionGradient";

/** One access's arguments: `buffer` is an index into the plan's buffers (-1: none), the rest is in elements. */
export interface AccessArgs {
  readonly buffer: number;
  readonly offset: number;
  readonly strides: readonly number[];
  /** For `gather`: the stride of the gathered axis. */
  readonly axisStride?: number;
}

/** A kernel with its arguments: one row of a segment's table. */
export interface KernelCall {
  readonly kernel: Kernel;
  /** loop: outer then inner; contract: batch…, m, n, k; axis kernels: see there. */
  readonly extents: readonly number[];
  readonly accesses: readonly AccessArgs[];
  readonly flops: number;
  readonly bytes: number;
  /** Result is a status word: a non-zero i32 stored through the first store stops the plan here. */
  readonly check: boolean;
  /** Of its FLOPs, those that compute once more what another kernel has computed: see `checkpoint`. */
  readonly recomputed?: number;
  /** What its values are made for (a module's forward pass, say), where that was noted: see `noteScopes`. */
  readonly scopes?: readonly string[];
}

/** The accesses that some values of a body need, in the order in which evaluating one value after the other meets them. */
export function accessesOf(body: readonly Value[], roots: readonly number[]): number[] {
  const found = new Set<number>();
  // Values that many others use are looked at once: ways through a body can be as many as 2 to its length.
  const seen = new Set<number>();
  const stack = [...roots].reverse();
  for (let i = stack.pop(); i !== undefined; i = stack.pop()) {
    if (seen.has(i)) continue;
    seen.add(i);
    const value = body[i]!;
    if ("access" in value) found.add(value.access);
    if ("args" in value) for (const arg of [...value.args].reverse()) stack.push(arg);
  }
  return [...found];
}

/** Of so many hashes kernels are known; beyond, those go that were asked for longest ago, and live on in their plans. */
const mostKnown = 4096;

/** Kernels that there are, with the structures that they were made of, by `hashOf` these, last asked for last. */
const kernels = new Map<number, { readonly structure: object; readonly kernel: Kernel }[]>();

/** The kernel of a structure: one object for it, however many plans call it. */
export function kernelOf<K extends Kernel>(structure: Omit<K, "key">): K {
  // Most calls are of kernels that there are: comparing data costs less than writing a text of them.
  const hash = hashOf(structure);
  const alike = kernels.get(hash) ?? [];
  kernels.delete(hash);
  kernels.set(hash, alike);
  const known = alike.find((entry) => sameData(entry.structure, structure));
  if (known !== undefined) return known.kernel as K;
  const kernel = { ...structure, key: exactText(structure) } as K;
  alike.push({ structure, kernel });
  if (kernels.size > mostKnown) kernels.delete(kernels.keys().next().value!);
  return kernel;
}
