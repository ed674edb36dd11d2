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
const identity: SimplifyRule<"variable" | "detach" | "stated"> = ([x]) => x!;

const rules: SimplifyRules = {
  ...elementwise,
  ...movementSimplifications,
  ...reductionSimplifications,
  variable: identity,
  detach: identity,
  stated: identity,
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
  randomBits: null,
};

/**
 * Cheaper nodes with the values of `roots`, in their order: common subexpressions shared, identities and constants
 * gone, movement chains joined. One pass, operands first. The result is for plans: it is untracked.
 */
export function simplify(roots: readonly Node[]): Node[] {
  const builder = new Builder(rules);
  const simplified = new Map<Node, Node>();
  for (const n of topological(roots)) {
    if (n.op === "hostScalar") {
      // Each is a number of its own, even where two have one function.
      simplified.set(n, n);
      continue;
    }
    const src = new Array<Node>(n.src.length);
    for (let i = 0; i < src.length; i++) src[i] = simplified.get(n.src[i]!)!;
    makingInPlaceOf(n);
    simplified.set(n, builder.make(n.op, src, n.attrs, n));
  }
  makingInPlaceOf(null);
  return roots.map((root) => simplified.get(root)!);
}
