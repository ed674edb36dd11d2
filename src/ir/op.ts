import type { DType } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import type { Collective } from "./collective.ts";

/** Where a leaf's value lives: an opaque handle of the engine's; same source and version, same value. */
export interface Source {
  readonly id: number;
}

/** How a `dot` pairs the axes of its operands; the result is [batch…, left's free…, right's free…]. */
export interface DotAxes {
  readonly leftBatch: readonly number[];
  readonly rightBatch: readonly number[];
  readonly leftContract: readonly number[];
  readonly rightContract: readonly number[];
}

/** The nodes of a graph that were made after the one with the id `first`, up to the one with the id `last`. */
export interface Block {
  readonly first: number;
  readonly last: number;
}

/** What `backward` needs to know of a call of a function that has a gradient of its own. */
export interface CustomCall {
  /**
   * The gradients of the operands that are `wanted` (null: none flows), given those of the results (null: there is none).
   * `seen` gives a node that was there when the call was made as the gradient is to see it: see `Block`.
   */
  gradients(
    given: readonly (Node | null)[],
    wanted: readonly boolean[],
    seen: (n: Node) => Node,
  ): readonly (Node | null)[];
}

type None = Record<never, never>;

/** Every primitive and its attributes. Operands are listed in `operands`. */
export interface OpAttrs {
  // Leaves.
  /** A stored value, row-major. */
  input: { source: Source; version: number; shape: Shape; dtype: DType };
  /** One number, shape []. */
  constant: { value: number; dtype: DType };
  /** A number that the host computes anew at every run (a learning rate, a seed), shape []. */
  hostScalar: { compute: () => number; dtype: DType };
  /** 0, 1, 2… along `axis`. */
  iota: { shape: Shape; axis: number; dtype: DType };
  // Identities, which only autograd tells from their operand: `variable` is where it stops and leaves a gradient, `detach`
  // where it stops without one.
  variable: { owner: object };
  detach: None;
  /**
   * The first operand, with a gradient that is stated and not derived: none flows into the first operand, and into each
   * further one (which the value was made of) what its rule makes of the gradient `g` of the value `n`. For where the
   * derivative of the formula is not that of the function: in a branch that overflows, at a kink, where digits cancel.
   */
  stated: { rules: readonly ((g: Node, n: Node) => Node)[] };
  /**
   * A result of a block: gradients that flow into it see the values of the block's nodes as copies, which are computed
   * once more, and not those of the forward pass, which need not be kept for them.
   */
  recomputed: { block: Block };
  /** A call of a function with a gradient of its own, of its operands: no value, and one place for the gradients of all results. */
  custom: { call: CustomCall };
  /** The first operand, as result `index` of the call that is the second. */
  customResult: { index: number };
  // Elementwise, one operand.
  neg: None;
  abs: None;
  sign: None;
  floor: None;
  ceil: None;
  round: None;
  sqrt: None;
  exp: None;
  log: None;
  expm1: None;
  log1p: None;
  sin: None;
  cos: None;
  tanh: None;
  sigmoid: None;
  erf: None;
  /** 1 - erf, with full relative precision where it is small. */
  erfc: None;
  relu: None;
  /** Logical not of a bool. */
  not: None;
  cast: { dtype: DType };
  // Elementwise, two operands of one shape and dtype.
  add: None;
  sub: None;
  mul: None;
  div: None;
  pow: None;
  /** The larger (smaller); NaN if either is. */
  max: None;
  min: None;
  /** Python's remainder: the sign of the divisor. */
  remainder: None;
  /** Comparisons give bool. */
  eq: None;
  lt: None;
  le: None;
  /** On bool: logical; on integers: bitwise. */
  and: None;
  or: None;
  xor: None;
  /** Integer shifts; `shr` is logical. */
  shl: None;
  shr: None;
  // Three operands.
  /** condition (bool), then, otherwise. */
  where: None;
  /** a · b + c, rounded once where the target can. */
  fma: None;
  // Reductions: `axes` ascending, dropped from the shape.
  sum: { axes: readonly number[] };
  maxReduce: { axes: readonly number[] };
  minReduce: { axes: readonly number[] };
  prod: { axes: readonly number[] };
  /** Index (i32) of the first largest element along one axis; the first NaN if there is one. */
  argmax: { axis: number };
  // Movement.
  reshape: { shape: Shape };
  permute: { axes: readonly number[] };
  /** Repeats axes of size 1; the rank stays. */
  expand: { shape: Shape };
  /** Per axis: first index, count, and step (negative runs backwards). */
  slice: { start: readonly number[]; size: readonly number[]; step: readonly number[] };
  /** Elements of `value` before and after each axis. */
  pad: { low: readonly number[]; high: readonly number[]; value: number };
  concat: { axis: number };
  /**
   * The operand, which simplification and planning take for something else: what is made of it is not shared with what is
   * made of the operand, and is computed in a later phase of the plan. What is made behind no barrier is of phase 0.
   */
  barrier: { phase: number };
  // Contraction.
  dot: DotAxes;
  // Index: indices are i32, of the shape of the result (gather) or of the updates (scatter, scatterAdd); all axes
  // but `axis` agree with the operand's.
  /** data, indices → data at indices along `axis`, as `torch.gather`. Indices are assumed checked. */
  gather: { axis: number };
  /** data, indices, updates → data plus every update at its index, in row-major order of the updates. */
  scatterAdd: { axis: number };
  /**
   * data, indices, updates → data with the element at each index replaced, as `torch.scatter`; where indices repeat,
   * the last in row-major order of the updates stays.
   */
  scatter: { axis: number };
  /** Indices (i32) that sort along one axis, stable, ascending; NaN last. */
  argsort: { axis: number; descending: boolean };
  /** Sums of the elements up to and including each, along one axis. */
  cumsum: { axis: number };
  /**
   * query, key, value, the mask (of bools, or of numbers that are added) if there is one, the key of dropout's random bits (unless `dropout` is 0) →
   * softmax(query · keyᵀ · scale + mask) · value, and each query's logarithm of the sum of exponentials (Infinity where it
   * attends to nothing), in one vector; see ir/infer-attention.ts for shapes. `byHead`: results and gradients lie in memory
   * by heads first, not by positions.
   */
  attention: { causal: boolean; masked: boolean; scale: number; dropout: number; byHead: boolean };
  /**
   * What attention takes, then the logarithms that it gave, each query's Σ gradient · result, and the result's gradient →
   * the gradients of some operands (0, 1, 2: of the query, key, value), in one vector.
   */
  attentionGradient: OpAttrs["attention"] & { of: readonly number[] };
  /**
   * The elements of all operands, which are of one dtype, end to end in one vector, each summed over the ranks of a group
   * in rank order. All ranks must come to it with as many elements; of several in a graph, those of a lower `turn` first.
   */
  allReduce: { by: Collective; turn: number };
  /**
   * Made in plans only: gives the elements of its operands, which are of one dtype, to the other ranks, and has no elements
   * of its own. Of a large operand, each rank is given its share alone where `shares`. Turns are as above.
   */
  exchange: { by: Collective; turn: number; shares: boolean };
  /** What one rank gives of one part, in an exchange, its operand: of `shape`. */
  received: { rank: number; part: number; shape: Shape };
  /** key (i32[2]) → uniformly random i32 bits: Threefry-2x32-20 of (key, element index). */
  randomBits: { shape: Shape };
}

/** The name of a primitive. */
export type Op = keyof OpAttrs;

/** The kinds that passes treat alike. */
export type OpKind = "leaf" | "identity" | "elementwise" | "reduce" | "movement" | "contraction" | "special";

const k = (kind: OpKind, operands: number) => ({ kind, operands });

/** Kind and number of operands of each primitive (-1: any number). */
export const ops: { readonly [K in Op]: { readonly kind: OpKind; readonly operands: number } } = {
  input: k("leaf", 0),
  constant: k("leaf", 0),
  hostScalar: k("leaf", 0),
  iota: k("leaf", 0),
  variable: k("identity", 1),
  detach: k("identity", 1),
  stated: k("identity", -1),
  recomputed: k("identity", 1),
  custom: k("identity", -1),
  customResult: k("identity", 2),
  neg: k("elementwise", 1),
  abs: k("elementwise", 1),
  sign: k("elementwise", 1),
  floor: k("elementwise", 1),
  ceil: k("elementwise", 1),
  round: k("elementwise", 1),
  sqrt: k("elementwise", 1),
  exp: k("elementwise", 1),
  log: k("elementwise", 1),
  expm1: k("elementwise", 1),
  log1p: k("elementwise", 1),
  sin: k("elementwise", 1),
  cos: k("elementwise", 1),
  tanh: k("elementwise", 1),
  sigmoid: k("elementwise", 1),
  erf: k("elementwise", 1),
  erfc: k("elementwise", 1),
  relu: k("elementwise", 1),
  not: k("elementwise", 1),
  cast: k("elementwise", 1),
  add: k("elementwise", 2),
  sub: k("elementwise", 2),
  mul: k("elementwise", 2),
  div: k("elementwise", 2),
  pow: k("elementwise", 2),
  max: k("elementwise", 2),
  min: k("elementwise", 2),
  remainder: k("elementwise", 2),
  eq: k("elementwise", 2),
  lt: k("elementwise", 2),
  le: k("elementwise", 2),
  and: k("elementwise", 2),
  or: k("elementwise", 2),
  xor: k("elementwise", 2),
  shl: k("elementwise", 2),
  shr: k("elementwise", 2),
  where: k("elementwise", 3),
  fma: k("elementwise", 3),
  sum: k("reduce", 1),
  maxReduce: k("reduce", 1),
  minReduce: k("reduce", 1),
  prod: k("reduce", 1),
  argmax: k("reduce", 1),
  reshape: k("movement", 1),
  permute: k("movement", 1),
  expand: k("movement", 1),
  slice: k("movement", 1),
  pad: k("movement", 1),
  concat: k("movement", -1),
  barrier: k("movement", 1),
  dot: k("contraction", 2),
  gather: k("special", 2),
  scatterAdd: k("special", 3),
  scatter: k("special", 3),
  argsort: k("special", 1),
  cumsum: k("special", 1),
  attention: k("special", -1),
  attentionGradient: k("special", -1),
  allReduce: k("special", -1),
  exchange: k("special", -1),
  received: k("special", 1),
  randomBits: k("special", 1),
};

/**
 * How a node's elements lie in the memory of `base`, the node that is computed (or a leaf): element `index` is at
 * offset + Σ stride · index. For an iota the "memory" is the sequence 0, 1, 2… itself.
 */
export interface View {
  readonly base: Node;
  readonly offset: number;
  readonly strides: readonly number[];
}

/** One operation of a graph: immutable, shared by everything that uses it. */
export interface Node<K extends Op = Op> {
  readonly id: number;
  readonly op: K;
  readonly src: readonly Node[];
  readonly attrs: OpAttrs[K];
  readonly shape: Shape;
  readonly dtype: DType;
  /** Whether a gradient flows through this node (some operand's does, and it was made outside `noGrad`). */
  readonly tracked: boolean;
  /** Scratch of walks over graphs: the walk that last saw this node, and a place that it gave it. */
  mark: number;
  index: number;
  /** What it is a view of, once a plan has asked. */
  view: View | null;
}
