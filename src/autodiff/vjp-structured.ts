import { GradientError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import {
  cast,
  div,
  eq,
  filled,
  flip,
  mul,
  pad,
  padAxis,
  permute,
  reshape,
  restore,
  sliceAxis,
  sum,
} from "../ir/build.ts";
import { isOp, type Node, node, topological } from "../ir/node.ts";

/** Gradient rules of the primitives whose structure takes more than a line; the table is `vjp.ts`. */

function range(from: number, to: number): number[] {
  const numbers = new Array<number>(to - from);
  for (let i = from; i < to; i++) numbers[i - from] = i;
  return numbers;
}

/** maxReduce and minReduce: in equal parts to every element that is the extremum (as `torch.amax`). */
export function extremum(n: Node, g: Node, axes: readonly number[]): Node {
  const x = n.src[0]!;
  const is = cast(eq(x, restore(n, axes, x.shape)), g.dtype);
  return mul(is, restore(div(g, sum(is, axes)), axes, x.shape));
}

/** Products of all elements before each along the last axis, in log₂ steps of doubling distance. */
function productsBefore(x: Node): Node {
  const axis = x.shape.length - 1;
  const count = x.shape[axis]!;
  const shifted = (y: Node, by: number): Node => padAxis(sliceAxis(y, axis, 0, count - by), axis, by, 0, 1);
  let products = shifted(x, 1);
  for (let distance = 1; distance < count; distance *= 2)
    products = mul(products, shifted(products, distance));
  return products;
}

/**
 * prod: each element gets the product of the others, as products before times products after. No division, so it
 * is right with zeros, and so is its own derivative.
 */
export function prodOperand(n: Node<"prod">, g: Node): Node {
  const x = n.src[0]!;
  const { axes } = n.attrs;
  const kept = range(0, x.shape.length).filter((i) => !axes.includes(i));
  const order = [...kept, ...axes];
  const count = axes.reduce((product, a) => product * x.shape[a]!, 1);
  if (count === 0) return filled(0, x.shape, g.dtype);
  const lined = reshape(permute(x, order), [...n.shape, count]);
  const others = mul(productsBefore(lined), flip(productsBefore(flip(lined, kept.length)), kept.length));
  const back = permute(
    reshape(
      others,
      order.map((a) => x.shape[a]!),
    ),
    range(0, order.length).map((i) => order.indexOf(i)),
  );
  return mul(restore(g, axes, x.shape), back);
}

/** expand: the sum over the repeats. */
export function expandOperand(n: Node<"expand">, g: Node): Node {
  const { shape } = n.src[0]!;
  return reshape(
    sum(
      g,
      range(0, shape.length).filter((i) => shape[i] !== n.shape[i]),
    ),
    shape,
  );
}

/** slice: every element goes back to its place among zeros; steps are undone by padding between elements. */
export function sliceOperand(n: Node<"slice">, g: Node): Node {
  const { shape } = n.src[0]!;
  const { start, size, step } = n.attrs;
  if (size.includes(0)) return filled(0, shape, g.dtype);
  let x = g;
  const low = [...start];
  for (let axis = 0; axis < shape.length; axis++) {
    if (step[axis]! < 0) {
      if (size[axis]! > 1) x = flip(x, axis);
      low[axis] = start[axis]! + (size[axis]! - 1) * step[axis]!;
    }
    const stride = Math.abs(step[axis]!);
    if (stride > 1 && size[axis]! > 1) x = spread(x, axis, stride);
  }
  return pad(
    x,
    low,
    shape.map((d, i) => d - low[i]! - x.shape[i]!),
  );
}

/** Puts `stride - 1` zeros between neighbours along an axis. */
function spread(x: Node, axis: number, stride: number): Node {
  const before = x.shape.slice(0, axis);
  const after = x.shape.slice(axis + 1);
  const count = x.shape[axis]!;
  const split = padAxis(reshape(x, [...before, count, 1, ...after]), axis + 1, 0, stride - 1, 0);
  return sliceAxis(reshape(split, [...before, count * stride, ...after]), axis, 0, (count - 1) * stride + 1);
}

/** concat: the operand's own piece. */
export function concatOperand(n: Node<"concat">, g: Node, operand: number): Node {
  const { axis } = n.attrs;
  let start = 0;
  for (let i = 0; i < operand; i++) start += n.src[i]!.shape[axis]!;
  return sliceAxis(g, axis, start, n.src[operand]!.shape[axis]!);
}

/** allReduce: what a rank gives reaches the results of all, so its gradient is the sum of theirs. */
export function allReduceOperand(n: Node<"allReduce">, g: Node, operand: number): Node {
  const { src, attrs } = n;
  const start = src.slice(0, operand).reduce((sum, s) => sum + sizeOf(s.shape), 0);
  const { shape } = src[operand]!;
  const total = node("allReduce", [g], { by: attrs.by, turn: mirroredTurn(n, g) });
  return reshape(sliceAxis(total, 0, start, sizeOf(shape)), shape);
}

/** Sums that losses are made of have turns below the first, and those of gradients, and of theirs, below the last. */
const [firstTurns, lastTurns] = [2 ** 16, 2 ** 19];

/**
 * The turn of a sum's gradient: gradients come after all sums that there are, in the reverse order, which all ranks have
 * alike, whatever else their graphs are. Those of gradients come after these, in the reverse order of both.
 */
function mirroredTurn({ attrs: { turn } }: Node<"allReduce">, g: Node): number {
  let most = 0;
  for (const made of topological([g])) if (isOp(made, "allReduce")) most = Math.max(most, made.attrs.turn);
  let end = 2 * firstTurns;
  while (turn >= end / 2 || most >= end) end *= 2;
  if (end > lastTurns)
    throw new GradientError(
      "A sum over ranks has gradients, gradients of these, and of these, and no further ones.",
    );
  return end - 1 - turn;
}

/** One side of a dot: its axes by role. */
interface Side {
  readonly x: Node;
  readonly batch: readonly number[];
  readonly contract: readonly number[];
  readonly free: readonly number[];
}

function side(x: Node, batch: readonly number[], contract: readonly number[]): Side {
  const free: number[] = [];
  for (let i = 0; i < x.shape.length; i++) if (!batch.includes(i) && !contract.includes(i)) free.push(i);
  return { x, batch, contract, free };
}

/** dot, left operand. */
export const dotLeft = (n: Node<"dot">, g: Node): Node => dotOperand(n, g, true);
/** dot, right operand. */
export const dotRight = (n: Node<"dot">, g: Node): Node => dotOperand(n, g, false);

/**
 * The gradient contracted with the other operand over that one's free axes. Of the two orders of operands it takes
 * the one whose result has the wanted axis order by itself, and permutes only where neither has.
 */
function dotOperand(n: Node<"dot">, g: Node, left: boolean): Node {
  const { leftBatch, rightBatch, leftContract, rightContract } = n.attrs;
  const l = side(n.src[0]!, leftBatch, leftContract);
  const r = side(n.src[1]!, rightBatch, rightContract);
  const [mine, other] = left ? [l, r] : [r, l];
  const batch = range(0, leftBatch.length);
  const leftFree = range(batch.length, batch.length + l.free.length);
  const rightFree = range(batch.length + l.free.length, n.shape.length);
  const gContract = left ? rightFree : leftFree;

  // The other operand's contracted axes come out in their own order; each stands for one of mine.
  const contracted = [...other.contract]
    .sort((a, b) => a - b)
    .map((a) => mine.contract[other.contract.indexOf(a)]!);
  const gFirst = [...mine.batch, ...mine.free, ...contracted];
  const otherFirst = [...mine.batch, ...contracted, ...mine.free];
  if (!isIdentity(gFirst) && isIdentity(otherFirst))
    return node("dot", [other.x, g], {
      leftBatch: other.batch,
      rightBatch: batch,
      leftContract: other.free,
      rightContract: gContract,
    });
  const product = node("dot", [g, other.x], {
    leftBatch: batch,
    rightBatch: other.batch,
    leftContract: gContract,
    rightContract: other.free,
  });
  return permute(
    product,
    gFirst.map((_, i) => gFirst.indexOf(i)),
  );
}

const isIdentity = (axes: readonly number[]): boolean => axes.every((a, i) => a === i);
