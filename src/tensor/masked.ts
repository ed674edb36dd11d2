import type { DType } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import * as kind from "./argument-kinds.ts";
import { ones } from "./create.ts";
import { checked, takes } from "./signature.ts";
import type { Tensor } from "./tensor.ts";

/** Reductions of what a mask leaves in, named and behaving as `torch.masked`. */

/** Options of masked reductions. */
export interface MaskedOptions {
  /** Which elements count: bool, broadcast; without one all do. */
  mask?: Tensor | null;
  keepdim?: boolean;
  /** What the tensor is cast to first. */
  dtype?: DType;
}

/** Options of `masked.var` and `masked.std`. */
export interface MaskedVarianceOptions extends MaskedOptions {
  /** What the count is less in the divisor; 1. */
  correction?: number;
}

const along = { x: kind.tensor, dim: kind.nullable(kind.dims) };
const options = { mask: kind.nullable(kind.tensor), keepdim: kind.boolean, dtype: kind.dtype };
type Dim = number | readonly number[] | null;

/** The tensor as it is reduced, and which of its elements count. */
function parts(op: string, x: Tensor, { mask = null, dtype }: MaskedOptions): { x: Tensor; counts: Tensor } {
  const cast = dtype === undefined ? x : x.to(dtype);
  if (mask !== null && mask.dtype !== "bool")
    throw new DTypeError(
      `masked.${op}: the mask is ${mask.dtype}, not bool; compare it with something first`,
    );
  return { x: cast, counts: mask === null ? ones(cast.shape, { dtype: "bool" }) : mask.expand(cast.shape) };
}

/**
 * The sum of the elements where a mask is true; 0 where it is nowhere.
 *
 * Takes any shape and dtype, and dimensions, all unless given; gives the shape without them. Elements that the mask leaves
 * out may be NaN, and get no gradient.
 * Throws `DTypeError` for a mask that is not bool, `ShapeError` for one that does not broadcast.
 * Source: `torch.masked.sum`. Example: `masked.sum(x, -1, { mask })`.
 */
export const sum = checked(
  "masked.sum",
  takes(along, options),
  (input: Tensor, dim?: Dim, given: MaskedOptions = {}): Tensor => {
    const { x, counts } = parts("sum", input, given);
    return x.where(counts, x.dtype === "bool" ? false : 0).sum(dim ?? undefined, keep(given));
  },
);

const keep = ({ keepdim = false }: MaskedOptions): { keepdim: boolean } => ({ keepdim });

/**
 * The mean of the elements where a mask is true; NaN where it is nowhere. Takes what `masked.sum` takes, of a floating dtype.
 * Source: `torch.masked.mean`. Example: `masked.mean(x, -1, { mask })`.
 */
export const mean = checked(
  "masked.mean",
  takes(along, options),
  (input: Tensor, dim?: Dim, given: MaskedOptions = {}): Tensor => meanOf(input, dim, given),
);

function meanOf(input: Tensor, dim: Dim | undefined, { mask, keepdim, dtype }: MaskedOptions): Tensor {
  const given = { mask: mask ?? null, keepdim: keepdim ?? false, ...(dtype !== undefined && { dtype }) };
  const { counts } = parts("mean", input, given);
  return sum(input, dim, given).div(counts.sum(dim ?? undefined, keep(given)));
}

/**
 * The variance of the elements where a mask is true, over their count less `correction`, which is 1 unless given. Takes what
 * `masked.sum` takes, of a floating dtype.
 * Source: `torch.masked.var`. Example: `masked.var(x, -1, { mask, correction: 0 })`.
 */
export const variance = checked(
  "masked.var",
  takes(along, { ...options, correction: kind.number }),
  (input: Tensor, dim?: Dim, given: MaskedVarianceOptions = {}): Tensor => {
    const { x, counts } = parts("var", input, given);
    const centred = x.sub(meanOf(input, dim, { ...given, keepdim: true }));
    const squares = centred
      .where(counts, 0)
      .square()
      .sum(dim ?? undefined, keep(given));
    const count = counts.sum(dim ?? undefined, keep(given));
    return squares.div(count.sub(given.correction ?? 1).clamp({ min: 0 }));
  },
);

/**
 * The root of `masked.var`.
 * Source: `torch.masked.std`. Example: `masked.std(x, -1, { mask })`.
 */
export const std = checked(
  "masked.std",
  takes(along, { ...options, correction: kind.number }),
  (input: Tensor, dim?: Dim, given: MaskedVarianceOptions = {}): Tensor => variance(input, dim, given).sqrt(),
);

export { variance as var };
