import { type DType, isFloat } from "../../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../../base/errors.ts";
import { type Shape, shapeText } from "../../base/shape.ts";
import { cast } from "../../ir/build.ts";
import { type Node, node, withGrad } from "../../ir/node.ts";
import { exponentialNode, type Generator, normalNode, uniformNode } from "../draws.ts";
import { replaced } from "../operations/arrangement.ts";
import { add, div, full, lt, mul } from "../operations/elementwise.ts";
import { diagonal } from "../operations/movement.ts";
import type { ScatterReduce } from "../operations/scattering.ts";
import type { HasNode } from "./base.ts";
import type { IndexOf } from "./indexing.ts";
import { StatisticsMethods } from "./statistics.ts";

/** Whose numbers are drawn; the shared ones. */
interface Drawn {
  generator?: Generator | null;
}
type Range<T> = { min?: T | number | null; max?: T | number | null };

/** Methods of whose names one with an underscore assigns the value that they give. */
export const assigning = [
  "maskedFill",
  "maskedScatter",
  "triu",
  "tril",
  "clip",
  "clampMin",
  "clampMax",
  "scatter",
  "scatterAdd",
  "indexAdd",
  "indexCopy",
  "indexPut",
  "scatterReduce",
  "cumsum",
  "indexFill",
  "lerp",
  "addcmul",
  "addcdiv",
  "addmm",
  "baddbmm",
  "pow",
  "remainder",
  "floorDivide",
  "nanToNum",
  "neg",
  "abs",
  "sign",
  "square",
  "reciprocal",
  "floor",
  "ceil",
  "trunc",
  "frac",
  "round",
  "sqrt",
  "rsqrt",
  "exp",
  "expm1",
  "log",
  "log1p",
  "sin",
  "cos",
  "tanh",
  "sigmoid",
  "relu",
  "erf",
  "logicalNot",
] as const;

/**
 * Methods that PyTorch does in place, each as the method of its name without the underscore: this object stands for the
 * new value, and no other tensor changes.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the loop below puts all of the interface there.
export abstract class InPlaceMethods<T extends HasNode> extends StatisticsMethods<T> {
  protected abstract assign_(op: string, value: Node): this;
  protected abstract become_(op: string, value: Node): this;

  /** One value on the main diagonal: that of elements whose indices are all equal. */
  fillDiagonal_(value: number | boolean): this {
    const { shape, dtype } = this.node;
    if (shape.length < 2 || (shape.length > 2 && shape.some((d) => d !== shape[0])))
      throw new ShapeError(
        `fillDiagonal_: takes a matrix, or more dimensions of one size, not shape ${shapeText(shape)}`,
      );
    const pick = (x: Node): Node => {
      let line = diagonal(x);
      while (line.shape.length > 1) line = diagonal(line);
      return line;
    };
    const length = Math.min(...shape);
    return this.assign_(
      "fillDiagonal_",
      replaced("fillDiagonal_", this.node, pick, full([length], value, dtype)),
    );
  }
  /** As `squeeze`; a parameter or buffer keeps its shape, and refuses. */
  squeeze_(dim?: number | readonly number[]): this {
    return this.become_("squeeze_", this.squeeze(dim).node);
  }
  /** As `unsqueeze`. */
  unsqueeze_(dim: number): this {
    return this.become_("unsqueeze_", this.unsqueeze(dim).node);
  }
  /** As `transpose`. */
  transpose_(dim0: number, dim1: number): this {
    return this.become_("transpose_", this.transpose(dim0, dim1).node);
  }
  /** As `t`. */
  t_(): this {
    return this.become_("t_", this.t().node);
  }
  /** Uniform numbers in [from, to), drawn anew. */
  uniform_(from = 0, to = 1, { generator }: Drawn = {}): this {
    if (!(from <= to))
      throw new ArgumentError(`uniform_: from ${from} to ${to}; the first must not be the larger`);
    return this.drawn("uniform_", (shape, dtype) =>
      add(mul(uniformNode(shape, dtype, generator), to - from), from),
    );
  }
  /** Normal numbers of a mean and standard deviation, drawn anew. */
  normal_(mean = 0, std = 1, { generator }: Drawn = {}): this {
    return this.drawn("normal_", (shape, dtype) => add(mul(normalNode(shape, dtype, generator), std), mean));
  }
  /** Exponential numbers, drawn anew: of mean 1 / lambd. */
  exponential_(lambd = 1, { generator }: Drawn = {}): this {
    if (!(lambd > 0)) throw new ArgumentError(`exponential_: lambd is ${lambd}; a rate is above 0`);
    return this.drawn("exponential_", (shape, dtype) => div(exponentialNode(shape, dtype, generator), lambd));
  }
  /** 1 with a probability, or with each element's of a tensor, else 0. */
  bernoulli_(p: T | number = 0.5, { generator }: Drawn = {}): this {
    if (typeof p === "number" && !(p >= 0 && p <= 1))
      throw new ArgumentError(`bernoulli_: p is ${p}; a probability is from 0 to 1`);
    const { shape, dtype } = this.node;
    const below = typeof p === "number" ? p : node("detach", [p.node], {});
    return this.assign_(
      "bernoulli_",
      withGrad(false, () => cast(lt(uniformNode(shape, "f32", generator), below), dtype)),
    );
  }

  private drawn(op: string, draw: (shape: Shape, dtype: DType) => Node): this {
    const { shape, dtype } = this.node;
    if (!isFloat(dtype))
      throw new DTypeError(`${op}: draws floating-point numbers, and this tensor is ${dtype}; cast it first`);
    return this.assign_(
      op,
      withGrad(false, () => cast(draw(shape, dtype), dtype)),
    );
  }
}

/** Those that have nothing of their own: each as the method of its name without the underscore. */
export interface InPlaceMethods<T extends HasNode> {
  /** As `maskedFill`. */
  maskedFill_(mask: T, value: T | number | boolean): this;
  /** As `maskedScatter`. */
  maskedScatter_(mask: T, source: T): this;
  /** As `triu`. */
  triu_(diagonal?: number): this;
  /** As `tril`. */
  tril_(diagonal?: number): this;
  /** As `clamp_`. */
  clip_(range: Range<T>): this;
  /** No less than a bound. */
  clampMin_(min: T | number): this;
  /** No more than a bound. */
  clampMax_(max: T | number): this;
  /** As `scatter`. */
  scatter_(dim: number, index: T, source: T | number, options?: { reduce?: "add" | "multiply" | null }): this;
  /** As `scatterAdd`. */
  scatterAdd_(dim: number, index: T, source: T): this;
  /** As `indexAdd`. */
  indexAdd_(dim: number, index: T, source: T, options?: { alpha?: number }): this;
  /** As `indexCopy`. */
  indexCopy_(dim: number, index: T, source: T): this;
  /** As `indexPut`: `x[i, …] = values`. */
  indexPut_(
    indices: readonly IndexOf<T>[],
    values: T | number | boolean,
    options?: { accumulate?: boolean },
  ): this;
  /** As `scatterReduce`. */
  scatterReduce_(
    dim: number,
    index: T,
    source: T,
    reduce: ScatterReduce,
    options?: { includeSelf?: boolean },
  ): this;
  /** As `cumsum`. */
  cumsum_(dim: number, options?: { dtype?: DType }): this;
  /** As `indexFill`. */
  indexFill_(dim: number, index: T, value: T | number | boolean): this;
  /** As `lerp`. */
  lerp_(end: T | number, weight: T | number): this;
  /** As `addcmul`. */
  addcmul_(a: T, b: T, options?: { value?: number }): this;
  /** As `addcdiv`. */
  addcdiv_(a: T, b: T, options?: { value?: number }): this;
  /** As `addmm`. */
  addmm_(a: T, b: T, options?: { beta?: number; alpha?: number }): this;
  /** As `baddbmm`. */
  baddbmm_(a: T, b: T, options?: { beta?: number; alpha?: number }): this;
  /** As `pow`. */
  pow_(exponent: T | number | boolean): this;
  /** As `remainder`. */
  remainder_(other: T | number | boolean): this;
  /** As `floorDivide`. */
  floorDivide_(other: T | number | boolean): this;
  /** As `nanToNum`. */
  nanToNum_(options?: { nan?: number; posinf?: number; neginf?: number }): this;
  /** As `neg`. */
  neg_(): this;
  /** As `abs`. */
  abs_(): this;
  /** As `sign`. */
  sign_(): this;
  /** As `square`. */
  square_(): this;
  /** As `reciprocal`. */
  reciprocal_(): this;
  /** As `floor`. */
  floor_(): this;
  /** As `ceil`. */
  ceil_(): this;
  /** As `trunc`. */
  trunc_(): this;
  /** As `frac`. */
  frac_(): this;
  /** As `round`. */
  round_(options?: { decimals?: number }): this;
  /** As `sqrt`. */
  sqrt_(): this;
  /** As `rsqrt`. */
  rsqrt_(): this;
  /** As `exp`. */
  exp_(): this;
  /** As `expm1`. */
  expm1_(): this;
  /** As `log`. */
  log_(): this;
  /** As `log1p`. */
  log1p_(): this;
  /** As `sin`. */
  sin_(): this;
  /** As `cos`. */
  cos_(): this;
  /** As `tanh`. */
  tanh_(): this;
  /** As `sigmoid`. */
  sigmoid_(): this;
  /** As `relu`. */
  relu_(): this;
  /** As `erf`. */
  erf_(): this;
  /** As `logicalNot`. */
  logicalNot_(): this;
}

type Giving = Record<string, (...args: unknown[]) => HasNode> & {
  assign_(op: string, value: Node): unknown;
};
for (const name of assigning) {
  const op = `${name}_`;
  // By this name stacks have it, of which engine/call-site.ts makes out what was called.
  const { [op]: value } = {
    [op](this: Giving, ...args: unknown[]) {
      return this.assign_(op, this[name]!(...args).node);
    },
  };
  Object.defineProperty(InPlaceMethods.prototype, op, { value, writable: true, configurable: true });
}
