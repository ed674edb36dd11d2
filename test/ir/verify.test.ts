import { describe, expect, test } from "vitest";
import { InternalError } from "../../src/base/errors.ts";
import { type Node, node, topological } from "../../src/ir/node.ts";
import { verify } from "../../src/ir/verify.ts";
import { input } from "./values.ts";

const x = input([1, 2, 3, 4], [2, 2], "f32");
const sum = node("sum", [x], { axes: [1] });

/** What `verify` says of a graph; the graph must be refused. */
function refusal(order: readonly Node[]): string {
  try {
    verify(order);
  } catch (error) {
    expect(error).toBeInstanceOf(InternalError);
    return (error as Error).message;
  }
  throw new Error("verify let it pass");
}

describe("verify", () => {
  test("takes a sound graph", () => {
    verify(
      topological([
        node("neg", [sum], {}),
        node("dot", [x, x], { leftBatch: [], rightBatch: [], leftContract: [1], rightContract: [0] }),
      ]),
    );
  });

  test("takes storage dtypes that are stored, moved, looked up or cast", () => {
    const table = input([1, 2, 3], [3], "bf16");
    const moved = node("permute", [node("reshape", [table], { shape: [3, 1] })], { axes: [1, 0] });
    const looked = node("gather", [table, input([2, 0], [2], "i32")], { axis: 0 });
    verify(topological([node("cast", [moved], { dtype: "f32" }), node("cast", [looked], { dtype: "f32" })]));
  });

  test("a user before its operand", () => {
    expect(refusal([sum, x])).toBe("verify: node %0 (sum) comes before its operand input");
  });

  test("a missing operand", () => {
    expect(refusal([sum])).toBe("verify: node %0 (sum) comes before its operand input");
  });

  test("a node listed twice", () => {
    expect(refusal([x, x])).toBe("verify: node %1 (input) is listed twice");
  });

  test("a wrong shape", () => {
    expect(refusal([x, { ...sum, shape: [3] }])).toBe(
      "verify: node %1 (sum) has shape [3], its operands make it [2]",
    );
  });

  test("a wrong dtype", () => {
    expect(refusal([x, { ...sum, dtype: "f64" }])).toBe(
      "verify: node %1 (sum) is f64, its operands make it f32",
    );
  });

  test("attributes that do not fit the operands", () => {
    expect(refusal([x, { ...sum, attrs: { axes: [2] } }])).toBe(
      "verify: node %1 (sum) cannot be: sum: axis 2 of a tensor of shape [2, 2]",
    );
  });

  test("a size that is not whole", () => {
    const broken = { ...x, attrs: { ...x.attrs, shape: [2.5] }, shape: [2.5] };
    expect(refusal([broken])).toBe(
      "verify: node %0 (input) has shape [2.5]; sizes are whole and not negative",
    );
  });

  test("arithmetic in a storage dtype", () => {
    const half = input([1, 2], [2], "f16");
    expect(refusal([half, node("add", [half, half], {})])).toBe(
      "verify: node %1 (add) computes in f16, a storage dtype; cast to f32 or i32 first",
    );
    expect(refusal([half, node("eq", [half, half], {})])).toContain("(eq) computes in f16");
  });
});
