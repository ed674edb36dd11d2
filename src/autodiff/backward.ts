import { dtypes } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { add, cast } from "../ir/build.ts";
import { isOp, latestId, type Node, nextWalk } from "../ir/node.ts";
import type { Op } from "../ir/op.ts";
import { makingGradientOf } from "../ir/origin.ts";
import { joined } from "./joined.ts";
import { Recomputation } from "./recompute.ts";
import { type VjpRule, vjpRules } from "./vjp.ts";

/** How far `backward` goes. */
export interface BackwardOptions {
  /**
   * Which variables collect a gradient (and end the walk there): all, unless given. Nothing is computed for the
   * others, nor on the way to them, unless a collecting one lies behind them.
   */
  stopAt?: (variable: Node<"variable">) => boolean;
}

/**
 * Reverse-mode differentiation on the graph: the gradients of `root`, weighted by `cotangent`, by owner of the
 * variables that it depends on. An owner that `root` does not reach has no entry.
 *
 * The gradients are graphs themselves. Made where gradients are enabled they are tracked, and can be differentiated
 * again; call it inside `withGrad(false, …)` where that is not wanted.
 */
export function backward(root: Node, cotangent: Node, options: BackwardOptions = {}): Map<object, Node> {
  if (!sameShape(root.shape, cotangent.shape))
    throw new InternalError(
      `backward: a cotangent of shape ${shapeText(cotangent.shape)} for a root of shape ${shapeText(root.shape)}`,
    );
  const collects = (n: Node): n is Node<"variable"> => isOp(n, "variable") && (options.stopAt?.(n) ?? true);
  const order = reaching(root, collects);
  const byOwner = new Map<object, Node>();
  if (order.length === 0) return byOwner;

  const gradients: Gradients = new Map();
  for (let i = 0; i < order.length; i++) gradients.set(order[i]!, null);
  gradients.set(root, [cast(cotangent, computeDtype(root))]);
  const recomputation = new Recomputation([root, cotangent]);
  const results = new Map<Node, Node[]>();
  for (let at = order.length - 1; at >= 0; at--) {
    const n = order[at]!;
    if (isOp(n, "custom")) {
      makingGradientOf(n);
      for (const [i, own] of gradientsOfCall(n, results.get(n) ?? [], gradients, recomputation).entries())
        if (own !== null && gradients.has(n.src[i]!)) addTerm(gradients, n.src[i]!, own);
      continue;
    }
    const terms = gradients.get(n)!;
    if (terms === null) continue;
    const g = terms.length === 1 ? terms[0]! : joined(terms).reduce(add);
    if (collects(n)) {
      const before = byOwner.get(n.attrs.owner);
      byOwner.set(n.attrs.owner, before ? add(before, g) : g);
      continue;
    }
    if (isOp(n, "customResult")) {
      const call = n.src[1]!;
      const given = results.get(call) ?? [];
      given[n.attrs.index] = g;
      results.set(call, given);
      continue;
    }
    if (isOp(n, "recomputed")) recomputation.enter(n.attrs.block);
    const rules = vjpRules[n.op] as VjpRule<Op>;
    const seen = recomputation.seen(n);
    makingGradientOf(n);
    for (let i = 0; i < n.src.length; i++) {
      const operand = n.src[i]!;
      const rule = rules[Math.min(i, rules.length - 1)];
      if (!rule || !gradients.has(operand)) continue;
      const since = latestId();
      const own = rule(seen, g, i);
      // What is stated of a gradient may hold on to nodes by itself.
      addTerm(gradients, operand, isOp(n, "stated") ? recomputation.seenIn(own, since) : own);
    }
  }
  makingGradientOf(null);
  return byOwner;
}

/** The nodes that a gradient is wanted for, each with the terms of its own: null as long as there is none. */
type Gradients = Map<Node, Node[] | null>;

/** Notes a term of a node's gradient. */
function addTerm(gradients: Gradients, n: Node, term: Node): void {
  const others = gradients.get(n) ?? null;
  if (others === null) gradients.set(n, [term]);
  else others.push(term);
}

/** The gradients of a call's operands, of those of its results. */
function gradientsOfCall(
  n: Node<"custom">,
  given: readonly Node[],
  gradients: Gradients,
  recomputation: Recomputation,
): readonly (Node | null)[] {
  if (given.length === 0) return [];
  const wanted = n.src.map((operand) => gradients.has(operand));
  const since = latestId();
  return n.attrs.call
    .gradients(
      Array.from(given, (g) => g ?? null),
      wanted,
      (m) => recomputation.seen(m),
    )
    .map((g) => g && recomputation.seenIn(g, since));
}

/** The owners of all variables that a gradient of `root` would reach. */
export function reachedOwners(root: Node): Set<object> {
  const isVariable = (n: Node): n is Node<"variable"> => isOp(n, "variable");
  return new Set(
    reaching(root, isVariable)
      .filter(isVariable)
      .map(({ attrs }) => attrs.owner),
  );
}

/** Gradients of values in a storage dtype are kept in f32, in which they add up. */
const computeDtype = (n: Node) => (dtypes[n.dtype].compute ? n.dtype : "f32");

/** What the `index` of a node says that `reaching` has done with: whether a gradient is to flow through it. */
const [flows, flowsNot] = [-1, 0];

/** The tracked floating-point nodes between `root` and a collecting variable, operands before users. */
function reaching(root: Node, collects: (n: Node) => boolean): Node[] {
  const found: Node[] = [];
  const walk = nextWalk();
  const stack: Node[] = [];
  const enter = (n: Node): void => {
    if (n.mark === walk) return;
    n.mark = walk;
    n.index = flowsNot;
    if (!n.tracked || n.op === "detach" || !dtypes[n.dtype].float) return;
    if (collects(n)) {
      n.index = flows;
      found.push(n);
      // While a node is on the stack, its index is the operand to visit next.
    } else stack.push(n);
  };
  enter(root);
  while (stack.length > 0) {
    const n = stack[stack.length - 1]!;
    if (n.index < n.src.length) {
      enter(n.src[n.index++]!);
      continue;
    }
    stack.pop();
    n.index = flowsNot;
    for (let i = 0; i < n.src.length; i++) if (n.src[i]!.index === flows && carries(n, i)) n.index = flows;
    if (n.index === flows) found.push(n);
  }
  return found;
}

/** Whether a gradient flows from a node to its operand `i`. */
function carries(n: Node, i: number): boolean {
  const rules = vjpRules[n.op];
  return rules[Math.min(i, rules.length - 1)] !== null;
}
