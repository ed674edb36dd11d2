import { type DType, isFloat } from "../../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../../base/errors.ts";
import { type Shape, shapeText } from "../../base/shape.ts";
import { cast } from "../../ir/build.ts";
import { type Node, node, withGrad } from "../../ir/node.ts";
import { exponentialNode, normalNode, uniformNode } from "../draws.ts";
import { replaced } from "../operations/arrangement.ts";
import { add, div, full, lt, mul } from "../operations/elementwise.ts";
import { diagonal } from "../operations/movement.ts";
import type { ScatterReduce } from "../operations/scattering.ts";
import type { HasNode } from "./base.ts";
import type { IndexOf } from "./indexing.ts";
import { StatisticsMethods } from "./statistics.ts";

type Range<T> = { min?: T | number | null; max?: T | number | null };

/**
 * Methods that PyTorch does in place, each as the method of its name without the underscore: this object stands for the
 * new value, and no other tensor changes.
 */
export abstract class InPlaceMethods<T extends HasNode> extends StatisticsMethods<T> {
  protected abstract assign_(op: string, value: Node): this;
  protected abstract become_(op: string, value: Node): this;

  /** As `maskedFill`. */
  maskedFill_(mask: T, value: T | number | boolean): this {
    return this.assign_("maskedFill_", this.maskedFill(mask, value).node);
  }
  /** As `maskedScatter`. */
  maskedScatter_(mask: T, source: T): this {
    return this.assign_("maskedScatter_", this.maskedScatter(mask, source).node);
  }
  /** As `triu`. */
  triu_(diagonal = 0): this {
    return this.assign_("triu_", this.triu(diagonal).node);
  }
  /** As `tril`. */
  tril_(diagonal = 0): this {
    return this.assign_("tril_", this.tril(diagonal).node);
  }
  /** As `clamp_`. */
  clip_(range: Range<T>): this {
    return this.assign_("clip_", this.clip(range).node);
  }
  /** No less than a bound. */
  clampMin_(min: T | number): this {
    return this.assign_("clampMin_", this.clampMin(min).node);
  }
  /** No more than a bound. */
  clampMax_(max: T | number): this {
    return this.assign_("clampMax_", this.clampMax(max).node);
  }
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
  /** As `scatter`. */
  scatter_(
    dim: number,
    index: T,
    source: T | number,
    options?: { reduce?: "add" | "multiply" | null },
  ): this {
    return this.assign_("scatter_", this.scatter(dim, index, source, options).node);
  }
  /** As `scatterAdd`. */
  scatterAdd_(dim: number, index: T, source: T): this {
    return this.assign_("scatterAdd_", this.scatterAdd(dim, index, source).node);
  }
  /** As `indexAdd`. */
  indexAdd_(dim: number, index: T, source: T, options?: { alpha?: number }): this {
    return this.assign_("indexAdd_", this.indexAdd(dim, index, source, options).node);
  }
  /** As `indexCopy`. */
  indexCopy_(dim: number, index: T, source: T): this {
    return this.assign_("indexCopy_", this.indexCopy(dim, index, source).node);
  }
  /** As `indexPut`: `x[i, …] = values`. */
  indexPut_(
    indices: readonly IndexOf<T>[],
    values: T | number | boolean,
    options?: { accumulate?: boolean },
  ): this {
    return this.assign_("indexPut_", this.indexPut(indices, values, options).node);
  }
  /** As `scatterReduce`. */
  scatterReduce_(
    dim: number,
    index: T,
    source: T,
    reduce: ScatterReduce,
    options?: { includeSelf?: boolean },
  ): this {
    return this.assign_("scatterReduce_", this.scatterReduce(dim, index, source, reduce, options).node);
  }
  /** As `cumsum`. */
  cumsum_(dim: number, options?: { dtype?: DType }): this {
    return this.assign_("cumsum_", this.cumsum(dim, options).node);
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
  /** As `indexFill`. */
  indexFill_(dim: number, index: T, value: T | number | boolean): this {
    return this.assign_("indexFill_", this.indexFill(dim, index, value).node);
  }
  /** As `lerp`. */
  lerp_(end: T | number, weight: T | number): this {
    return this.assign_("lerp_", this.lerp(end, weight).node);
  }
  /** As `addcmul`. */
  addcmul_(a: T, b: T, options?: { value?: number }): this {
    return this.assign_("addcmul_", this.addcmul(a, b, options).node);
  }
  /** As `addcdiv`. */
  addcdiv_(a: T, b: T, options?: { value?: number }): this {
    return this.assign_("addcdiv_", this.addcdiv(a, b, options).node);
  }
  /** As `addmm`. */
  addmm_(a: T, b: T, options?: { beta?: number; alpha?: number }): this {
    return this.assign_("addmm_", this.addmm(a, b, options).node);
  }
  /** As `baddbmm`. */
  baddbmm_(a: T, b: T, options?: { beta?: number; alpha?: number }): this {
    return this.assign_("baddbmm_", this.baddbmm(a, b, options).node);
  }
  /** As `pow`. */
  pow_(exponent: T | number | boolean): this {
    return this.assign_("pow_", this.pow(exponent).node);
  }
  /** As `remainder`. */
  remainder_(other: T | number | boolean): this {
    return this.assign_("remainder_", this.remainder(other).node);
  }
  /** As `floorDivide`. */
  floorDivide_(other: T | number | boolean): this {
    return this.assign_("floorDivide_", this.floorDivide(other).node);
  }
  /** As `nanToNum`. */
  nanToNum_(options?: { nan?: number; posinf?: number; neginf?: number }): this {
    return this.assign_("nanToNum_", this.nanToNum(options).node);
  }
  /** As `neg`. */
  neg_(): this {
    return this.assign_("neg_", this.neg().node);
  }
  /** As `abs`. */
  abs_(): this {
    return this.assign_("abs_", this.abs().node);
  }
  /** As `sign`. */
  sign_(): this {
    return this.assign_("sign_", this.sign().node);
  }
  /** As `square`. */
  square_(): this {
    return this.assign_("square_", this.square().node);
  }
  /** As `reciprocal`. */
  reciprocal_(): this {
    return this.assign_("reciprocal_", this.reciprocal().node);
  }
  /** As `floor`. */
  floor_(): this {
    return this.assign_("floor_", this.floor().node);
  }
  /** As `ceil`. */
  ceil_(): this {
    return this.assign_("ceil_", this.ceil().node);
  }
  /** As `trunc`. */
  trunc_(): this {
    return this.assign_("trunc_", this.trunc().node);
  }
  /** As `frac`. */
  frac_(): this {
    return this.assign_("frac_", this.frac().node);
  }
  /** As `round`. */
  round_(): this {
    return this.assign_("round_", this.round().node);
  }
  /** As `sqrt`. */
  sqrt_(): this {
    return this.assign_("sqrt_", this.sqrt().node);
  }
  /** As `rsqrt`. */
  rsqrt_(): this {
    return this.assign_("rsqrt_", this.rsqrt().node);
  }
  /** As `exp`. */
  exp_(): this {
    return this.assign_("exp_", this.exp().node);
  }
  /** As `expm1`. */
  expm1_(): this {
    return this.assign_("expm1_", this.expm1().node);
  }
  /** As `log`. */
  log_(): this {
    return this.assign_("log_", this.log().node);
  }
  /** As `log1p`. */
  log1p_(): this {
    return this.assign_("log1p_", this.log1p().node);
  }
  /** As `sin`. */
  sin_(): this {
    return this.assign_("sin_", this.sin().node);
  }
  /** As `cos`. */
  cos_(): this {
    return this.assign_("cos_", this.cos().node);
  }
  /** As `tanh`. */
  tanh_(): this {
    return this.assign_("tanh_", this.tanh().node);
  }
  /** As `sigmoid`. */
  sigmoid_(): this {
    return this.assign_("sigmoid_", this.sigmoid().node);
  }
  /** As `relu`. */
  relu_(): this {
    return this.assign_("relu_", this.relu().node);
  }
  /** As `erf`. */
  erf_(): this {
    return this.assign_("erf_", this.erf().node);
  }
  /** As `logicalNot`. */
  logicalNot_(): this {
    return this.assign_("logicalNot_", this.logicalNot().node);
  }
  /** Uniform numbers in [from, to), drawn anew. */
  uniform_(from = 0, to = 1): this {
    if (!(from <= to))
      throw new ArgumentError(`uniform_: from ${from} to ${to}; the first must not be the larger`);
    return this.drawn("uniform_", (shape, dtype) => add(mul(uniformNode(shape, dtype), to - from), from));
  }
  /** Normal numbers of a mean and standard deviation, drawn anew. */
  normal_(mean = 0, std = 1): this {
    return this.drawn("normal_", (shape, dtype) => add(mul(normalNode(shape, dtype), std), mean));
  }
  /** Exponential numbers, drawn anew: of mean 1 / lambd. */
  exponential_(lambd = 1): this {
    if (!(lambd > 0)) throw new ArgumentError(`exponential_: lambd is ${lambd}; a rate is above 0`);
    return this.drawn("exponential_", (shape, dtype) => div(exponentialNode(shape, dtype), lambd));
  }
  /** 1 with a probability, or with each element's of a tensor, else 0. */
  bernoulli_(p: T | number = 0.5): this {
    if (typeof p === "number" && !(p >= 0 && p <= 1))
      throw new ArgumentError(`bernoulli_: p is ${p}; a probability is from 0 to 1`);
    const { shape, dtype } = this.node;
    const below = typeof p === "number" ? p : node("detach", [p.node], {});
    return this.assign_(
      "bernoulli_",
      withGrad(false, () => cast(lt(uniformNode(shape, "f32"), below), dtype)),
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
