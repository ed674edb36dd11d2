import { ArgumentError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import { cast, filled, reshape } from "../ir/build.ts";
import { type Node, node } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
import { checkElements } from "./operations/check-elements.ts";
import {
  add,
  and,
  div,
  eq,
  ge,
  isfinite,
  le,
  minimum,
  mul,
  not,
  sub,
  where,
} from "./operations/elementwise.ts";
import { scatterAdd } from "./operations/indexing.ts";
import { constant, floating, refuseIntegers } from "./operations/promote.ts";
import { amax, amin } from "./operations/reduction.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/** Options of `histc`. */
export interface HistcOptions {
  /** The lower end of the first bin; 0. */
  min?: number;
  /** The upper end of the last bin, which belongs to it; 0. */
  max?: number;
}

/**
 * How many elements fall into each of `bins` (100) bins of equal width from `min` to `max`; where these are equal, from
 * the smallest element to the largest. What lies outside is not counted.
 *
 * Takes a floating-point tensor of any shape; gives [bins] in its dtype, without a gradient.
 * Throws `DTypeError` for integers, `ArgumentError` for no bins, for a range that is not finite or the wrong way round,
 * and, when it is read at the latest, for an element that is not finite where the elements make the range.
 * Source: `torch.histc`. Example: `histc(weights, 10, { min: -1, max: 1 })`.
 */
export const histc = checked(
  "histc",
  takes({ x: kind.tensor, bins: kind.maybe(kind.whole) }, { min: kind.number, max: kind.number }),
  (x: Tensor, bins = 100, { min = 0, max = 0 }: HistcOptions = {}): Tensor => {
    refuseIntegers("histc", x);
    if (bins < 1) throw new ArgumentError(`histc: ${bins} bins; there must be at least one`);
    if (!(Number.isFinite(min) && Number.isFinite(max) && min <= max))
      throw new ArgumentError(`histc: from ${min} to ${max}; the ends are finite, and max is not below min`);
    const flat = node("detach", [reshape(floating(x.node), [x.numel])], {});
    return new Tensor(counts(flat, bins, min, max));
  },
);

function counts(given: Node, bins: number, min: number, max: number): Node {
  const { x, low, high } = ranged(given, min, max);
  const isInside = and(ge(x, low), le(x, high));
  const place = div(mul(sub(where(isInside, x, low), low), bins), sub(high, low));
  // The upper end belongs to the last bin.
  const index = minimum(cast(place, "i32"), bins - 1);
  return scatterAdd(filled(0, [bins], x.dtype), 0, index, cast(isInside, x.dtype));
}

/** The ends of the range, which the elements make where none is given, and one to each side where they are equal. */
function ranged(x: Node, min: number, max: number): { x: Node; low: Node; high: Node } {
  const number = (value: number): Node => constant(value, x.dtype);
  if (min !== max) return { x, low: number(min), high: number(max) };
  if (sizeOf(x.shape) === 0) return { x, low: number(min - 1), high: number(max + 1) };
  const demand = {
    meets: Number.isFinite,
    fails: (): Node => not(isfinite(x)),
    error: (value?: number): ArgumentError =>
      new ArgumentError(
        `histc: ${value === undefined ? "an element" : value} is not finite, and no range reaches it; give min and max`,
      ),
  };
  const known = checkElements(x, demand, () => node("detach", [x], {})) ?? x;
  const [low, high] = [amin(known), amax(known)];
  const isOne = eq(low, high);
  return { x: known, low: where(isOne, sub(low, 1), low), high: where(isOne, add(high, 1), high) };
}
