import { dtypes } from "../base/dtype.ts";
import { contiguousStrides, type Shape, sameShape } from "../base/shape.ts";
import { isOp, type Node } from "../ir/node.ts";
import { ops } from "../ir/op.ts";
import { goesWith, goTogether, rowAxes, squeeze, squeezedAxes, sumsOf } from "./columns.ts";
import { sameExtent, sameExtents, sameStride, sameStrides } from "./compare.ts";
import { type Phases, phasesOf } from "./phases.ts";
import { dependsOn, type Ordered, precede } from "./precedence.ts";
import { type Prepared, rootBasesOf } from "./prepare.ts";
import { viewOf } from "./view.ts";

/** What of a cluster its kernel is made of. */
export interface Group {
  readonly kind: "loop" | "contract" | "single";
  /** The iteration space, axes of size 1 left out. */
  readonly shape: Shape;
  /** With what strides an element finds its own value of a member that has one an element. */
  readonly strides: readonly number[];
  /** Its reductions; null while there is none. */
  readonly fold: Fold | null;
  /** Its members, by their places in the order. */
  readonly nodes: readonly Node[];
  /** Members that have one value a row rather than one an element: few, if any. */
  readonly rows: readonly Node[];
  /** Members that are sums of other elements than those of rows: see `columns.ts`. */
  readonly sums: readonly Node<"sum">[];
}

/** Nodes that become one kernel. */
export interface Cluster extends Group, Ordered<Cluster> {
  /** When it runs: after all of earlier phases. */
  readonly phase: number;
  fold: Fold | null;
  nodes: Node[];
  readonly rows: Node[];
  readonly sums: Node<"sum">[];
  /** Scratch of `clusterize`: the node that it was last found to be an operand of. */
  last: Node | null;
  /** Its place in the list of all, once that is there. */
  place: number;
}

/** What the reductions of a cluster fold. */
export interface Fold {
  /** The axes of the cluster's shape that they run over. */
  readonly axes: readonly number[];
  /** The shape of the rows that are left, and strides within it. */
  readonly rowShape: Shape;
  readonly rowStrides: readonly number[];
  /** With what strides an element finds the value of its row. */
  readonly strides: readonly number[];
}

/** A graph cut into kernels. */
export interface Clusters {
  readonly list: readonly Cluster[];
  /** The cluster of a node, by the node's place in the order; none of what no kernel computes, or only a prologue. */
  readonly of: readonly (Cluster | undefined)[];
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
function isComputed(n: Node): boolean {
  const { kind } = ops[n.op];
  return kind === "movement" ? viewOf(n).base === n : kind !== "leaf";
}

/** Strides without those of axes of size 1. */
export const squeezeStrides = (shape: Shape, strides: readonly number[]): readonly number[] =>
  shape.includes(1) ? strides.filter((_, i) => shape[i] !== 1) : strides;

/** The axes of a cluster's shape that its reductions fold. */
export const foldedAxes = ({ fold }: Group): readonly number[] => fold?.axes ?? [];

/** The strides of a member's values in memory of its own: one a row, or one an element. */
export const memberStrides = (c: Group, member: Node): readonly number[] =>
  c.rows.includes(member) ? c.fold!.rowStrides : c.strides;

/** The reductions of a cluster of some shape over some of its axes. */
export function foldOf(shape: Shape, axes: readonly number[]): Fold {
  const rowShape = shape.filter((_, i) => !axes.includes(i));
  const rowStrides = contiguousStrides(rowShape);
  let next = 0;
  return {
    axes,
    rowShape,
    rowStrides,
    strides: shape.map((_, i) => (axes.includes(i) ? 0 : rowStrides[next++]!)),
  };
}

/** Whether operand `s`, seen from an element (or a row) of the cluster, is that element's own value. */
function isOwn(c: Cluster, s: Node, asRow: boolean): boolean {
  const { base, offset, strides } = viewOf(s);
  if (offset !== 0) return false;
  const own = squeezeStrides(s.shape, strides);
  const isRow = c.fold !== null && c.rows.includes(base);
  if (asRow) return isRow && sameStrides(own, c.fold!.rowStrides);
  return sameStrides(own, isRow ? c.fold!.strides : c.strides);
}

/** Whether `n` may belong to `c`, which computes some of its operands, as a value per element or per row. */
function fits(c: Cluster, n: Node, of: Clusters["of"]): boolean {
  if (c.kind === "single" || c.nodes.length >= maxNodes) return false;
  if (c.kind === "contract" && usesDouble(n)) return false;
  const reduces = isReduce(n);
  const shape = squeeze(reduces ? n.src[0]!.shape : n.shape);
  const full = sameExtents(shape, c.shape);
  if (!full && (reduces || c.fold === null || !sameExtents(shape, c.fold.rowShape))) return false;
  if (reduces && (c.kind !== "loop" || (c.fold !== null && !sameShape(c.fold.axes, reducedAxes(n)))))
    return false;
  const indirect = isOp(n, "gather") || isOp(n, "randomBits");
  for (let i = 0; i < n.src.length; i++) {
    const s = n.src[i]!;
    if (of[viewOf(s).base.index] !== c) continue;
    // A value of a storage type is rounded by its way through memory; what is picked from has to be there.
    if (!dtypes[s.dtype].compute || (indirect && i === 0) || !isOwn(c, s, !full)) return false;
  }
  return true;
}

/** A reduction's axes, counted without axes of size 1. */
function reducedAxes(n: Node): number[] {
  const { axes } = n.attrs as { axes: readonly number[] };
  return squeezedAxes(n.src[0]!.shape, axes);
}

/**
 * Cuts a prepared graph into kernels. Each node in turn joins the cluster of one of its operands
 * that it fits into, and clusters of its other operands that it fits into are joined to that one; else it begins a
 * cluster of its own. Two things become one kernel only where neither must run after the other through a third, or
 * kernels would wait for each other: so nothing is joined that a cluster in between depends on.
 */
export function clusterize(asked: Prepared): Clusters {
  const { order } = asked;
  const of = new Array<Cluster | undefined>(order.length).fill(undefined);
  const roots = rootBasesOf(asked);
  const prologues = findPrologues(order, roots);
  const phases = phasesOf(order, roots);
  const list = new Set<Cluster>();

  /** Joins `b` to `a`, or gives null where they do not go together. */
  const merge = (a: Cluster, b: Cluster): Cluster | null => {
    const asRows = a.kind === "loop" && isMap(b) && a.fold !== null && sameExtents(b.shape, a.fold.rowShape);
    if (!asRows && !sameExtents(a.shape, b.shape)) return null;
    if (a.phase !== b.phase) return null;
    if (a.nodes.length + b.nodes.length > maxNodes || a.kind === "single" || b.kind === "single") return null;
    if (b.kind === "contract") return a.kind === "contract" ? null : merge(b, a);
    if (a.kind === "contract" && (b.fold !== null || b.nodes.some(usesDouble))) return null;
    if (a.fold !== null && b.fold !== null && !sameShape(a.fold.axes, b.fold.axes)) return null;
    if (dependsOn(a, b) || dependsOn(b, a)) return null;
    a.fold ??= b.fold;
    a.rows.push(...(asRows ? b.nodes : b.rows));
    absorb(a, b);
    return a;
  };

  /** Puts what is in `b` into `a`. */
  const absorb = (a: Cluster, b: Cluster): void => {
    a.nodes = inOrder(a.nodes, b.nodes);
    for (const n of b.nodes) of[n.index] = a;
    list.delete(b);
    for (const d of b.deps) {
      d.users.delete(b);
      if (d !== a) precede(d, a);
    }
    for (const u of b.users) {
      u.deps.delete(b);
      if (u !== a) precede(a, u);
    }
  };

  /** Has sums that a kernel of rows can make on its way be made by one, where there is one that has their elements. */
  const addSums = (): void => {
    if (asked.partial.size === 0) return;
    const alone = [...asked.partial].filter((n) => of[n.index]!.nodes.length === 1);
    /** Loops by what they read in the order of memory, or make. */
    const having = new Map<Node, Cluster[]>();
    for (const n of alone) having.set(viewOf(n.src[0]!).base, []);
    const note = (base: Node, c: Cluster): void => {
      const known = having.get(base);
      if (known !== undefined && known.at(-1) !== c) known.push(c);
    };
    for (const c of list) {
      if (c.kind !== "loop") continue;
      for (const n of c.nodes) {
        if (!c.rows.includes(n)) note(n, c);
        for (const s of n.src)
          if (of[viewOf(s).base.index] !== c && sameExtents(squeeze(s.shape), c.shape) && isOwn(c, s, false))
            note(viewOf(s).base, c);
      }
    }
    for (const n of alone) {
      const c = of[n.index]!;
      const home = having.get(viewOf(n.src[0]!).base)!.find((a) => a !== c && makes(a, n, c));
      if (home === undefined) continue;
      const sums = sumsOf(n, home.shape)!;
      if (sums.kind === "rows") home.fold ??= foldOf(home.shape, rowAxes(sums, home.shape));
      home.sums.push(n);
      absorb(home, c);
    }
  };

  /** The clusters that a node's operands come from, in the order of these. */
  const sources: Cluster[] = [];
  let home: Cluster | null = null;
  /** Whether a kernel of another operand runs after that of `c`, and so between it and one that had the node too. */
  const isBefore = (c: Cluster): boolean => {
    for (const s of sources) if (s !== c && s !== home && dependsOn(s, c)) return true;
    return false;
  };

  for (const n of order) {
    if (!isComputed(n) || prologues.has(n)) continue;
    sources.length = 0;
    for (let i = 0; i < n.src.length; i++) {
      const c = of[viewOf(n.src[i]!).base.index];
      if (c === undefined || c.last === n) continue;
      c.last = n;
      sources.push(c);
    }
    const phase = phases?.of[n.index] ?? 0;
    // Of an exchange and what is received in it, one job is made.
    home = isOp(n, "received") ? of[n.src[0]!.index]! : null;
    const reduces = isReduce(n);
    const fuses = reduces || isElement(n);
    if (fuses)
      for (let i = sources.length - 1; i >= 0; i--) {
        const c = sources[i]!;
        if (c.phase !== phase || !fits(c, n, of) || isBefore(c)) continue;
        if (home === null) home = c;
        else {
          const merged: Cluster | null = merge(home, c);
          if (merged === null) continue;
          // Of the two, which come no earlier than this, one is gone.
          sources.splice(sources.indexOf(merged === home ? c : home), 1);
          home = merged;
        }
      }
    if (home === null)
      list.add((home = emptyCluster(isOp(n, "dot") ? "contract" : fuses ? "loop" : "single", n, phase)));
    if (reduces) {
      home.fold ??= foldOf(home.shape, reducedAxes(n));
      home.rows.push(n);
    } else if (home.kind !== "single" && home.nodes.length > 0 && !sameExtents(squeeze(n.shape), home.shape))
      home.rows.push(n);
    home.nodes.push(n);
    of[n.index] = home;
    for (const c of sources) if (c !== home) precede(c, home);
  }
  addSums();
  const all = [...list];
  for (let i = 0; i < all.length; i++) all[i]!.place = i;
  return { list: all, of, prologues, phases };
}

/** Whether a loop may make sums of elements that it has, which are the cluster `alone`. */
function makes(a: Cluster, n: Node<"sum">, alone: Cluster): boolean {
  const sums = sumsOf(n, a.shape);
  if (sums === null || a.phase !== alone.phase || a.nodes.length >= maxNodes) return false;
  if (!goesWith(sums, a.shape, a.fold?.axes ?? null)) return false;
  const [other] = a.sums;
  if (other !== undefined && !goTogether(sums, sumsOf(other, a.shape)!)) return false;
  // What makes the elements comes before both; so all that it waits for else it would not.
  return !dependsOn(a, alone) && [...alone.deps].every((d) => d === a || !dependsOn(d, a));
}

/** The iteration space of a kernel that begins with a node. */
export const iterated = (n: Node): Shape => squeeze(isReduce(n) ? n.src[0]!.shape : n.shape);

/** A cluster that is to begin with a node. */
function emptyCluster(kind: Cluster["kind"], n: Node, phase: number): Cluster {
  const shape = iterated(n);
  return {
    kind,
    shape,
    phase,
    strides: contiguousStrides(shape),
    fold: null,
    nodes: [],
    rows: [],
    sums: [],
    last: null,
    place: -1,
    deps: new Set(),
    users: new Set(),
    seen: 0,
  };
}

/** Two lists of nodes, each by their places in the order, as one. */
function inOrder(a: readonly Node[], b: readonly Node[]): Node[] {
  const both: Node[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; )
    both.push(j === b.length || (i < a.length && a[i]!.index < b[j]!.index) ? a[i++]! : b[j++]!);
  return both;
}

const isMap = (c: Cluster): boolean => c.kind === "loop" && c.fold === null;

/** Products work in lanes of 32 bits: what needs f64 stays out of their kernels. */
const usesDouble = (n: Node): boolean => n.dtype === "f64" || n.src.some((s) => s.dtype === "f64");

/** Elementwise nodes that only a product reads, over leaves and others of the kind: all, or none, of an operand. */
function findPrologues(order: readonly Node[], roots: ReadonlySet<Node>): Set<Node> {
  const found = new Set<Node>();
  const dots = order.filter((n) => isOp(n, "dot"));
  if (dots.length === 0) return found;
  const uses = new Int32Array(order.length);
  for (let at = 0; at < order.length; at++) {
    const n = order[at]!;
    if (isComputed(n)) for (let i = 0; i < n.src.length; i++) uses[viewOf(n.src[i]!).base.index]!++;
  }
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
    sameExtents(squeeze(base.shape), squeeze(s.shape)) &&
    sameStrides(squeezeStrides(s.shape, strides), squeezeStrides(base.shape, contiguousStrides(base.shape)))
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
    const axis = own.findIndex(
      (stride, a) => sameStride(stride, strides[i]!) && sameExtent(base.shape[a]!, d) && !used.has(a),
    );
    if (axis < 0) return null;
    used.add(axis);
    axes.push(axis);
  }
  return axes;
}
