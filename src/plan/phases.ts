import { isOp, type Node } from "../ir/node.ts";
import { ops } from "../ir/op.ts";
import { recomputedIn } from "./recomputed.ts";

/** When the nodes of a graph that has barriers are computed. */
export interface Phases {
  /** By place in the topological order. A phase runs after all earlier ones, and a kernel is of one. */
  readonly of: Int32Array;
  /** What is computed once more. */
  readonly copies: ReadonlySet<Node>;
}

/**
 * The phases of a graph; null where it has no barrier, and all is one. A node is computed in the last phase of what it is
 * made of; one that is behind no barrier, in a later one where nobody needs it before. Each phase of barriers is two: sums
 * and products that are computed once more come first, as in kernels with others, which may fold their rows in another way,
 * they would have other bits than the first time.
 */
export function phasesOf(order: readonly Node[], roots: Iterable<Node>): Phases | null {
  if (!order.some((n) => isOp(n, "barrier"))) return null;
  const behind = new Int32Array(order.length);
  for (const [place, n] of order.entries()) {
    let phase = isOp(n, "barrier") ? n.attrs.phase : 0;
    for (const s of n.src) phase = Math.max(phase, behind[s.index]!);
    behind[place] = phase;
  }
  const copies = recomputedIn(order, behind);
  const earliest = behind.map(
    (phase, place) => 2 * phase + (phase === 0 || copies.has(order[place]!) ? 0 : 1),
  );
  const of = new Int32Array(order.length).fill(2 ** 31 - 1);
  for (const root of roots) of[root.index] = earliest[root.index]!;
  // What each of several blocks adds to the gradient of one weight is made while the block is there, not when all is added.
  for (const [place, phase] of behind.entries()) if (phase > 0) of[place] = earliest[place]!;
  for (let place = order.length - 1; place >= 0; place--) {
    const n = order[place]!;
    const { kind } = ops[n.op];
    if (copies.has(n) && (kind === "reduce" || kind === "contraction")) of[place] = earliest[place]!;
    for (const s of n.src) of[s.index] = Math.min(of[s.index]!, of[place]!);
  }
  return { of, copies };
}
