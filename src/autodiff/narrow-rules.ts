import { dtypes } from "../base/dtype.ts";
import { type Shape, sizeOf } from "../base/shape.ts";
import { cast, expand, filled, pad, permute, reshape, sliceAxis, where } from "../ir/build.ts";
import { type ElementwiseOp, elementwiseOps } from "../ir/evaluate-elementwise.ts";
import { isOp, type Node, node } from "../ir/node.ts";
import type { Op } from "../ir/op.ts";
import { along, type Cut, cutShape, type NarrowRule, type Pushed } from "./cut.ts";
import { attentionGradientPart } from "./narrow-attention.ts";
import { type Places, range, within } from "./places.ts";

/** The same operation on the same cut of every operand. */
const every = <K extends Op>(n: Node<K>, cut: Cut): Pushed => ({
  needs: n.src.map((of) => ({ of, cut })),
  build: (parts) => node(n.op, parts, n.attrs),
});

/** The same cut of the first operand. */
const operand = (n: Node, cut: Cut): Pushed => ({ needs: [{ of: n.src[0]!, cut }], build: ([x]) => x! });

/** The one operand, cut along `axis`. */
const one = (n: Node, axis: number, places: Places, build: (x: Node) => Node): Pushed => ({
  needs: [{ of: n.src[0]!, cut: { axis, places } }],
  build: ([x]) => build(x!),
});

/** Work along one axis, all of whose operands have the others. */
const acrossAxis = <K extends "argsort" | "cumsum">(n: Node<K>, cut: Cut): Pushed | null =>
  cut.axis === (n.attrs as { axis: number }).axis ? null : every(n, cut);

/** The axes of a shape that are none of `others`. */
const rest = (shape: Shape, ...others: number[]): number[] =>
  shape.map((_, i) => i).filter((i) => !others.includes(i));

function reduction<K extends "sum" | "maxReduce" | "minReduce" | "prod">(n: Node<K>, cut: Cut): Pushed {
  const attrs = n.attrs as { axes: readonly number[] };
  const axis = rest(n.src[0]!.shape, ...attrs.axes)[cut.axis]!;
  return one(n, axis, cut.places, (x) => node(n.op, [x], n.attrs));
}

/** Along the axis of the indices, each index is found among the places; those that are none of them are dropped. */
function scattered<K extends "scatter" | "scatterAdd">(n: Node<K>, cut: Cut): Pushed {
  if (cut.axis !== n.attrs.axis) return every(n, cut);
  const [data, indices, updates] = n.src as readonly [Node, Node, Node];
  return {
    needs: [
      { of: data, cut },
      { of: indices, cut: null },
      { of: updates, cut: null },
    ],
    build: ([d, i, u]) => node(n.op, [d!, cut.places.find(i!), u!], n.attrs),
  };
}

/** An axis that a reshape leaves as it is, splits, or merges with others. */
function reshaped(n: Node<"reshape">, cut: Cut): Pushed | null {
  const x = n.src[0]!;
  if (isOp(x, "attentionGradient")) return attentionGradientPart(n, x, cut);
  const { axis, places } = cut;
  if (sizeOf(x.shape) === 0) return null;
  const before = sizeOf(n.shape.slice(0, axis));
  const axisOf = (fits: (d: number) => boolean): number =>
    x.shape.findIndex((d, i) => fits(d) && sizeOf(x.shape.slice(0, i)) === before);
  const same = axisOf((d) => d === places.size);
  if (same >= 0) return one(n, same, places, (part) => reshape(part, cutShape(n.shape, cut)));
  const other = axisOf((d) => d > 1);
  return other >= 0 && isRange(places) ? regrouped(n, { axis, places }, other) : null;
}

/**
 * A range along an axis that is the first of those that an axis of the operand, `other`, is split into, or that merges
 * it with those after it: of as many heads, say, as the places lie in.
 */
function regrouped(
  n: Node<"reshape">,
  { axis, places: { start, count, size } }: { readonly axis: number; readonly places: Range },
  other: number,
): Pushed | null {
  const rows = n.src[0]!.shape[other]!;
  const shapeOf = (places: Places): Shape => cutShape(n.shape, { axis, places });
  if (rows % size === 0) {
    const each = rows / size;
    return one(n, other, range(start * each, count * each, rows), (x) =>
      reshape(x, shapeOf(range(start, count, size))),
    );
  }
  if (size % rows !== 0) return null;
  const each = size / rows;
  const first = Math.floor(start / each);
  const held = Math.ceil((start + count) / each) - first;
  if (held === rows) return null;
  return one(n, other, range(first, held, rows), (x) =>
    sliceAxis(reshape(x, shapeOf(range(first * each, held * each, size))), axis, start - first * each, count),
  );
}

function sliced(n: Node<"slice">, { axis, places }: Cut): Pushed | null {
  const { start, size, step } = n.attrs;
  if (step[axis] !== 1 || size[axis] === 0) return null;
  const shifted = places.shift(start[axis]!, n.src[0]!.shape[axis]!);
  const others = { start: start.with(axis, 0), size: size.with(axis, places.count), step };
  return one(n, axis, shifted, (x) => node("slice", [x], others));
}

/** What of a range along an axis lies in its piece [from, from + size), and how much of it before and after that. */
function clip({ start, count }: Range, from: number, size: number) {
  const first = Math.max(start, from);
  const end = Math.min(start + count, from + size);
  return { places: range(first - from, end - first, size), low: first - start, high: start + count - end };
}

/** Places without a gap, of which the graph is told the first. */
type Range = Places & { readonly start: number };
const isRange = (places: Places): places is Range => places.start !== null;

/** Where the places are that lie in a piece [0, size) of an axis: a mask of the shape of the part. */
const maskOf = (places: Places, size: number, shape: Shape, axis: number): Node =>
  along(within(places.indices(), size), shape, axis);

function padded(n: Node<"pad">, cut: Cut): Pushed | null {
  const { axis, places } = cut;
  const { low, high, value } = n.attrs;
  const size = n.src[0]!.shape[axis]!;
  const shape = cutShape(n.shape, cut);
  const nothing: Pushed = { needs: [], build: () => filled(value, shape, n.dtype) };
  if (isRange(places)) {
    const inner = clip(places, low[axis]!, size);
    if (inner.places.count <= 0) return nothing;
    return one(n, axis, inner.places, (x) =>
      pad(x, low.with(axis, inner.low), high.with(axis, inner.high), value),
    );
  }
  if (size === 0) return nothing;
  if (!dtypes[n.dtype].compute) return null;
  const shifted = places.shift(-low[axis]!, size);
  return one(n, axis, shifted, (x) => {
    const part = pad(x, low.with(axis, 0), high.with(axis, 0), value);
    if (low[axis] === 0 && high[axis] === 0) return part;
    return where(maskOf(shifted, size, shape, axis), part, filled(value, shape, n.dtype));
  });
}

function concatenated(n: Node<"concat">, cut: Cut): Pushed | null {
  const { axis, places } = cut;
  if (axis !== n.attrs.axis) return every(n, cut);
  let from = 0;
  const pieces = n.src.map((of) => {
    const at = from;
    from += of.shape[axis]!;
    return { of, at, size: of.shape[axis]! };
  });
  if (isRange(places)) {
    const clipped = pieces
      .map(({ of, at, size }) => ({ of, cut: { axis, places: clip(places, at, size).places } }))
      .filter((piece) => piece.cut.places.count > 0);
    if (clipped.length === 0) return null;
    return {
      needs: clipped,
      build: (parts) => (parts.length === 1 ? parts[0]! : node("concat", parts, n.attrs)),
    };
  }
  // Every piece is asked for every place, which many pieces are not worth.
  const some = pieces.filter(({ size }) => size > 0);
  if (!dtypes[n.dtype].compute || some.length * places.count >= places.size) return null;
  const needs = some.map(({ of, at, size }) => ({ of, cut: { axis, places: places.shift(-at, size) } }));
  const shape = cutShape(n.shape, cut);
  return {
    needs,
    build: (parts) =>
      parts.reduce((all, part, i) =>
        where(maskOf(needs[i]!.cut.places, some[i]!.size, shape, axis), part, all),
      ),
  };
}

/** Onto the operand, or for a batch axis onto both, that the axis comes from. */
function product(n: Node<"dot">, { axis, places }: Cut): Pushed {
  const { leftBatch, rightBatch, leftContract, rightContract } = n.attrs;
  const [left, right] = n.src as readonly [Node, Node];
  const lefts = rest(left.shape, ...leftBatch, ...leftContract);
  const rights = rest(right.shape, ...rightBatch, ...rightContract);
  const l = [...leftBatch, ...lefts][axis];
  const r = axis < rightBatch.length ? rightBatch[axis] : rights[axis - leftBatch.length - lefts.length];
  const cutAt = (at: number | undefined): Cut | null => (at === undefined ? null : { axis: at, places });
  return {
    needs: [
      { of: left, cut: cutAt(l) },
      { of: right, cut: cutAt(r) },
    ],
    build: (parts) => node("dot", parts, n.attrs),
  };
}

const elementwise = Object.fromEntries(elementwiseOps.map((op) => [op, every])) as {
  readonly [K in ElementwiseOp]: NarrowRule<K>;
};

/** What a part of each primitive is made of; null: it is always taken from the whole. */
export const narrowRules: { readonly [K in Op]: NarrowRule<K> | null } = {
  input: null,
  constant: null,
  hostScalar: null,
  iota: (n, cut) => {
    const { axis, dtype } = n.attrs;
    const shape = cutShape(n.shape, cut);
    if (axis !== cut.axis) return { needs: [], build: () => node("iota", [], { shape, axis, dtype }) };
    return { needs: [], build: () => along(cast(cut.places.indices(), dtype), shape, axis) };
  },
  variable: null,
  detach: every,
  stated: operand,
  recomputed: operand,
  custom: null,
  customResult: operand,
  ...elementwise,
  sum: reduction,
  maxReduce: reduction,
  minReduce: reduction,
  prod: reduction,
  argmax: (n, cut) => {
    const axis = rest(n.src[0]!.shape, n.attrs.axis)[cut.axis]!;
    return one(n, axis, cut.places, (x) => node("argmax", [x], { axis: n.attrs.axis }));
  },
  reshape: reshaped,
  permute: (n, cut) => one(n, n.attrs.axes[cut.axis]!, cut.places, (x) => permute(x, n.attrs.axes)),
  expand: (n, cut) => {
    const shape = cutShape(n.shape, cut);
    if (n.src[0]!.shape[cut.axis] === 1)
      return { needs: [{ of: n.src[0]!, cut: null }], build: ([x]) => expand(x!, shape) };
    return one(n, cut.axis, cut.places, (x) => expand(x, shape));
  },
  slice: sliced,
  pad: padded,
  concat: concatenated,
  barrier: every,
  dot: product,
  gather: (n, cut) => {
    if (cut.axis !== n.attrs.axis) return every(n, cut);
    const [data, indices] = n.src as readonly [Node, Node];
    return {
      needs: [
        { of: data, cut: null },
        { of: indices, cut },
      ],
      build: (parts) => node("gather", parts, n.attrs),
    };
  },
  scatterAdd: scattered,
  scatter: scattered,
  argsort: acrossAxis,
  cumsum: acrossAxis,
  attention: null,
  attentionGradient: null,
  allReduce: null,
  exchange: null,
  received: null,
  randomBits: null,
};
