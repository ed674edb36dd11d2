import { atLeast, flag } from "../base/options.ts";
import { type Shape, sizeOf } from "../base/shape.ts";
import type { Module } from "../nn/module.ts";
import { div, gt, lerp, maximum, mul, sqrt, sub, where } from "../tensor/operations/elementwise.ts";
import { mean, norm } from "../tensor/operations/reduction.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { maximize } from "./common-transforms.ts";
import { Optimizer } from "./optimizer.ts";
import type { OptimizerDefinition } from "./param-group.ts";
import type { OptimizerParams } from "./params.ts";
import { link, type Node, type Transform } from "./transform.ts";

/** Options of Adafactor, with PyTorch's meanings and defaults. */
export interface AdafactorOptions {
  /** The largest relative step, and the rate of weight decay; default 1e-2. */
  lr: number;
  /** The power of the step count by which the share of what is new falls; at most 0, default -0.8. */
  beta2Decay: number;
  /** The least of a variance (null: the dtype's epsilon), and the least scale of a parameter; default [null, 1e-3]. */
  eps: readonly [number | null, number];
  /** The root mean square beyond which an update is clipped; at least 1, default 1. */
  d: number;
  /** Default 0. */
  weightDecay: number;
  /** Default false. */
  maximize: boolean;
}

/** A parameter's state under Adafactor: `rowVar` and `colVar` of two or more dimensions, or else `variance`. */
export interface AdafactorState {
  step: number;
  /** The mean squares of gradients along the last dimension. */
  rowVar?: Tensor;
  /** The mean squares along the last dimension but one. */
  colVar?: Tensor;
  /** The squares of each element, of a vector. */
  variance?: Tensor;
}

/** A shape with a size of 1 at a dimension counted from the end. */
const flattened = (shape: Shape, fromEnd: number): Shape =>
  shape.map((size, i) => (i === shape.length - fromEnd ? 1 : size));

/** The larger of a number and a bound; the bound where that is NaN, as Python's `max` has it. */
const atLeastOf = (x: Node, bound: Node | number): Node => where(gt(x, bound), x, bound);

/** The root mean square of all elements. */
const rootMeanSquare = (x: Node): Node => mul(norm(x), 1 / Math.sqrt(sizeOf(x.shape)));

/** The mean squares along a dimension, which is kept, as the squares of norms. */
function meanSquares(x: Node, fromEnd: number): Node {
  const lengths = norm(x, 2, -fromEnd, true);
  return div(mul(lengths, lengths), x.shape[x.shape.length - fromEnd]!);
}

type Names = "rowVar" | "colVar" | "variance";
type Scalars =
  | "share"
  | "relative"
  | "kept"
  | "least32"
  | "square32"
  | "least64"
  | "square64"
  | "scale"
  | "limit";

/** The first epsilon, which is the dtype's own where none is given. */
const least = ({ eps }: AdafactorOptions, bits: 32 | 64): number =>
  eps[0] ?? (bits === 32 ? 2 ** -23 : 2 ** -52);

/** Shazeer and Stern, arXiv:1804.04235, with PyTorch's uses of the rate and of the first epsilon. */
const adafactor: Transform<AdafactorOptions, Names, Scalars> = {
  name: "adafactor",
  tensors: (_, shape) => (shape.length > 1 ? ["rowVar", "colVar"] : ["variance"]),
  shapes: { rowVar: (shape) => flattened(shape, 1), colVar: (shape) => flattened(shape, 2) },
  perGroup: {
    kept: ({ lr, weightDecay }) => 1 - lr * weightDecay,
    least32: (options) => least(options, 32),
    square32: (options) => least(options, 32) ** 2,
    least64: (options) => least(options, 64),
    square64: (options) => least(options, 64) ** 2,
    scale: ({ eps }) => eps[1],
    limit: ({ d }) => 1 / d,
  },
  perParameter: {
    share: ({ beta2Decay }, { step }) => step ** beta2Decay,
    relative: ({ lr }, { step }) => Math.min(lr, 1 / Math.sqrt(step)),
  },
  update({ value, gradient, state, scalar, on }) {
    const bits = value.dtype === "f64" ? 64 : 32;
    const scale = mul(atLeastOf(rootMeanSquare(value), scalar("scale", [])), scalar("relative", []));
    const decayed = on("weightDecay") ? mul(value, scalar("kept")) : value;
    const next: { [K in Names]?: Node } = {};
    let estimate: Node;
    if (value.shape.length > 1) {
      const { rowVar, colVar } = state;
      const rows = lerp(rowVar, meanSquares(gradient, 1), scalar("share", rowVar.shape));
      const columns = lerp(colVar, meanSquares(gradient, 2), scalar("share", colVar.shape));
      const total = mean(rows, -2, true);
      estimate = div(mul(rows, columns), maximum(total, scalar(`least${bits}`, total.shape)));
      next.rowVar = rows;
      next.colVar = columns;
    } else {
      estimate = lerp(state.variance, mul(gradient, gradient), scalar("share"));
      next.variance = estimate;
    }
    const update = mul(div(1, sqrt(maximum(estimate, scalar(`square${bits}`)))), gradient);
    const excess = atLeastOf(mul(rootMeanSquare(update), scalar("limit", [])), 1);
    return { value: sub(decayed, mul(update, div(scale, excess))), state: next };
  },
};

const definition: OptimizerDefinition<AdafactorOptions> = {
  name: "Adafactor",
  defaults: { lr: 1e-2, beta2Decay: -0.8, eps: [null, 1e-3], d: 1, weightDecay: 0, maximize: false },
  checks: {
    lr: atLeast(0),
    beta2Decay: (value: number) => (Number.isFinite(value) && value <= 0 ? null : "a number of at most 0"),
    eps: (eps: readonly (number | null)[]) =>
      Array.isArray(eps) &&
      eps.length === 2 &&
      (eps[0] === null || atLeast(0)(eps[0]) === null) &&
      atLeast(0)(eps[1]) === null
        ? null
        : "two numbers of at least 0, the first of which may be null",
    d: atLeast(1),
    weightDecay: atLeast(0),
    maximize: flag,
  },
  chain: [link(maximize), link(adafactor)],
  refuses: (shape, region) =>
    region?.dim === null && shape.length > 1
      ? "cannot be trained by its elements: Adafactor keeps mean squares of rows and columns; train whole rows or columns, or use another optimizer for it"
      : null,
};

/**
 * Adafactor, as `torch.optim.Adafactor`: mean squares of gradients are kept by rows and columns instead of by elements.
 * A region of a parameter (some rows, some columns) is updated as a matrix of its own: means and norms are of it alone.
 */
export class Adafactor<M extends Module | null = Module | null> extends Optimizer<
  AdafactorOptions,
  AdafactorState,
  M
> {
  constructor(params: OptimizerParams<AdafactorOptions, M>, options: Partial<AdafactorOptions> = {}) {
    super(definition, params, options);
  }
}
