import { expect, test } from "vitest";
import { ShapeError } from "../../src/base/errors.ts";
import { type Node, node } from "../../src/ir/node.ts";
import { input } from "../plan/random-graph.ts";

const row = input([1, 2 ** 16]);
const column = input([2 ** 16, 1]);
const outer = { leftBatch: [], rightBatch: [], leftContract: [1], rightContract: [0] };

test.each<[string, () => Node]>([
  [
    "dot of [65536, 1] and [1, 65536]: the result would have shape [65536, 65536], which is 4294967296 elements",
    () => node("dot", [column, row], outer),
  ],
  ["expand of [1, 65536]", () => node("expand", [row], { shape: [2 ** 16, 2 ** 16] })],
  ["pad of [1, 65536]", () => node("pad", [row], { low: [0, 0], high: [0, 2 ** 33], value: 0 })],
  ["randomBits of [2]", () => node("randomBits", [input([2], "i32")], { shape: [2 ** 32] })],
  ["iota", () => node("iota", [], { shape: [2 ** 16, 2 ** 16], axis: 0, dtype: "i32" })],
  ["input", () => input([2 ** 20, 2 ** 20])],
])("a value of 2^32 elements is refused where it is asked for: %s", (said, make) => {
  expect(make).toThrow(ShapeError);
  expect(make).toThrow(said);
  expect(make).toThrow("a value has fewer than 2^32");
});

test("one element fewer is a value", () => {
  expect(node("expand", [input([1])], { shape: [2 ** 32 - 1] }).shape).toEqual([2 ** 32 - 1]);
});

test("places along an axis that i32 cannot count are refused", () => {
  const long = node("expand", [input([1])], { shape: [2 ** 31 + 1] });
  const said = "axis 0 of shape [2147483649] has more than 2^31 places";
  expect(() => node("argmax", [long], { axis: 0 })).toThrow(`argmax: ${said}`);
  expect(() => node("argsort", [long], { axis: 0, descending: false })).toThrow(`argsort: ${said}`);
  expect(() => node("iota", [], { shape: [2 ** 31 + 1], axis: 0, dtype: "i32" })).toThrow(`iota: ${said}`);
  expect(node("iota", [], { shape: [2 ** 31], axis: 0, dtype: "i32" }).shape).toEqual([2 ** 31]);
});
