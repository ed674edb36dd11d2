import { type DType, isFloat } from "../../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../../base/errors.ts";
import { shapeText, sizeOf } from "../../base/shape.ts";
import { cast, reshape } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { checkElements } from "./check-elements.ts";
import { dimOf } from "./dims.ts";
import {
  ceil,
  clamp,
  div,
  floor,
  floorDivide,
  isnan,
  lerp,
  lt,
  maximum,
  mul,
  not,
  round,
  sqrt,
  sub,
  where,
} from "./elementwise.ts";
import { mm } from "./linalg.ts";
import { cat, diagonal, movedim, narrow, transpose, unsqueeze } from "./movement.ts";
import { broadcastTo, constant, floating } from "./promote.ts";
import { any, type Dim, type Indexed, meanable, sum } from "./reduction.ts";
import { argsort } from "./sorting.ts";

/** The sum of what is not NaN. */
export const nansum = (x: Node, dim?: Dim, keepdim = false, dtype?: DType): Node =>
  sum(where(isnan(x), constant(0, x.dtype), x), dim, keepdim, dtype);

/** The mean of what is not NaN. */
export function nanmean(input: Node, dim?: Dim, keepdim = false, dtype?: DType): Node {
  const x = meanable("nanmean", dtype === undefined ? input : cast(input, dtype));
  const total = nansum(x, dim, keepdim);
  return div(total, sum(not(isnan(x)), dim, keepdim));
}

/** A dimension sorted, brought to the end, in as many dimensions as it has: a scalar is a vector of one. */
function sorted(op: string, x: Node, dim: number): { axis: number; line: Node; order: Node } {
  const axis = dimOf(op, dim, x.shape.length, x.shape);
  const line = x.shape.length === 0 ? reshape(x, [1]) : movedim(x, axis, -1);
  return { axis, line, order: argsort(node("detach", [line], {}), -1) };
}

const pick = (line: Node, order: Node, place: Node): { value: Node; index: Node } => {
  const axis = line.shape.length - 1;
  const index = node("gather", [order, place], { axis });
  return { value: node("gather", [line, index], { axis }), index };
};

const whole = (x: Node): Node => reshape(x, [sizeOf(x.shape)]);

function placed(
  x: Node,
  axis: number,
  { value, index }: { value: Node; index: Node },
  keepdim: boolean,
): Indexed<Node> {
  const back = (y: Node): Node => {
    if (x.shape.length === 0) return reshape(y, []);
    return keepdim ? movedim(y, -1, axis) : reshape(y, y.shape.slice(0, -1));
  };
  return { values: back(value), indices: back(index) };
}

/** The lower of the two in the middle along a dimension; NaN if there is one, unless NaN are left out. */
export function medianAlong(
  op: "median" | "nanmedian",
  x: Node,
  dim: number,
  keepdim: boolean,
): Indexed<Node> {
  const { axis, line, order } = sorted(op, x, dim);
  const count = line.shape.at(-1)!;
  if (count === 0)
    throw new ShapeError(
      `${op}: there is no middle of no elements; the tensor has shape ${shapeText(x.shape)}`,
    );
  const absent = sum(isnan(line), -1, true);
  const middle = floorDivide(sub(count - 1, op === "median" ? mul(absent, 0) : absent), 2);
  // NaN are sorted to the end: the first of them stands where the others stop.
  const place =
    op === "median" ? where(any(isnan(line), -1, true), sub(count, absent), middle) : maximum(middle, 0);
  return placed(x, axis, pick(line, order, cast(place, "i32")), keepdim);
}

/** The lower of the two in the middle of all elements. */
export function median(op: "median" | "nanmedian", x: Node): Node {
  if (sizeOf(x.shape) === 0) return cast(div(sum(x), 0), x.dtype);
  return medianAlong(op, whole(x), 0, false).values;
}

/** The k-th smallest along a dimension, counted from 1, and where it is. */
export function kthvalue(x: Node, k: number, dim: number, keepdim: boolean): Indexed<Node> {
  const { axis, line, order } = sorted("kthvalue", x, dim);
  const count = line.shape.at(-1)!;
  if (k < 1 || k > count)
    throw new ArgumentError(
      `kthvalue: ${k} is not from 1 to ${count}, the size of dimension ${dim} of ${shapeText(x.shape)}`,
    );
  return placed(x, axis, pick(line, order, constantPlace(k - 1, line)), keepdim);
}

const constantPlace = (place: number, line: Node): Node =>
  broadcastTo(constant(place, "i32"), [...line.shape.slice(0, -1), 1], "kthvalue");

/** How a quantile between two elements is made of them. */
export type Interpolation = "linear" | "lower" | "higher" | "midpoint" | "nearest";

/** The value below which a part `q` of the elements along a dimension lies. Several q come first in the shape. */
export function quantile(
  op: "quantile" | "nanquantile",
  input: Node,
  q: Node,
  dim: number | undefined | null,
  keepdim: boolean,
  interpolation: Interpolation,
): Node {
  const x = floating(input);
  if (x.dtype !== input.dtype)
    throw new DTypeError(`${op}: takes a floating-point tensor, not ${input.dtype}`);
  if (q.shape.length > 1)
    throw new ShapeError(`${op}: q is a number or a vector, not of shape ${shapeText(q.shape)}`);
  if (sizeOf(x.shape) === 0)
    throw new ShapeError(`${op}: the tensor of shape ${shapeText(x.shape)} is empty`);
  const all = dim === undefined || dim === null;
  const { axis, line, order } = sorted(op, all ? whole(x) : x, dim ?? 0);
  const last = line.shape.length - 1;
  const values = node("gather", [line, order], { axis: last });
  const count = line.shape.at(-1)!;
  const absent = sum(isnan(line), -1, true);
  const outer = line.shape.slice(0, -1);
  const ks = sizeOf(q.shape);
  const ranks = [...outer, ks];
  const part = broadcastTo(reshape(cast(q, x.dtype), [...outer.map(() => 1), ks]), ranks, op);
  const present = op === "quantile" ? mul(absent, 0) : absent;
  const most = maximum(sub(count - 1, present), 0);
  const rank = mul(part, cast(broadcastTo(most, ranks, op), x.dtype));
  const hasNone =
    op === "quantile"
      ? any(isnan(line), -1, true)
      : cast(sub(1, node("sign", [sub(count, absent)], {})), "bool");
  const at = (place: Node): Node => node("gather", [values, cast(place, "i32")], { axis: last });
  const exact =
    interpolation === "lower"
      ? at(floor(rank))
      : interpolation === "higher"
        ? at(ceil(rank))
        : interpolation === "nearest"
          ? at(round(rank))
          : lerp(
              at(floor(rank)),
              at(ceil(rank)),
              interpolation === "midpoint" ? 0.5 : sub(rank, floor(rank)),
            );
  const result = where(broadcastTo(hasNone, ranks, op), Number.NaN, exact);
  // The q go first, and what is left of the dimension back to its place.
  const front = movedim(result, -1, 0);
  const left = keepdim ? (all ? x.shape.map(() => 1) : outer.toSpliced(axis, 0, 1)) : outer;
  return reshape(front, [...q.shape, ...(x.shape.length === 0 ? [] : left)]);
}

/** Differences of neighbours along a dimension, n times over. */
export function diff(input: Node, n: number, dim: number, prepend?: Node, append?: Node): Node {
  if (input.shape.length === 0)
    throw new ShapeError("diff: a scalar has no neighbours; give at least one dimension");
  if (n < 0) throw new ArgumentError(`diff: ${n} times; n is from 0 on`);
  const axis = dimOf("diff", dim, input.shape.length, input.shape);
  const ends = [prepend, input, append].filter((x) => x !== undefined);
  let x = n === 0 ? input : cat(ends, axis);
  for (let i = 0; i < n; i++) {
    const count = x.shape[axis]!;
    if (count === 0) break;
    const [later, earlier] = [narrow(x, axis, 1, count - 1), narrow(x, axis, 0, count - 1)];
    x = x.dtype === "bool" ? node("xor", [later, earlier], {}) : sub(later, earlier);
  }
  return x;
}

/** How often observations count, as whole numbers or by how much they are to be relied on. */
export interface CovWeights {
  readonly frequencies?: Node | undefined;
  readonly importances?: Node | undefined;
}

/** How the rows of a matrix vary together; a vector is one row. One row has a variance, of shape []. */
export function cov(input: Node, correction: number, { frequencies, importances }: CovWeights = {}): Node {
  if (input.shape.length > 2)
    throw new ShapeError(`cov: takes at most 2 dimensions, not shape ${shapeText(input.shape)}`);
  const x = floating(input.shape.length === 2 ? input : reshape(input, [1, sizeOf(input.shape)]));
  const count = x.shape[1]!;
  const weights: Node[] = [];
  for (const [name, w] of [
    ["fweights", frequencies],
    ["aweights", importances],
  ] as const) {
    if (w === undefined) continue;
    if (w.shape.length > 1 || sizeOf(w.shape) !== count)
      throw new ShapeError(
        `cov: ${name} of shape ${shapeText(w.shape)} for ${count} observations; there is one for each`,
      );
    if ((name === "fweights") === isFloat(w.dtype) || w.dtype === "bool")
      throw new DTypeError(
        `cov: ${name} are ${name === "fweights" ? "integers" : "floating point"}, not ${w.dtype}; cast them with to()`,
      );
    const error = (v?: number): ArgumentError =>
      new ArgumentError(`cov: one of the ${name}${v === undefined ? "" : `, ${v},`} is negative; none is`);
    const checked = checkElements(w, { meets: (v) => !(v < 0), fails: () => lt(w, 0), error }, () =>
      node("detach", [w], {}),
    );
    weights.push(cast(reshape(checked ?? w, [count]), x.dtype));
  }
  const w = weights.length === 2 ? mul(weights[0]!, weights[1]!) : weights[0];
  const total = w === undefined ? constant(count, x.dtype) : sum(w);
  const average = div(sum(w === undefined ? x : mul(x, w), 1, true), total);
  const centred = sub(x, average);
  const left =
    importances === undefined || correction === 0
      ? sub(total, correction)
      : sub(total, div(mul(sum(mul(w!, weights.at(-1)!)), correction), total));
  const right = transpose(w === undefined ? centred : mul(centred, w), 0, 1);
  const product = div(mm(centred, right), clamp(left, 0));
  return x.shape[0] === 1 ? reshape(product, []) : product;
}

/** Correlations of the rows of a matrix, from −1 to 1. */
export function corrcoef(input: Node): Node {
  const c = cov(input, 1);
  if (c.shape.length === 0) return div(c, c);
  const spread = sqrt(diagonal(c));
  return clamp(div(div(c, unsqueeze(spread, 1)), spread), -1, 1);
}
