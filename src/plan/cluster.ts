import { dtypes } from "../base/dtype.ts";
import { contiguousStrides, type Shape, sameShape } from "../base/shape.ts";
import { isOp, type Node } from "../ir/node.ts";
import type { View } from "../ir/op.ts";
import { ops } from "../ir/op.ts";
import { type Phases, phasesOf } from "./phases.ts";
import { dependsOn, type Ordered, precede } from "./precedence.ts";
import { type Prepared, rootBasesOf } from "./prepare.ts";
import { viewOf } from "./view.ts";

/** Nodes that become one kernel. */
export interface Cluster extends Ordered<Cluster> {
  readonly kind: "loop" | "contract" | "single";
  /** The iteration space, axes of size 1 left out. */
  readonly shape: Shape;
  /** When it runs: after all of earlier phases. */
  readonly phase: number;
  /** The axes of `shape` that its reductions fold, or null while there is none. */
  reduced: readonly number[] | null;
  nodes: Node[];
  /** Members that have one value a row rather than one an element. */
  readonly rows: Set<Node>;
}

/** A graph cut into kernels. */
export interface Clusters {
  readonly list: readonly Cluster[];
  readonly of: ReadonlyMap<Node, Cluster>;
  /** Elementwise nodes over leaves only, used by one product: evaluated while its operand is packed. */
  readonly prologues: ReadonlySet<Node>;
  readonly phases: Phases | null;
}

const maxNodes = 64;
const isReduce = (n: Node): boolean =>
  isOp(n, "sum") || isOp(n, "maxReduce") || isOp(n, "minReduce") || isOp(n, "prod");
const isElement = (n: Node): boolean =>
  ops[n.op].kind === "elementwise" || isOp(n, "gather") || isOp(n, "randomBits");

/** Whether a node is computed by a kernel: neither a leaf nor a view of something else. */
export function isComputed(n: Node): boolean {
  const { kind } = ops[n.op];
  return kind === "movement" ? viewOf(n).base === n : kind !== "leaf";
}

/** A shape without its axes of size 1. */
const squeeze = (shape: Shape): Shape => (shape.includes(1) ? shape.filter((d) => d !== 1) : shape);
/** Strides without those of axes of size 1. */
export const squeezeStrides = (shape: Shape, strides: readonly number[]): readonly number[] =>
  shape.includes(1) ? strides.filter((_, i) => shape[i] !== 1) : strides;

/** The shape of a cluster's rows. */
export const rowShape = (c: Cluster): number[] => c.shape.filter((_, i) => !c.reduced?.includes(i));

/** The strides with which an element of the cluster finds its own value of a member. */
function ownStrides(c: Cluster, member: Node): number[] {
  if (!c.rows.has(member)) return contiguousStrides(c.shape);
  const strides = contiguousStrides(rowShape(c));
  let next = 0;
  return c.shape.map((_, i) => (c.reduced!.includes(i) ? 0 : strides[next++]!));
}

/** Whether `view`, seen from an element (or a row) of the cluster, is that element's own value. */
function isOwn(c: Cluster, n: Node, view: View, asRow: boolean): boolean {
  if (view.offset !== 0) return false;
  const strides = squeezeStrides(n.shape, view.strides);
  if (asRow) return c.rows.has(view.base) && sameShape(strides, contiguousStrides(rowShape(c)));
  return sameShape(strides, ownStrides(c, view.base));
}

/** How `n` would belong to `c`: as a value per element, per row, or not at all. */
function fit(c: Cluster, n: Node, of: ReadonlyMap<Node, Cluster>): "full" | "row" | null {
  if (c.kind === "single" || c.nodes.length >= maxNodes) return null;
  const inside = (s: Node) => of.get(viewOf(s).base) === c;
  // A value of a storage type is rounded by its way through memory.
  if (n.src.some((s) => inside(s) && !dtypes[s.dtype].compute)) return null;
  if (c.kind === "contract" && usesDouble(n)) return null;
  if (isReduce(n)) {
    const source = n.src[0]!;
    if (c.kind !== "loop" || !sameShape(squeeze(source.shape), c.shape)) return null;
    const axes = reducedAxes(n);
    if (c.reduced !== null && !sameShape(c.reduced, axes)) return null;
    return !inside(source) || isOwn(c, source, viewOf(source), false) ? "row" : null;
  }
  const shape = squeeze(n.shape);
  if (isOp(n, "gather") && inside(n.src[0]!)) return null;
  if (isOp(n, "randomBits") && inside(n.src[0]!)) return null;
  if (sameShape(shape, c.shape))
    return n.src.every((s) => !inside(s) || isOwn(c, s, viewOf(s), false)) ? "full" : null;
  if (c.reduced === null || !sameShape(shape, rowShape(c))) return null;
  return n.src.every((s) => !inside(s) || isOwn(c, s, viewOf(s), true)) ? "row" : null;
}

/** A reduction's axes, counted without axes of size 1. */
function reducedAxes(n: Node): number[] {
  const { axes } = n.attrs as { axes: readonly number[] };
  const shape = n.src[0]!.shape;
  return axes.filter((a) => shape[a] !== 1).map((a) => squeeze(shape.slice(0, a)).length);
}

/**
 * Cuts a prepared graph into kernels. Each node in turn joins the cluster of one of its operands
 * that it fits into, and clusters of its other operands that it fits into are joined to that one; else it begins a
 * cluster of its own. Two things become one kernel only where neither must run after the other through a third, or
 * kernels would wait for each other: so nothing is joined that a cluster in between depends on.
 */
export function clusterize(asked: Prepared): Clusters {
  const { order } = asked;
  const of = new Map<Node, Cluster>();
  const roots = rootBasesOf(asked);
  const prologues = findPrologues(order, roots);
  const phases = phasesOf(order, roots);
  const list = new Set<Cluster>();

  /** Joins `b` to `a`, or gives null where they do not go together. */
  const merge = (a: Cluster, b: Cluster): Cluster | null => {
    const asRows = a.kind === "loop" && isMap(b) && a.reduced !== null && sameShape(b.shape, rowShape(a));
    if (!asRows && !sameShape(a.shape, b.shape)) return null;
    if (a.phase !== b.phase) return null;
    if (a.nodes.length + b.nodes.length > maxNodes || a.kind === "single" || b.kind === "single") return null;
    if (b.kind === "contract") return a.kind === "contract" ? null : merge(b, a);
    if (a.kind === "contract" && (b.reduced !== null || b.nodes.some(usesDouble))) return null;
    if (a.reduced !== null && b.reduced !== null && !sameShape(a.reduced, b.reduced)) return null;
    if (dependsOn(a, b) || dependsOn(b, a)) return null;
    a.reduced ??= b.reduced;
    if (asRows) for (const n of b.nodes) a.rows.add(n);
    for (const n of b.rows) a.rows.add(n);
    a.nodes = [...a.nodes, ...b.nodes].sort((x, y) => x.index - y.index);
    for (const n of b.nodes) of.set(n, a);
    list.delete(b);
    for (const d of b.deps) {
      d.users.delete(b);
      precede(d, a);
    }
    for (const u of b.users) {
      u.deps.delete(b);
      precede(a, u);
    }
    return a;
  };

  for (const n of order) {
    if (!isComputed(n) || prologues.has(n)) continue;
    const sources = new Set<Cluster>();
    for (const s of n.src) {
      const c = of.get(viewOf(s).base);
      if (c !== undefined) sources.add(c);
    }
    const phase = phases?.of[n.index] ?? 0;
    let home: Cluster | null = null;
    if (isElement(n) || isReduce(n)) {
      // Where another operand is computed out of a cluster, its kernel runs between the cluster's and the node.
      const isBefore = (c: Cluster): boolean => {
        for (const s of sources) if (s !== c && s !== home && dependsOn(s, c)) return true;
        return false;
      };
      for (const c of [...sources].reverse()) {
        if (c.phase !== phase || fit(c, n, of) === null || isBefore(c)) continue;
        if (home === null) home = c;
        else {
          const merged = merge(home, c);
          if (merged === null) continue;
          sources.delete(merged === home ? c : home);
          home = merged;
        }
      }
    }
    if (home === null) {
      const kind = isOp(n, "dot") ? "contract" : isElement(n) || isReduce(n) ? "loop" : "single";
      const shape = squeeze(isReduce(n) ? n.src[0]!.shape : n.shape);
      home = {
        kind,
        shape,
        phase,
        reduced: null,
        nodes: [],
        rows: new Set(),
        deps: new Set(),
        users: new Set(),
        seen: 0,
      };
      list.add(home);
    }
    if (isReduce(n)) {
      home.reduced = reducedAxes(n);
      home.rows.add(n);
    } else if (home.nodes.length > 0 && !sameShape(squeeze(n.shape), home.shape)) home.rows.add(n);
    home.nodes.push(n);
    of.set(n, home);
    for (const c of sources) if (c !== home) precede(c, home);
  }
  return { list: [...list], of, prologues, phases };
}

const isMap = (c: Cluster): boolean => c.kind === "loop" && c.reduced === null;

/** Products work in lanes of 32 bits: what needs f64 stays out of their kernels. */
const usesDouble = (n: Node): boolean => n.dtype === "f64" || n.src.some((s) => s.dtype === "f64");

/** Elementwise nodes that only a product reads, over leaves and others of the kind: all, or none, of an operand. */
function findPrologues(order: readonly Node[], roots: ReadonlySet<Node>): Set<Node> {
  const found = new Set<Node>();
  const dots = order.filter((n) => isOp(n, "dot"));
  if (dots.length === 0) return found;
  const uses = new Int32Array(order.length);
  for (const n of order) if (isComputed(n)) for (const s of n.src) uses[viewOf(s).base.index]!++;
  /** Adds a node, and what it is made of, to `members`; false where it, or some of that, is no part of a prologue. */
  const gather = (n: Node, members: Node[]): boolean => {
    if (ops[n.op].kind !== "elementwise" || uses[n.index] !== 1 || roots.has(n) || usesDouble(n))
      return false;
    if (members.push(n) > maxNodes) return false;
    return n.src.every((s) => {
      const { base } = viewOf(s);
      return ops[base.op].kind === "leaf" || (isOwnOrder(s) && gather(base, members));
    });
  };
  for (const dot of dots) {
    const depths = dot.attrs.leftContract.filter((a) => dot.src[0]!.shape[a] !== 1);
    if (depths.length !== 1) continue;
    for (const s of dot.src) {
      const members: Node[] = [];
      if (isPermutation(s) && gather(viewOf(s).base, members)) for (const n of members) found.add(n);
    }
  }
  return found;
}

const isOwnOrder = (s: Node): boolean => {
  const { base, offset, strides } = viewOf(s);
  return (
    offset === 0 &&
    sameShape(squeeze(base.shape), squeeze(s.shape)) &&
    sameShape(squeezeStrides(s.shape, strides), squeezeStrides(base.shape, contiguousStrides(base.shape)))
  );
};

/** Whether a view only reorders the axes of its base. */
function isPermutation(s: Node): boolean {
  return permutationOf(s) !== null;
}

/** For each axis of `s`, the axis of its base that it is (-1: size 1); null where the view is more than a reordering. */
export function permutationOf(s: Node): number[] | null {
  const { base, offset, strides } = viewOf(s);
  if (offset !== 0) return null;
  const own = contiguousStrides(base.shape);
  const used = new Set<number>();
  const axes: number[] = [];
  for (const [i, d] of s.shape.entries()) {
    if (d === 1) {
      axes.push(-1);
      continue;
    }
    const axis = own.findIndex((stride, a) => stride === strides[i] && base.shape[a] === d && !used.has(a));
    if (axis < 0) return null;
    used.add(axis);
    axes.push(axis);
  }
  return axes;
}
