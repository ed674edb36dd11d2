import { dtypes } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { add, cast } from "../ir/build.ts";
import { isOp, latestId, type Node } from "../ir/node.ts";
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
  const gradients = new Map<Node, Node[]>();
  const byOwner = new Map<object, Node>();
  if (order.size === 0) return byOwner;

  gradients.set(root, [cast(cotangent, computeDtype(root))]);
  const recomputation = new Recomputation([root, cotangent]);
  const results = new Map<Node, Node[]>();
  for (const n of [...order].reverse()) {
    if (isOp(n, "custom")) {
      makingGradientOf(n);
      for (const [i, own] of gradientsOfCall(n, results.get(n) ?? [], order, recomputation).entries())
        if (own !== null) addTerm(gradients, n.src[i]!, own);
      continue;
    }
    const terms = gradients.get(n);
    if (terms === undefined) continue;
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
      if (!rule || !order.has(operand)) continue;
      const since = latestId();
      const own = rule(seen, g, i);
      // What is stated of a gradient may hold on to nodes by itself.
      addTerm(gradients, operand, isOp(n, "stated") ? recomputation.seenIn(own, since) : own);
    }
  }
  makingGradientOf(null);
  return byOwner;
}

/** Notes a term of a node's gradient. */
function addTerm(gradients: Map<Node, Node[]>, n: Node, term: Node): void {
  const others = gradients.get(n);
  if (others === undefined) gradients.set(n, [term]);
  else others.push(term);
}

/** The gradients of a call's operands, of those of its results. */
function gradientsOfCall(
  n: Node<"custom">,
  given: readonly Node[],
  order: ReadonlySet<Node>,
  recomputation: Recomputation,
): readonly (Node | null)[] {
  if (given.length === 0) return [];
  const wanted = n.src.map((operand) => order.has(operand));
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
  return new Set([...reaching(root, isVariable)].filter(isVariable).map(({ attrs }) => attrs.owner));
}

/** Gradients of values in a storage dtype are kept in f32, in which they add up. */
const computeDtype = (n: Node) => (dtypes[n.dtype].compute ? n.dtype : "f32");

/** The tracked floating-point nodes between `root` and a collecting variable, operands before users. */
function reaching(root: Node, collects: (n: Node) => boolean): Set<Node> {
  const found = new Set<Node>();
  const seen = new Set<Node>();
  const stack: Node[] = [];
  const next: number[] = [];
  const enter = (n: Node): void => {
    if (seen.has(n) || !n.tracked || n.op === "detach" || !dtypes[n.dtype].float) return;
    seen.add(n);
    if (collects(n)) found.add(n);
    else {
      stack.push(n);
      next.push(0);
    }
  };
  enter(root);
  while (stack.length > 0) {
    const top = stack.length - 1;
    const n = stack[top]!;
    const child = n.src[next[top]!++];
    if (child !== undefined) {
      enter(child);
      continue;
    }
    stack.pop();
    next.pop();
    if (n.src.some((s, i) => found.has(s) && carries(n, i))) found.add(n);
  }
  return found;
}

/** Whether a gradient flows from a node to its operand `i`. */
function carries(n: Node, i: number): boolean {
  const rules = vjpRules[n.op];
  return rules[Math.min(i, rules.length - 1)] !== null;
}
