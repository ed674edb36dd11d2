import { describe, expect, it } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { narrow, type Selection } from "../../src/autodiff/narrow.ts";
import { type Shape, sizeOf } from "../../src/base/shape.ts";
import { add, filledLike, permute, reshape, sliceAxis } from "../../src/ir/build.ts";
import { isOp, type Node, node, topological } from "../../src/ir/node.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { elementsOf, input, variable } from "../ir/values.ts";
import { matmul, input as resident, sum, take } from "../plan/random-graph.ts";
import { selection } from "./selection.ts";

const numbers = (shape: Shape, from = 0.3) =>
  Array.from({ length: sizeOf(shape) }, (_, i) => Math.fround(Math.sin(i * 2.3 + from)));
/** A tensor with values, or, where only the plan matters, a leaf without any. */
const tensor = (shape: Shape, from?: number) => input(numbers(shape, from), shape, "f32");
const parameter = (shape: Shape) => variable(numbers(shape, 0.7), shape, "f32");
const leafParameter = (shape: Shape): Node<"variable"> =>
  node("variable", [resident(shape)], { owner: {} }, true);
/** Every so many of an axis' places. */
const some = (axis: number, size: number, count: number, first = 1): Selection =>
  selection(
    axis,
    size,
    Array.from({ length: count }, (_, i) => first + i * Math.floor((size - first) / count)),
  );

const gradientOf = (loss: Node, p: Node<"variable">): Node =>
  backward(loss, filledLike(1, loss)).get(p.attrs.owner)!;
const square = (x: Node): Node =>
  sum(
    node("mul", [x, x], {}),
    x.shape.map((_, i) => i),
  );

/** The largest kernel and the scratch of a graph's plan. */
function costOf(part: Node) {
  const plan = buildPlan({ outputs: [part], writes: [], checks: [], resident: () => true });
  const largest = Math.max(...plan.calls.map((c) => sizeOf(c.extents)));
  return { plan, largest, arena: plan.arenaBytes };
}
/** That a part has the elements of the whole at its places. */
function expectPart(whole: Node, s: Selection): void {
  const places = elementsOf(s.indices);
  const inner = sizeOf(whole.shape.slice(s.axis + 1));
  const expected = elementsOf(whole).filter((_, i) => places.includes(Math.floor(i / inner) % s.size));
  expect(elementsOf(narrow(whole, s))).toEqual(expected);
}

describe("the gradient of an embedding", () => {
  const gradient = (table: Node<"variable">, index: Node) => gradientOf(square(take(table, index, 0)), table);

  it("of 10 rows of 100,000 has no kernel and no scratch of the table's size", () => {
    const s = some(0, 100_000, 10);
    const inverse = resident([100_000], "i32");
    const part = narrow(gradient(leafParameter([100_000, 64]), resident([32], "i32")), {
      ...s,
      inverse: () => inverse,
    });
    const { largest, arena } = costOf(part);
    expect(part.shape).toEqual([10, 64]);
    expect(largest).toBeLessThanOrEqual(32 * 64);
    expect(arena).toBeLessThan(20_000);
  });

  it("of a range needs no table of places", () => {
    const s: Selection = {
      ...selection(0, 100_000, [99_998, 99_999]),
      inverse: () => expect.fail("a range is told by comparing"),
    };
    const part = narrow(gradient(leafParameter([100_000, 64]), resident([32], "i32")), s);
    expect(costOf(part).largest).toBeLessThanOrEqual(32 * 64);
  });

  it("is that of the whole table, where indices repeat or are of other rows", () => {
    const table = parameter([7, 3]);
    const index = input([4, 0, 4, 6, 5, 4], [6], "i32");
    for (const places of [[0, 4, 5], [4, 5], [1], [0, 1, 2, 3, 4, 5, 6]])
      expectPart(gradient(table, index), selection(0, 7, places));
  });
});

describe("the gradient of a linear layer's weight", () => {
  const loss = (weight: Node, x: Node) => square(matmul(x, permute(weight, [1, 0])));

  it("of some rows or columns is a product of that size", () => {
    const weight = leafParameter([512, 256]);
    const x = resident([64, 256]);
    const root = loss(weight, x);
    const forward = new Set(topological([root]));
    const whole = gradientOf(root, weight);
    for (const [axis, extents] of [
      [0, [16, 256, 64]],
      [1, [512, 16, 64]],
    ] as const) {
      const part = narrow(whole, some(axis, whole.shape[axis]!, 16), forward);
      const { plan } = costOf(part);
      const products = plan.calls.filter((c) => c.kernel.kind === "contract");
      // The forward product, and the gradient's.
      expect(products.map((c) => sizeOf(c.extents))).toContain(sizeOf(extents));
      expect(products).toHaveLength(2);
    }
  });

  it("has the values of the whole", () => {
    const weight = parameter([6, 5]);
    const whole = gradientOf(loss(weight, tensor([4, 5])), weight);
    for (const axis of [0, 1])
      for (const places of [[0, 2, 4], [1, 2], [3]])
        expectPart(whole, selection(axis, whole.shape[axis]!, places));
  });
});

it("narrows both gradients of a table that is embedding and output layer at once", () => {
  const loss = (table: Node, index: Node) => square(matmul(take(table, index, 0), permute(table, [1, 0])));
  const small = parameter([8, 3]);
  expectPart(gradientOf(loss(small, input([2, 7, 2], [3], "i32")), small), selection(0, 8, [2, 3, 7]));

  const table = leafParameter([20_000, 64]);
  const root = loss(table, resident([8], "i32"));
  const inverse = resident([20_000], "i32");
  const s = { ...some(0, 20_000, 10), inverse: () => inverse };
  const part = narrow(gradientOf(root, table), s, new Set(topological([root])));
  const { plan } = costOf(part);
  // What the loss needs is of the size [8, 20000]; of the table's own size there is nothing.
  expect(plan.arenaBytes).toBeLessThan((20_000 * 64 * 4) / 2);
  expect(topological([part]).some((n) => n.op === "scatterAdd" && n.shape[0] === 20_000)).toBe(false);
});

describe("slices of a parameter", () => {
  /** Three parts of one weight, as attention packs them, of which the last is used twice. */
  const loss = (weight: Node, x: Node) => {
    const part = (i: number) => matmul(x, permute(sliceAxis(weight, 0, i * 4, 4), [1, 0]));
    return add(square(part(1)), add(square(part(2)), square(node("tanh", [part(2)], {}))));
  };

  it("have the gradient of the whole, whichever part the places are in", () => {
    const weight = parameter([12, 5]);
    const whole = gradientOf(loss(weight, tensor([3, 5])), weight);
    for (const places of [[0, 1], [3, 4, 5], [5, 6], [6, 7, 8], [0, 5, 11], [2], [4, 6, 8, 10]]) {
      expectPart(whole, selection(0, 12, places));
      expectPart(whole, { ...selection(0, 12, places), start: null });
    }
  });

  it("need no product for a part that has none of the places", () => {
    const weight = leafParameter([12, 500]);
    const whole = gradientOf(loss(weight, resident([30, 500])), weight);
    const part = narrow(whole, selection(0, 12, [1, 2, 3]));
    expect(topological([part]).filter((n) => n.op === "dot")).toHaveLength(0);
  });
});

it("takes places of ranges through slices, concatenations and padding", () => {
  const x = tensor([9, 2]);
  const moved = sliceAxis(node("concat", [sliceAxis(x, 0, 3, 5), x], { axis: 0 }), 0, 2, 10);
  const whole = node("neg", [node("pad", [moved], { low: [2, 1], high: [1, 0], value: 5 })], {});
  for (let first = 0; first < 13; first++)
    for (let end = first + 1; end <= 13; end++) {
      const s = selection(
        0,
        13,
        Array.from({ length: end - first }, (_, i) => first + i),
      );
      expectPart(whole, s);
      expectPart(whole, { ...s, start: null });
    }
});

describe("what is computed whole anyway", () => {
  const x = tensor([5, 4]);
  const w = tensor([4, 6]);
  const product = matmul(x, w);
  const s = selection(1, 6, [1, 4]);

  it("is not computed again in part", () => {
    const part = narrow(node("tanh", [product], {}), s, new Set([product]));
    expect(topological([part]).filter((n) => isOp(n, "dot"))).toEqual([product]);
    const alone = narrow(node("tanh", [product], {}), s);
    expect(topological([alone]).filter((n) => isOp(n, "dot"))).not.toContain(product);
  });

  it("is found where the part itself needs it", () => {
    // The row sums need all of the product.
    const total = reshape(sum(product, [1]), [5, 1]);
    const scaled = node("mul", [product, node("expand", [total], { shape: [5, 6] })], {});
    const part = narrow(scaled, s);
    expect(topological([part]).filter((n) => isOp(n, "dot"))).toEqual([product]);
    expectPart(scaled, s);
  });
});

it("goes through chains longer than the stack is deep", () => {
  let x: Node = tensor([3]);
  for (let i = 0; i < 30_000; i++) x = add(x, x);
  const part = narrow(x, selection(0, 3, [0, 2]));
  expect(part.shape).toEqual([2]);
  expect(topological([part]).length).toBeLessThan(30_010);
});

it("gives the whole back as it is", () => {
  const x = add(tensor([3]), tensor([3]));
  expect(narrow(x, selection(0, 3, [0, 1, 2]))).toBe(x);
});
