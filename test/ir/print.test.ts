import { expect, test } from "vitest";
import { type Node, node, topological } from "../../src/ir/node.ts";
import { print } from "../../src/ir/print.ts";

const leaf = (id: number, shape: number[]): Node =>
  node("input", [], { source: { id }, version: 4, shape, dtype: "f32" });

test("prints a graph, a node a line, with types, operands and attributes", () => {
  const x = leaf(7, [2, 3]);
  const w = node("variable", [leaf(9, [4, 3])], { owner: { secret: 1 } }, true);
  const y = node("dot", [x, w], { leftBatch: [], rightBatch: [], leftContract: [1], rightContract: [1] });
  const rate = node("hostScalar", [], { compute: () => 1, dtype: "f32" });
  const c = node(
    "expand",
    [node("reshape", [node("constant", [], { value: -0, dtype: "f32" })], { shape: [1, 1] })],
    { shape: [2, 4] },
  );
  const total = node("sum", [node("max", [y, c], {})], { axes: [0, 1] });
  const order = topological([
    node("mul", [total, rate], {}),
    node("argsort", [y], { axis: 1, descending: true }),
  ]);
  expect(print(order)).toMatchInlineSnapshot(`
    "%0 = input f32[2, 3] {source: #7, version: 4}
    %1 = input f32[4, 3] {source: #9, version: 4}
    %2 = variable f32[4, 3] %1
    %3 = dot f32[2, 4] %0, %2 {leftBatch: [], rightBatch: [], leftContract: [1], rightContract: [1]}
    %4 = constant f32[] {value: -0}
    %5 = reshape f32[1, 1] %4
    %6 = expand f32[2, 4] %5
    %7 = max f32[2, 4] %3, %6
    %8 = sum f32[] %7 {axes: [0, 1]}
    %9 = hostScalar f32[]
    %10 = mul f32[] %8, %9
    %11 = argsort i32[2, 4] %3 {axis: 1, descending: true}"
  `);
});

test("names operands outside the order %?", () => {
  expect(print([node("neg", [leaf(1, [2])], {})])).toBe("%0 = neg f32[2] %?");
});
