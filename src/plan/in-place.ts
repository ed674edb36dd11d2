import { isOp, type Node } from "../ir/node.ts";
import { type Cluster, type Clusters, memberStrides, squeezeStrides } from "./cluster.ts";
import { sameStrides } from "./compare.ts";
import { isWhole, viewOf } from "./view.ts";

/** A write of a prepared graph: the base of its value, and the input slot that it goes over. */
interface Write {
  readonly slot: number;
  readonly value: Node;
}

/**
 * The values that a write may store over its slot one after the other, each made from the one before and the first
 * from what is there; none where only a copy of the finished value is right. `c` is the cluster of the value. Who
 * else reads the old values is for the caller to see to.
 */
export function stagesOf(
  w: Write,
  c: Cluster,
  clusters: Clusters,
  slot: (n: Node) => number,
): readonly Node[] {
  if (c.kind === "single") {
    const stages = scatters(w, slot);
    return stages.length > 0 || !isMovedAnew(w, slot) ? stages : [w.value];
  }
  return readsOnlyItself(c, clusters, w, slot) ? [w.value] : [];
}

/** Whether a value is put together in memory, of what is somewhere else than in the slot. */
const isMovedAnew = (w: Write, slot: (n: Node) => number): boolean =>
  (isScatter(w.value) || isOp(w.value, "concat") || isOp(w.value, "pad")) &&
  w.value.src.every((s) => slot(viewOf(s).base) !== w.slot);

const isScatter = (n: Node): n is Node<"scatter" | "scatterAdd"> =>
  isOp(n, "scatter") || isOp(n, "scatterAdd");

/** The stages of a value that replaces or adds to elements of the slot by one scatter or several: nothing else is touched. */
function scatters(w: Write, slot: (n: Node) => number): readonly Node[] {
  const stages: Node[] = [];
  let at = w.value;
  while (isScatter(at)) {
    const [data, ...others] = at.src as readonly [Node, Node, Node];
    const { base } = viewOf(data);
    // What it reads while it writes must be somewhere else.
    const same = (n: Node) => n === base || slot(n) === w.slot;
    if (!isWhole(viewOf(data), data.shape) || others.some((s) => same(viewOf(s).base))) return [];
    stages.unshift(at);
    at = base;
  }
  return slot(at) === w.slot ? stages : [];
}

/** The bases that a cluster's kernel reads from memory, members of its own left out. */
export function reads(c: Cluster, clusters: Clusters): Node[] {
  const found: Node[] = [];
  for (const n of c.nodes) addReads(n, c, clusters, found);
  return found;
}

function addReads(n: Node, c: Cluster, clusters: Clusters, found: Node[]): void {
  for (const s of n.src) {
    const { base } = viewOf(s);
    if (clusters.prologues.has(base)) addReads(base, c, clusters, found);
    else if (clusters.of[base.index] !== c) found.push(base);
  }
}

/** Whether every element of slot `w.slot` that a kernel reads is the one it then overwrites. */
function readsOnlyItself(c: Cluster, clusters: Clusters, w: Write, slot: (n: Node) => number): boolean {
  const asRow = c.rows.includes(w.value);
  const own = memberStrides(c, w.value);
  for (const n of c.nodes) {
    // What is added up of an element is read along with it.
    if (isOp(n, "sum") && c.sums.includes(n)) continue;
    for (const s of n.src) {
      const view = viewOf(s);
      if (clusters.prologues.has(view.base)) {
        const found: Node[] = [];
        addReads(view.base, c, clusters, found);
        if (found.some((b) => slot(b) === w.slot)) return false;
        continue;
      }
      if (slot(view.base) !== w.slot) continue;
      const strides = squeezeStrides(s.shape, view.strides);
      const level = isOp(n, "dot") || isOp(n, "gather") || c.rows.includes(n) !== asRow;
      if (level || view.offset !== 0 || !sameStrides(strides, own)) return false;
    }
  }
  return true;
}
