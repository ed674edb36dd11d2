import type { DType } from "../../base/dtype.ts";
import { ArgumentError } from "../../base/errors.ts";
import * as products from "../operations/products.ts";
import { constant } from "../operations/promote.ts";
import { amax, amin, type Dim, type Indexed } from "../operations/reduction.ts";
import * as scans from "../operations/scans.ts";
import { sort } from "../operations/sorting.ts";
import * as ops from "../operations/statistics.ts";
import { type HasNode, numberOf } from "./base.ts";
import type { Keepdim } from "./reduction.ts";
import { ScatteringMethods } from "./scattering.ts";

/** What a product and what it is added to are multiplied by. */
interface Scales {
  beta?: number;
  alpha?: number;
}

/** Methods of statistics, running reductions, and products of matrices that are added to something. */
export abstract class StatisticsMethods<T extends HasNode> extends ScatteringMethods<T> {
  /** The sum of what is not NaN. */
  nansum(dim?: Dim, { keepdim = false, dtype }: Keepdim & { dtype?: DType } = {}): T {
    return this.wrap(ops.nansum(this.node, dim, keepdim, dtype));
  }
  /** The mean of what is not NaN. */
  nanmean(dim?: Dim, { keepdim = false, dtype }: Keepdim & { dtype?: DType } = {}): T {
    return this.wrap(ops.nanmean(this.node, dim, keepdim, dtype));
  }
  /** The smallest and the largest; ties share the gradient. */
  aminmax({ dim, keepdim = false }: Keepdim & { dim?: number | null } = {}): { min: T; max: T } {
    const along = dim ?? undefined;
    return {
      min: this.wrap(amin(this.node, along, keepdim)),
      max: this.wrap(amax(this.node, along, keepdim)),
    };
  }
  /** Running products along a dimension. */
  cumprod(dim: number, { dtype }: { dtype?: DType } = {}): T {
    return this.wrap(scans.cumprod(this.node, dim, dtype));
  }
  /** Running logarithms of sums of eˣ along a dimension. */
  logcumsumexp(dim: number): T {
    return this.wrap(scans.logcumsumexp(this.node, dim));
  }
  /** The largest so far along a dimension, and where it is. */
  cummax(dim: number): Indexed<T> {
    return this.wrapBoth(scans.cummax(this.node, dim));
  }
  /** The smallest so far along a dimension, and where it is. */
  cummin(dim: number): Indexed<T> {
    return this.wrapBoth(scans.cummin(this.node, dim));
  }
  /** The first dimension sorted. */
  msort(): T {
    return this.wrap(sort(this.node, 0).values);
  }
  /** The lower of the two in the middle: of all, or along a dimension with where it is. NaN if there is one. */
  median(): T;
  median(dim: number, options?: Keepdim): Indexed<T>;
  median(dim?: number, { keepdim = false }: Keepdim = {}): T | Indexed<T> {
    if (dim === undefined) return this.wrap(ops.median("median", this.node));
    return this.wrapBoth(ops.medianAlong("median", this.node, dim, keepdim));
  }
  /** As `median`, of what is not NaN. */
  nanmedian(): T;
  nanmedian(dim: number, options?: Keepdim): Indexed<T>;
  nanmedian(dim?: number, { keepdim = false }: Keepdim = {}): T | Indexed<T> {
    if (dim === undefined) return this.wrap(ops.median("nanmedian", this.node));
    return this.wrapBoth(ops.medianAlong("nanmedian", this.node, dim, keepdim));
  }
  /** The k-th smallest along a dimension, counted from 1, and where it is. */
  kthvalue(k: number, dim = -1, { keepdim = false }: Keepdim = {}): Indexed<T> {
    return this.wrapBoth(ops.kthvalue(this.node, k, dim, keepdim));
  }
  /** The value below which a part q of the elements lies, of all or along a dimension; several q come first in the shape. */
  quantile(
    q: T | number,
    dim?: number | null,
    { keepdim = false, interpolation = "linear" }: Keepdim & { interpolation?: ops.Interpolation } = {},
  ): T {
    return this.wrap(ops.quantile("quantile", this.node, this.parts(q), dim, keepdim, interpolation));
  }
  /** As `quantile`, of what is not NaN. */
  nanquantile(
    q: T | number,
    dim?: number | null,
    { keepdim = false, interpolation = "linear" }: Keepdim & { interpolation?: ops.Interpolation } = {},
  ): T {
    return this.wrap(ops.quantile("nanquantile", this.node, this.parts(q), dim, keepdim, interpolation));
  }
  /** Differences of neighbours along a dimension, n times over. */
  diff({ n = 1, dim = -1, prepend, append }: { n?: number; dim?: number; prepend?: T; append?: T } = {}): T {
    return this.wrap(ops.diff(this.node, n, dim, prepend?.node, append?.node));
  }
  /**
   * How the rows of a matrix vary together; each column is an observation. `fweights`, whole numbers, are how often each was
   * made, `aweights` how much it counts: [columns], neither negative.
   */
  cov({
    correction = 1,
    fweights,
    aweights,
  }: {
    correction?: number;
    fweights?: T | null;
    aweights?: T | null;
  } = {}): T {
    const weights = { frequencies: fweights?.node, importances: aweights?.node };
    return this.wrap(ops.cov(this.node, correction, weights));
  }
  /** Correlations of the rows of a matrix. */
  corrcoef(): T {
    return this.wrap(ops.corrcoef(this.node));
  }
  /** The product of a matrix and a vector. */
  mv(vec: T): T {
    return this.wrap(products.mv(this.node, vec.node));
  }
  /** Sums of products over the last dimension of both. */
  inner(other: T): T {
    return this.wrap(products.inner(this.node, other.node));
  }
  /** The sum of a matrix's diagonal. */
  trace(): T {
    return this.wrap(products.trace(this.node));
  }
  /** The Kronecker product. */
  kron(other: T): T {
    return this.wrap(products.kron(this.node, other.node));
  }
  /** The cross product of vectors of three along a dimension: the first that has size 3, unless given. */
  cross(other: T, dim?: number | null): T {
    return this.wrap(products.cross(this.node, other.node, dim ?? null));
  }
  /** beta · this + alpha · a · b, of two matrices. */
  addmm(a: T, b: T, { beta = 1, alpha = 1 }: Scales = {}): T {
    return this.wrap(products.addmm(this.node, a.node, b.node, numberOf(beta), numberOf(alpha)));
  }
  /** beta · this + alpha · a · b, of a matrix and a vector. */
  addmv(a: T, b: T, { beta = 1, alpha = 1 }: Scales = {}): T {
    return this.wrap(products.addmv(this.node, a.node, b.node, numberOf(beta), numberOf(alpha)));
  }
  /** beta · this + alpha · every product of elements of two vectors. */
  addr(a: T, b: T, { beta = 1, alpha = 1 }: Scales = {}): T {
    return this.wrap(products.addr(this.node, a.node, b.node, numberOf(beta), numberOf(alpha)));
  }
  /** beta · this + alpha · a · b, of two batches of matrices. */
  baddbmm(a: T, b: T, { beta = 1, alpha = 1 }: Scales = {}): T {
    return this.wrap(products.baddbmm(this.node, a.node, b.node, numberOf(beta), numberOf(alpha)));
  }
  /** beta · this + alpha · the sum over the batch of a · b. */
  addbmm(a: T, b: T, { beta = 1, alpha = 1 }: Scales = {}): T {
    return this.wrap(products.addbmm(this.node, a.node, b.node, numberOf(beta), numberOf(alpha)));
  }

  private parts(q: T | number) {
    if (typeof q !== "number") return q.node;
    if (!(q >= 0 && q <= 1)) throw new ArgumentError(`quantile: q is ${q}; a part is from 0 to 1`);
    return constant(q, this.node.dtype);
  }
}
