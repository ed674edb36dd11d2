import { describe, expect, test } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { InternalError } from "../../src/base/errors.ts";
import { type Node, node, topological, withGrad } from "../../src/ir/node.ts";
import { print } from "../../src/ir/print.ts";
import { verify } from "../../src/ir/verify.ts";
import { elementsOf, filled, input, variable } from "../ir/values.ts";

const mul = (a: Node, b: Node): Node => node("mul", [a, b], {});
const add = (a: Node, b: Node): Node => node("add", [a, b], {});

describe("backward", () => {
  test("collects by owner, and adds up where one owner has several variables", () => {
    const owner = {};
    const a = variable([2, 3], [2], "f64", owner);
    const b = variable([5, 7], [2], "f64", owner);
    const grads = backward(mul(a, b), input([1, 10]));
    expect([...grads.keys()]).toEqual([owner]);
    expect(elementsOf(grads.get(owner)!)).toEqual([7, 100]);
  });

  test("adds up the gradients of all uses", () => {
    const x = variable([3]);
    const grads = backward(add(mul(x, x), x), input([1]));
    expect(elementsOf(grads.get(x.attrs.owner)!)).toEqual([7]);
  });

  test("has no entry for what the root does not reach, nor behind detach", () => {
    const x = variable([3]);
    const y = variable([4]);
    const grads = backward(mul(x, node("detach", [y], {})), input([1]));
    expect([...grads.keys()]).toEqual([x.attrs.owner]);
    expect(backward(input([1]), input([1])).size).toBe(0);
    expect(backward(node("detach", [x], {}), input([1])).size).toBe(0);
  });

  test("computes nothing for variables that do not collect, and stops below the lowest that does", () => {
    const frozen = variable([2, 3]);
    const head = variable([5, 7]);
    const features = node("exp", [mul(frozen, frozen)], {});
    const loss = mul(features, head);
    const cotangent = input([1, 1]);
    const before = input([0]).id;
    const grads = withGrad(false, () => backward(loss, cotangent, { stopAt: (v) => v === head }));
    const made = input([0]).id - before - 1;
    expect([...grads.keys()]).toEqual([head.attrs.owner]);
    expect(
      print([cotangent, features, grads.get(head.attrs.owner)!])
        .split("\n")
        .at(-1),
    ).toBe("%2 = mul f64[2] %0, %1");
    expect(made).toBe(1);
  });

  test("walks through a variable that does not collect to one behind it", () => {
    const inner = variable([2]);
    const outer = node("variable", [mul(inner, inner)], { owner: {} });
    const all = backward(mul(outer, outer), input([1]));
    expect([...all.keys()]).toEqual([outer.attrs.owner]);
    const through = backward(mul(outer, outer), input([1]), { stopAt: (v) => v === inner });
    expect(elementsOf(through.get(inner.attrs.owner)!)).toEqual([32]);
  });

  test("gradients are tracked where gradients are enabled, and only there", () => {
    const x = variable([3]);
    const cube = mul(mul(x, x), x);
    const first = backward(cube, input([1])).get(x.attrs.owner)!;
    expect(first.tracked).toBe(true);
    const second = backward(first, input([1])).get(x.attrs.owner)!;
    expect(elementsOf(second)).toEqual([18]);
    const untracked = withGrad(false, () => backward(cube, input([1])).get(x.attrs.owner)!);
    expect(untracked.tracked).toBe(false);
    expect(elementsOf(untracked)).toEqual([27]);
  });

  test("no gradient through integers and comparisons", () => {
    const x = variable([1.5, -2]);
    const positive = node("lt", [filled(0, [2]), x], {});
    const whole = node("cast", [node("cast", [x], { dtype: "i32" })], { dtype: "f64" });
    const grads = backward(add(mul(x, whole), node("cast", [positive], { dtype: "f64" })), input([1, 1]));
    expect(elementsOf(grads.get(x.attrs.owner)!)).toEqual([1, -2]);
  });

  test("a cast passes the gradient back in the operand's dtype", () => {
    const x = variable([1, 2], [2], "f32");
    const grads = backward(node("cast", [x], { dtype: "f64" }), input([3, 4]));
    const g = grads.get(x.attrs.owner)!;
    expect(g.dtype).toBe("f32");
    expect(elementsOf(g)).toEqual([3, 4]);
  });

  test("the gradient of a storage dtype is kept and summed in f32", () => {
    const x = variable([1, 2], [2, 1], "bf16");
    const wide = node("cast", [node("expand", [x], { shape: [2, 3] })], { dtype: "f32" });
    const grads = backward(mul(wide, wide), filled(1, [2, 3], "f32"));
    const g = grads.get(x.attrs.owner)!;
    expect(g.dtype).toBe("f32");
    expect(elementsOf(g)).toEqual([6, 12]);
    verify(topological([g]));
  });

  test("a deep chain does not overflow the stack", () => {
    const x = variable([1]);
    let y: Node = x;
    for (let i = 0; i < 20000; i++) y = node("neg", [y], {});
    expect(elementsOf(backward(y, input([1])).get(x.attrs.owner)!)).toEqual([1]);
  });

  test("refuses a cotangent of another shape", () => {
    const x = variable([1, 2]);
    expect(() => backward(x, input([1]))).toThrow(InternalError);
    expect(() => backward(x, input([1]))).toThrow(
      "backward: a cotangent of shape [1] for a root of shape [2]",
    );
  });

  test("of the two orders of a dot, takes the one that needs no permute", () => {
    const x = variable([1, 2, 3, 4, 5, 6], [3, 2]);
    const linear = variable([1, 2, 3, 4, 5, 6, 7, 8], [4, 2]);
    const matmul = variable([1, 2, 3, 4, 5, 6, 7, 8], [2, 4]);
    const axes = { leftBatch: [], rightBatch: [], leftContract: [1] };
    for (const [w, contract] of [
      [linear, 1],
      [matmul, 0],
    ] as const) {
      const y = node("dot", [x, w], { ...axes, rightContract: [contract] });
      const grads = backward(y, filled(1, [3, 4]));
      const ops = topological([...grads.values()]).map((n) => n.op);
      expect(ops).not.toContain("permute");
      expect(ops.filter((op) => op === "dot")).toHaveLength(2);
    }
  });
});

describe("pieces of a value", () => {
  const piece = (x: Node, start: number, size: number): Node =>
    node("slice", [x], { start: [start], size: [size], step: [1] });
  const ops = (root: Node): string[] => topological([root]).map((n) => n.op);

  test("that lie side by side have one gradient of all, without zeros between them", () => {
    const x = variable([1, 2, 3, 4, 5]);
    const [a, b, c] = [piece(x, 0, 2), piece(x, 2, 2), piece(x, 4, 1)];
    const root = add(node("sum", [mul(a, b)], { axes: [0] }), node("sum", [c], { axes: [0] }));
    const g = backward(root, input([1], [])).get(x.attrs.owner)!;
    expect(elementsOf(g)).toEqual([3, 4, 1, 2, 1]);
    expect(ops(g)).not.toContain("pad");
    expect(ops(g)).not.toContain("add");
  });

  test("that are taken twice, overlap, or leave a gap add up as they must", () => {
    const x = variable([1, 2, 3, 4, 5, 6]);
    const total = (y: Node): Node => node("sum", [y], { axes: [0] });
    const root = [
      mul(piece(x, 4, 2), piece(x, 4, 2)),
      piece(x, 0, 2),
      piece(x, 1, 2),
      mul(piece(x, 2, 2), piece(x, 0, 2)),
      piece(x, 0, 2),
    ]
      .map(total)
      .reduce(add);
    const g = backward(add(root, total(x)), input([1], [])).get(x.attrs.owner)!;
    expect(elementsOf(g)).toEqual([1 + 2 + 3, 1 + 2 + 1 + 4, 1 + 1 + 1, 1 + 2, 1 + 10, 1 + 12]);
  });
});
