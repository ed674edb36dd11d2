import { InternalError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import { isOp, type Node, node, nodeLike, topological } from "../ir/node.ts";
import { ops } from "../ir/op.ts";
import { makingInPlaceOf } from "../ir/origin.ts";
import { Sums } from "./collectives.ts";
import { isAttentionNode, JoinedGradients, prepareAttention } from "./join-gradients.ts";
import { PartialSums, partsOf } from "./partial-sums.ts";
import type { PlanGraph } from "./plan.ts";
import { isWhole, mergeStrides, viewOf } from "./view.ts";

/** Products up to this many multiplications, or of another dtype than f32, are plain loops, which fuse with what is around them. */
const loopProduct = 20_000;
/** Reductions to one number over more elements than this are done in parts, so that threads can share them. */
const wideReduction = 65_536;

/** A graph in which every node is a kernel's work or a strided view of one, and what is asked of it. */
export interface Prepared {
  /** As `topological` has just given it: the `index` of each node is its place. */
  readonly order: readonly Node[];
  /** Nodes to be copied out. */
  readonly outputs: readonly Node[];
  /** Bases of the values that go over input slots. */
  readonly writes: readonly { readonly slot: number; readonly value: Node }[];
  /** Bases of status words. */
  readonly checks: readonly Node[];
  /** Sums in parts, of which others are made: a kernel that has their elements may make them on its way. */
  readonly partial: ReadonlySet<Node<"sum">>;
  /** The input slot of a leaf; -1 of anything else. */
  readonly slot: (n: Node) => number;
  /** How many input slots there are. */
  readonly slots: number;
}

/** The bases of all that is asked of a graph. */
export const rootBasesOf = ({ outputs, writes, checks }: Prepared): Set<Node> =>
  new Set([...outputs.map((n) => viewOf(n).base), ...writes.map((w) => w.value), ...checks]);

/**
 * Rewrites a graph so that every node is a kernel's work or a strided view of one: copies where no strides can
 * say a reshape, small products as loops, wide reductions in two stages.
 */
export function prepare(graph: PlanGraph): Prepared {
  const asked = [...graph.outputs, ...graph.writes.map((w) => w.value), ...graph.checks];
  const sums = new PartialSums(graph.order);
  const roots = rewritten(asked, graph.order, sums);
  const [o, w] = [graph.outputs.length, graph.writes.length];
  const slots = new Map<number, number>();
  for (const [slot, leaf] of graph.leaves.entries()) slots.set(leaf.attrs.source.id, slot);
  const baseOf = (at: number): Node => viewOf(roots[at]!).base;
  return {
    order: inTurns(roots, graph.order.length),
    outputs: roots.slice(0, o),
    writes: graph.writes.map(({ slot }, i) => ({ slot, value: baseOf(o + i) })),
    checks: graph.checks.map((_, i) => baseOf(o + w + i)),
    partial: sums.made,
    slot: (n) => (isOp(n, "input") ? slots.get(n.attrs.source.id)! : -1),
    slots: graph.leaves.length,
  };
}

/**
 * All nodes in topological order, with what exchanges are made of before all else, by their turns: what comes first is
 * computed first, and other ranks have it while the rest is under way.
 */
function inTurns(roots: readonly Node[], about: number): Node[] {
  const order = topological(roots, about);
  const exchanges = order.filter((n) => isOp(n, "exchange")).sort((a, b) => a.attrs.turn - b.attrs.turn);
  if (exchanges.some((n, i) => n.attrs.turn === exchanges[i - 1]?.attrs.turn))
    throw new InternalError("plan: two exchanges with other ranks have one turn");
  return exchanges.length === 0 ? order : topological([...exchanges, ...roots], about);
}

function rewritten(roots: readonly Node[], order: readonly Node[], partial: PartialSums): Node[] {
  const made = new Array<Node>(order.length);
  const gradients = new JoinedGradients(order);
  const sums = new Sums();
  for (let place = 0; place < order.length; place++) {
    const n = order[place]!;
    n.index = place;
    const src = operandsIn(made, n);
    makingInPlaceOf(n);
    if (isOp(n, "allReduce")) {
      // What is given to other ranks is memory, from its beginning on.
      made[place] = sums.make(n, src.map(asRoot));
      continue;
    }
    const part = sums.part(n);
    if (part !== null) {
      made[place] = part;
      continue;
    }
    if (isOp(n, "attentionGradient")) made[place] = gradients.part(n, src, rewrite);
    else {
      const own = src === n.src ? n : nodeLike(n, src);
      made[place] = (isOp(own, "sum") && partial.make(own)) || rewrite(own);
    }
  }
  makingInPlaceOf(null);
  return roots.map((r) => asRoot(made[r.index]!));
}

/** What the operands of a node have become, by their places: its own list where they have stayed what they were. */
function operandsIn(made: readonly Node[], { src }: Node): readonly Node[] {
  let i = 0;
  while (i < src.length && made[src[i]!.index] === src[i]) i++;
  if (i === src.length) return src;
  const become = src.slice();
  for (; i < src.length; i++) become[i] = made[src[i]!.index]!;
  return become;
}

/** A copy of a view into memory of its own. */
const copyOf = (n: Node): Node => node("cast", [n], { dtype: n.dtype }, false);
const whole = (n: Node): Node =>
  isWhole(viewOf(n), n.shape) && viewOf(n).base.op !== "hostScalar" ? n : copyOf(n);

function asRoot(n: Node): Node {
  const { base } = viewOf(n);
  return isWhole(viewOf(n), n.shape) && ops[base.op].kind !== "leaf" ? n : copyOf(n);
}

function rewrite(n: Node): Node {
  if (isOp(n, "reshape") && viewOf(n).base === n) return node("reshape", [copyOf(n.src[0]!)], n.attrs, false);
  if (isOp(n, "dot")) return product(n);
  if (isOp(n, "sum") || isOp(n, "maxReduce") || isOp(n, "minReduce") || isOp(n, "prod")) return reduction(n);
  if (isOp(n, "argmax") || isOp(n, "argsort") || isOp(n, "cumsum"))
    return node(n.op, [whole(n.src[0]!)], n.attrs as never, false);
  if (isAttentionNode(n)) return prepareAttention(n, copyOf);
  if (isOp(n, "scatter") || isOp(n, "scatterAdd")) {
    const [data, indices, updates] = n.src as [Node, Node, Node];
    return node(
      n.op,
      [data, threeAxes(indices, n.attrs.axis), threeAxes(updates, n.attrs.axis)],
      n.attrs,
      false,
    );
  }
  if (isOp(n, "gather")) {
    // The gathered tensor is memory, not a value: a leaf that has none gets a copy.
    const { base } = viewOf(n.src[0]!);
    if (isOp(base, "constant") || isOp(base, "iota") || isOp(base, "hostScalar"))
      return node("gather", [copyOf(n.src[0]!), n.src[1]!], n.attrs, false);
  }
  return n;
}

function threeAxes(n: Node, axis: number): Node {
  const { base, strides } = viewOf(n);
  const before = mergeStrides(n.shape.slice(0, axis), strides.slice(0, axis));
  const after = mergeStrides(n.shape.slice(axis + 1), strides.slice(axis + 1));
  const memory = !isOp(base, "constant") && !isOp(base, "iota") && !isOp(base, "hostScalar");
  return before === null || after === null || !memory ? copyOf(n) : n;
}

function reduction(n: Node<"sum" | "maxReduce" | "minReduce" | "prod">): Node {
  const x = n.src[0]!;
  const axes = n.attrs.axes.filter((a) => x.shape[a] !== 1);
  if (axes.length === 0) return node("reshape", [x], { shape: n.shape }, false);
  const size = sizeOf(x.shape);
  if (sizeOf(n.shape) === 1 && size > wideReduction) {
    const parts = partsOf(size, 64);
    if (parts > 1) {
      const rows = node("reshape", [x], { shape: [parts, size / parts] }, false);
      const partial = node(n.op, [rewrite(rows)], { axes: [1] }, false);
      return node("reshape", [node(n.op, [partial], { axes: [0] }, false)], { shape: n.shape }, false);
    }
  }
  if (axes.length === n.attrs.axes.length) return n;
  const inner = node(n.op, [x], { axes }, false);
  return node("reshape", [inner], { shape: n.shape }, false);
}

/** The axes of a product's operands by role. */
export function dotRoles(n: Node<"dot">): { leftFree: number[]; rightFree: number[] } {
  const { leftBatch, rightBatch, leftContract, rightContract } = n.attrs;
  const free = (shape: readonly number[], a: readonly number[], b: readonly number[]) =>
    shape.map((_, i) => i).filter((i) => !a.includes(i) && !b.includes(i));
  return {
    leftFree: free(n.src[0]!.shape, leftBatch, leftContract),
    rightFree: free(n.src[1]!.shape, rightBatch, rightContract),
  };
}

function product(n: Node<"dot">): Node {
  const [a, b] = n.src as [Node, Node];
  const { leftBatch, rightBatch, leftContract, rightContract } = n.attrs;
  const { leftFree, rightFree } = dotRoles(n);
  const size = (x: Node, axes: readonly number[]) => axes.reduce((s, i) => s * x.shape[i]!, 1);
  const m = size(a, leftFree);
  const cols = size(b, rightFree);
  const depth = size(a, leftContract);
  const work = size(a, leftBatch) * m * cols * depth;
  if (n.dtype !== "f32" || work <= loopProduct || m === 1 || cols === 1 || depth <= 1) {
    const ones = (count: number) => new Array<number>(count).fill(1);
    const shape = [
      ...leftBatch.map((i) => a.shape[i]!),
      ...leftFree.map((i) => a.shape[i]!),
      ...rightFree.map((i) => b.shape[i]!),
      ...leftContract.map((i) => a.shape[i]!),
    ];
    const spread = (
      x: Node,
      batch: readonly number[],
      free: readonly number[],
      contract: readonly number[],
      left: boolean,
    ): Node => {
      const axes = [...batch, ...free, ...contract];
      const moved = node("permute", [x], { axes }, false);
      const at = (list: readonly number[]) => list.map((i) => x.shape[i]!);
      const wide = [
        ...at(batch),
        ...(left ? at(free) : ones(leftFree.length)),
        ...(left ? ones(rightFree.length) : at(free)),
        ...at(contract),
      ];
      return node("expand", [rewrite(node("reshape", [moved], { shape: wide }, false))], { shape }, false);
    };
    const factors = node(
      "mul",
      [
        spread(a, leftBatch, leftFree, leftContract, true),
        spread(b, rightBatch, rightFree, rightContract, false),
      ],
      {},
      false,
    );
    const rank = shape.length;
    if (leftContract.length === 0) return factors;
    return reduction(
      node("sum", [factors], { axes: leftContract.map((_, i) => rank - leftContract.length + i) }, false),
    );
  }
  // Packing walks one contracted axis; operands in which several do not merge are copied first.
  const merges = (x: Node, axes: readonly number[]) =>
    mergeStrides(
      axes.map((i) => x.shape[i]!),
      axes.map((i) => viewOf(x).strides[i]!),
    ) !== null;
  const memory = (x: Node, contract: readonly number[]): Node => {
    const { base } = viewOf(x);
    return merges(x, contract) && !isOp(base, "iota") && !isOp(base, "constant") && !isOp(base, "hostScalar")
      ? x
      : mergedCopy(x, contract);
  };
  const left = memory(a, leftContract);
  const right = memory(b, rightContract);
  return left === a && right === b ? n : node("dot", [left, right], n.attrs, false);
}

/** A copy in which the contracted axes lie together, in their order. */
function mergedCopy(x: Node, contract: readonly number[]): Node {
  const axes = [...x.shape.map((_, i) => i).filter((i) => !contract.includes(i)), ...contract];
  const copy = copyOf(node("permute", [x], { axes }, false));
  return node("permute", [copy], { axes: x.shape.map((_, i) => axes.indexOf(i)) }, false);
}
