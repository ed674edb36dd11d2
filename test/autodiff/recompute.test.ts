import { expect, test } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { isOp, latestId, type Node, node, topological, withGrad } from "../../src/ir/node.ts";
import { simplify } from "../../src/ir/simplify.ts";
import { elementsOf, filled, input, variable } from "../ir/values.ts";

const exp = (x: Node): Node => node("exp", [x], {});
const mul = (a: Node, b: Node): Node => node("mul", [a, b], {});

/** What `fn` makes, as a block. */
function block(x: Node, fn: (x: Node) => Node): Node {
  const first = latestId();
  const value = fn(x);
  return node("recomputed", [value], { block: { first, last: latestId() } });
}
const gradientOf = (y: Node, x: Node<"variable">, ones = input(y.shape.map(() => 1))): Node =>
  withGrad(false, () => backward(y, ones)).get(x.attrs.owner)!;
/** The phases of the barriers that an operation is computed behind, one a use of it. */
const phases = (root: Node): number[] => [
  ...new Set(topological(simplify([root])).flatMap((n) => (isOp(n, "barrier") ? [n.attrs.phase] : []))),
];
const count = (root: Node, op: string): number =>
  topological(simplify([root])).filter((n) => n.op === op).length;

test("a gradient is made of copies, behind a barrier that simplification keeps", () => {
  const x = variable([0.5]);
  const y = block(x, (a) => exp(exp(a)));
  const g = gradientOf(y, x);
  expect(elementsOf(g)[0]).toBeCloseTo(Math.exp(Math.exp(0.5) + 0.5), 12);
  expect(topological([g]).includes(y.src[0]!)).toBe(false);
  expect(phases(g)).toEqual([1]);
  // Beside the forward pass, which is not shared.
  expect(count(node("add", [g, y], {}), "exp")).toBe(4);
});

test("blocks are copied from the last to the first, each in a phase of its own", () => {
  const x = variable([0.1]);
  let y: Node = x;
  for (let i = 0; i < 3; i++) y = block(y, exp);
  const g = gradientOf(y, x);
  expect(phases(g).sort()).toEqual([1, 2, 3]);
  // The last block's copy is of phase 1, and made of what the block before it gave.
  const first = topological([g]).find((n) => isOp(n, "barrier") && n.attrs.phase === 1)!;
  expect(first.src[0]!.op).toBe("recomputed");
});

test("a block in a block is copied again, out of the copy", () => {
  const x = variable([0.2]);
  const y = block(x, (a) => block(exp(a), (b) => mul(b, exp(b))));
  const g = gradientOf(y, x);
  const e = Math.exp(0.2);
  expect(elementsOf(g)[0]).toBeCloseTo(e * Math.exp(e) * (1 + e), 12);
  expect(phases(g).sort()).toEqual([1, 2]);
});

test("constants stay constants, and movement is joined across the barrier", () => {
  const x = variable([1, 2], [2, 1]);
  const y = block(node("reshape", [x], { shape: [2] }), (a) => exp(node("reshape", [a], { shape: [1, 2] })));
  const g = gradientOf(y, x, input([1, 1], [1, 2]));
  const [simplified] = simplify([g]);
  const barrier = topological([simplified!]).find((n) => n.op === "barrier")!;
  expect(barrier.src[0]!.op).toBe("input");
  expect(
    simplify([node("barrier", [node("constant", [], { value: 3, dtype: "f32" })], { phase: 1 })])[0]!.op,
  ).toBe("constant");
});

test("nothing that needs no gradient is copied", () => {
  const x = input([0.3]);
  const w = variable([2]);
  const y = block(x, (a) =>
    mul(
      exp(exp(a)),
      block(w, (b) => mul(b, b)),
    ),
  );
  const g = gradientOf(y, w);
  expect(elementsOf(g)[0]).toBeCloseTo(4 * Math.exp(Math.exp(0.3)), 12);
  const frozen = block(
    block(x, (a) => exp(exp(a))),
    (a) => mul(a, w),
  );
  expect(count(gradientOf(frozen, w), "exp")).toBe(2);
  expect(phases(gradientOf(frozen, w))).toEqual([1]);
});

test("a rule that holds on to nodes of the block sees copies of them", () => {
  const x = variable([0.3]);
  const y = block(x, (a) => {
    const inner = exp(a);
    const value = node("detach", [mul(inner, inner)], {});
    return node("stated", [value, inner], { rules: [(g) => mul(mul(g, inner), filled(2, [1]))] });
  });
  const g = gradientOf(y, x);
  expect(elementsOf(g)[0]).toBeCloseTo(2 * Math.exp(0.6), 12);
  // Of the forward pass, only what came into the block.
  for (const n of topological([g])) if (n.op === "exp") expect(n.src[0]!.op).toBe("barrier");
});

test("gradients of gradients have phases after those of the first", () => {
  const x = variable([0.4]);
  const y = block(x, (a) => mul(exp(a), a));
  const first = backward(y, input([1])).get(x.attrs.owner)!;
  const second = withGrad(false, () => backward(first, input([1]))).get(x.attrs.owner)!;
  expect(elementsOf(second)[0]).toBeCloseTo(Math.exp(0.4) * 2.4, 12);
  const product = mul(first, y);
  const both = withGrad(false, () => backward(product, input([1]))).get(x.attrs.owner)!;
  const e = Math.exp(0.4);
  expect(elementsOf(both)[0]).toBeCloseTo(e * 2.4 * (e * 0.4) + (e * 1.4) ** 2, 10);
  expect(Math.max(...phases(both))).toBe(2);
});
