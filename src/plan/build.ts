import { settings } from "../base/settings.ts";
import { isOp, type Node, topological } from "../ir/node.ts";
import { simplify } from "../ir/simplify.ts";
import { verify } from "../ir/verify.ts";
import { explainPlan } from "./explain.ts";
import { type Lowered, lower } from "./lower.ts";
import type { PlanExplanation, PlanGraph, PlanWithGraph } from "./plan.ts";

/** What a plan is asked to compute. */
export interface PlanRequest {
  /** Values copied out. */
  readonly outputs: readonly Node[];
  /** Values stored over the storage of a leaf, after everything that reads the old value. */
  readonly writes: readonly { readonly target: Node<"input">; readonly value: Node }[];
  /** i32 status words: the first that is not 0 stops the run before any write. */
  readonly checks: readonly Node[];
  /** Whether a leaf lives in the engine's memory (else it is an array, copied in at each run). */
  readonly resident: (leaf: Node<"input">) => boolean;
  /**
   * Leaves in the place of nodes, for a plan that is to hold on to nothing of the graph it was made for: see `simplify`.
   * Those of inputs must have sources with the ids of their own.
   */
  readonly replaced?: ((n: Node) => Node | null) | undefined;
  /**
   * All that is asked for, operands before users, as `topological` gives it for outputs, values of writes, their targets and
   * checks in this order; where that is not known, it is found out.
   */
  readonly order?: readonly Node[] | undefined;
}

let nextId = 1;

/** Makes the plan of a graph: simplified, fused into kernels, ordered, and given memory. */
export function buildPlan(request: PlanRequest): PlanWithGraph {
  const { outputs, writes, checks } = request;
  const asked = [...outputs, ...writes.map((w) => w.value), ...writes.map((w) => w.target), ...checks];
  const roots = simplify(asked, request.replaced, request.order);
  const order = topological(roots, request.order?.length);
  if (settings.verify) verify(order);
  const o = outputs.length;
  const w = writes.length;
  const { leaves, slots, scalars } = leavesOf(order);
  const graph: PlanGraph = {
    order,
    leaves,
    scalars,
    outputs: roots.slice(0, o),
    writes: writes.map((write, i) => ({
      slot: slots.get(write.target.attrs.source.id)!,
      value: roots[o + i]!,
    })),
    checks: roots.slice(o + 2 * w),
  };
  const lowered = lower(graph, request.resident);
  return { id: nextId++, graph, ...lowered, explain: explanationOf(lowered) };
}

/** What a graph begins with: an input of each source, which is a slot, by the source's id too, and numbers of the host. */
function leavesOf(order: readonly Node[]) {
  const leaves: Node<"input">[] = [];
  const slots = new Map<number, number>();
  const scalars: Node<"hostScalar">[] = [];
  for (let place = 0; place < order.length; place++) {
    const n = order[place]!;
    if (isOp(n, "hostScalar")) scalars.push(n);
    if (!isOp(n, "input") || slots.has(n.attrs.source.id)) continue;
    slots.set(n.attrs.source.id, leaves.length);
    leaves.push(n);
  }
  return { leaves, slots, scalars };
}

/** Made out here, where no graph is in reach that a plan would hold on to. */
const explanationOf =
  (lowered: Lowered): (() => PlanExplanation) =>
  () =>
    explainPlan(lowered);
