import { ArgumentError, DTypeError, IndexError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { filled } from "../ir/build.ts";
import type { Node } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
import { dimOf } from "./operations/dims.ts";
import { add, div, mul, sub } from "./operations/elementwise.ts";
import { narrow, reshape, select } from "./operations/movement.ts";
import { floatNumber } from "./operations/number.ts";
import { cumsum, sum } from "./operations/reduction.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/** Options of `trapezoid` and `cumulativeTrapezoid`. */
export interface TrapezoidOptions {
  /** How far samples lie apart, where no `x` says so; 1. */
  dx?: number;
  /** The dimension along which samples lie; the last. */
  dim?: number;
}

const signature = takes(
  { y: kind.tensor, x: kind.nullable(kind.tensor) },
  { dx: kind.number, dim: kind.dim },
);

/** Samples along a dimension: how many, each with the one after it added, and how far they lie apart. */
interface Samples {
  readonly y: Node;
  readonly axis: number;
  readonly count: number;
  readonly pairs: Node;
  /** null: everywhere `dx`. */
  readonly gaps: Node | null;
  readonly dx: number;
}

function samplesOf(
  op: string,
  { node: y }: Tensor,
  x: Tensor | null | undefined,
  options: TrapezoidOptions,
): Samples {
  const { dx = 1, dim = -1 } = options;
  const { shape } = y;
  for (const t of [y, x?.node])
    if (t?.dtype === "bool") throw new DTypeError(`${op}: takes numbers, not bool; cast it with to("f32")`);
  if (shape.length === 0)
    throw new IndexError(`${op}: a scalar has no dimension ${dim}; use reshape([1]) first`);
  if (x && options.dx !== undefined)
    throw new ArgumentError(
      `${op}: x and dx (${dx}) both say how far samples lie apart; give one of the two`,
    );
  const axis = dimOf(op, dim, shape.length, shape);
  const count = shape[axis]!;
  const neighbours = (t: Node, along: number): [Node, Node] => {
    const size = Math.max(0, t.shape[along]! - 1);
    return [narrow(t, along, 0, size), narrow(t, along, Math.min(1, t.shape[along]!), size)];
  };
  const [before, after] = neighbours(y, axis);
  const pairs = add(before, after);
  if (!x) return { y, axis, count, pairs, gaps: null, dx };
  const line =
    x.ndim === 1
      ? reshape(
          x.node,
          shape.map((_, i) => (i === axis ? x.numel : 1)),
        )
      : x.node;
  const along = line.shape.length - (shape.length - axis);
  if (line.shape[along] !== count)
    throw new ShapeError(
      `${op}: x of shape ${shapeText(x.shape)} for samples of shape ${shapeText(shape)}: along dimension ${dim} there is one x for each sample`,
    );
  const [left, right] = neighbours(line, along);
  return { y, axis, count, pairs, gaps: sub(right, left), dx };
}

/**
 * The area under samples along a dimension, by the rule of trapezoids: sums of (yᵢ + yᵢ₊₁) / 2 · (xᵢ₊₁ − xᵢ).
 *
 * Takes y of any shape, and x, where it is given, as a vector or of a shape that broadcasts with y; gives the shape of y
 * without the dimension. Of integers it is floating point. Fewer than two samples have an area of 0.
 * Throws `ShapeError` where there are not as many x as samples, `ArgumentError` where both x and `dx` are given,
 * `DTypeError` for bools, `IndexError` for a dimension that is not there.
 * Source: `torch.trapezoid`. Example: `trapezoid(y, x)`, `trapezoid(y, null, { dx: 0.1 })`.
 */
export const trapezoid = checked(
  "trapezoid",
  signature,
  (y: Tensor, x?: Tensor | null, options: TrapezoidOptions = {}): Tensor => {
    const { axis, count, pairs, gaps, dx } = samplesOf("trapezoid", y, x, options);
    if (count === 0) return new Tensor(filled(0, y.shape.toSpliced(axis, 1), y.dtype));
    if (gaps !== null) return new Tensor(div(sum(mul(gaps, pairs), negative(axis, y)), 2));
    const ends = add(select(y.node, axis, 0), select(y.node, axis, count - 1));
    return new Tensor(mul(sub(sum(y.node, axis), mul(ends, 0.5)), dx));
  },
);

/**
 * As `trapezoid`, the area up to each sample but the first: the dimension has one element less.
 * Source: `torch.cumulative_trapezoid`. Example: `cumulativeTrapezoid(speed, null, { dx: dt })`.
 */
export const cumulativeTrapezoid = checked(
  "cumulativeTrapezoid",
  signature,
  (y: Tensor, x?: Tensor | null, options: TrapezoidOptions = {}): Tensor => {
    const { axis, pairs, gaps, dx } = samplesOf("cumulativeTrapezoid", y, x, options);
    const areas = gaps === null ? mul(pairs, floatNumber(dx / 2)) : div(mul(gaps, pairs), 2);
    return new Tensor(cumsum(areas, negative(axis, y)));
  },
);

/** A dimension counted from the end, as it is where x has more dimensions than y. */
const negative = (axis: number, y: Tensor): number => axis - y.ndim;
