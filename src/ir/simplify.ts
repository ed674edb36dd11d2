import { type ElementwiseOp, elementwiseOps } from "./evaluate-elementwise.ts";
import { type Node, topological } from "./node.ts";
import { makingInPlaceOf } from "./origin.ts";
import { Builder, type SimplifyRule, type SimplifyRules } from "./simplify-builder.ts";
import { elementwiseRule } from "./simplify-elementwise.ts";
import { movementSimplifications, reductionSimplifications } from "./simplify-movement.ts";

const elementwise = Object.fromEntries(elementwiseOps.map((op) => [op, elementwiseRule(op)])) as {
  readonly [K in ElementwiseOp]: SimplifyRule<K>;
};

/** These mean something to autograd only. */
const identity: SimplifyRule<"variable" | "detach" | "stated" | "recomputed" | "customResult"> = ([x]) => x!;

const rules: SimplifyRules = {
  ...elementwise,
  ...movementSimplifications,
  ...reductionSimplifications,
  variable: identity,
  detach: identity,
  stated: identity,
  recomputed: identity,
  customResult: identity,
  // Its results do without it.
  custom: (_src, _attrs, b) => b.filled(0, [0], "f32"),
  input: null,
  constant: null,
  hostScalar: null,
  iota: null,
  argmax: null,
  dot: null,
  gather: null,
  scatterAdd: null,
  scatter: null,
  argsort: null,
  attention: null,
  attentionGradient: null,
  allReduce: null,
  exchange: null,
  received: null,
  randomBits: null,
};

/**
 * Cheaper nodes with the values of `roots`, in their order: common subexpressions shared, identities and constants
 * gone, movement chains joined. One pass, operands first. The result is for plans: it is untracked. With `replaced`,
 * which may give a leaf to stand in a node's place (a number of shape [] stands for it in every element), the result
 * shares no node with the graph under `roots`, which may change or hold on to things that a plan must not. `order` is
 * what `topological` gives for the roots, where somebody has asked it already.
 */
export function simplify(
  roots: readonly Node[],
  replaced?: (n: Node) => Node | null,
  order: readonly Node[] = topological(roots),
): Node[] {
  const builder = new Builder(rules, replaced === undefined, order.length);
  const simplified = new Array<Node>(order.length);
  for (let place = 0; place < order.length; place++) {
    const n = order[place]!;
    n.index = place;
    makingInPlaceOf(n);
    const leaf = replaced?.(n) ?? (n.op === "hostScalar" ? n : null);
    if (leaf !== null) {
      simplified[place] = builder.everywhere(leaf, n.shape);
      continue;
    }
    // A copy, and not a new array of a length: V8 has the like of the operands' own lists in mind already.
    const src = n.src.slice();
    for (let i = 0; i < src.length; i++) src[i] = simplified[src[i]!.index]!;
    simplified[place] = builder.make(n.op, src, n.attrs, n);
  }
  makingInPlaceOf(null);
  return roots.map((root) => simplified[root.index]!);
}
