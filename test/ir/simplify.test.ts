import { describe, expect, test } from "vitest";
import type { DType } from "../../src/base/dtype.ts";
import { type Node, node, topological } from "../../src/ir/node.ts";
import type { Op, OpAttrs } from "../../src/ir/op.ts";
import { print } from "../../src/ir/print.ts";
import { simplify } from "../../src/ir/simplify.ts";
import { verify } from "../../src/ir/verify.ts";
import { elementsOf, filled, input, variable } from "./values.ts";

const apply = <K extends Op>(op: K, src: readonly Node[], attrs = {} as OpAttrs[K]): Node =>
  node(op, src, attrs);
const x = input([1, -2, 3, 4, 5, -6], [2, 3], "f32");
const y = input([2, 4, 6, 8, 10, 12], [2, 3], "f32");
const i = input([1, -2, 3], [3], "i32");
const j = input([4, 5, -6], [3], "i32");
const p = input([1, 0, 1], [3], "bool");
const c = (value: number, like: Node = x): Node => filled(value, like.shape, like.dtype);
const only = (n: Node): Node => simplify([n])[0]!;

/** The ops of a simplified graph, operands first, without inputs. */
const opsOf = (n: Node): string =>
  topological([only(n)])
    .map((m) => m.op)
    .filter((op) => op !== "input")
    .join(" ");

const neg = (n: Node): Node => apply("neg", [n]);
const not = (n: Node): Node => apply("not", [n]);
const cast = (n: Node, dtype: DType): Node => apply("cast", [n], { dtype });
const reshape = (n: Node, ...shape: number[]): Node => apply("reshape", [n], { shape });
const permute = (n: Node, ...axes: number[]): Node => apply("permute", [n], { axes });

test.each<[string, Node]>([
  ["x + 0", apply("add", [x, c(0)])],
  ["0 + x", apply("add", [c(0), x])],
  ["x - -0", apply("sub", [x, c(-0)])],
])("%s stays: of -0 it makes 0", (_, n) => {
  expect(opsOf(n)).toMatch(/add|sub/);
});

describe("gives back the operand itself", () => {
  test.each<[string, Node, Node]>([
    ["x + -0", apply("add", [x, c(-0)]), x],
    ["-0 + x", apply("add", [c(-0), x]), x],
    ["i + 0", apply("add", [i, c(0, i)]), i],
    ["i - -0", apply("sub", [i, c(-0, i)]), i],
    ["x - 0", apply("sub", [x, c(0)]), x],
    ["x · 1", apply("mul", [x, c(1)]), x],
    ["1 · x", apply("mul", [c(1), x]), x],
    ["x / 1", apply("div", [x, c(1)]), x],
    ["x¹", apply("pow", [x, c(1)]), x],
    ["--x", neg(neg(x)), x],
    ["max(x, x)", apply("max", [x, x]), x],
    ["min(x, x)", apply("min", [x, x]), x],
    ["not not p", not(not(p)), p],
    ["p and true", apply("and", [p, c(1, p)]), p],
    ["p or false", apply("or", [c(0, p), p]), p],
    ["i and i", apply("and", [i, i]), i],
    ["i xor 0", apply("xor", [i, c(0, i)]), i],
    ["i << 0", apply("shl", [i, c(0, i)]), i],
    ["i >> 0", apply("shr", [i, c(0, i)]), i],
    ["where(true, i, j)", apply("where", [c(1, p), i, j]), i],
    ["where(false, i, j)", apply("where", [c(0, p), i, j]), j],
    ["where(p, i, i)", apply("where", [p, i, i]), i],
    ["variable", variable([1]), variable([1]).src[0]!],
    ["f32 → f64 → f32", cast(cast(x, "f64"), "f32"), x],
    ["same dtype", cast(x, "f32"), x],
    ["same shape", reshape(x, 2, 3), x],
    ["reshape and back", reshape(reshape(x, 6), 2, 3), x],
    ["permute and back", permute(permute(x, 1, 0), 1, 0), x],
    ["expand to itself", apply("expand", [x], { shape: [2, 3] }), x],
    ["the whole slice", apply("slice", [x], { start: [0, 0], size: [2, 3], step: [1, 1] }), x],
    ["padded by nothing", apply("pad", [x], { low: [0, 0], high: [0, 0], value: 9 }), x],
    [
      "pad, then slice back",
      apply("slice", [apply("pad", [x], { low: [1, 2], high: [3, 0], value: 9 })], {
        start: [1, 2],
        size: [2, 3],
        step: [1, 1],
      }),
      x,
    ],
    ["concat of one", apply("concat", [x], { axis: 0 }), x],
    ["concat with nothing", apply("concat", [input([], [0, 3], "f32"), x], { axis: 0 }), x],
    ["sum over no axes", apply("sum", [x], { axes: [] }), x],
  ])("%s", (name, n, expected) => {
    const [result] = simplify([n]);
    if (name === "variable") expect(result!.op).toBe("input");
    else expect(result).toBe(expected);
  });
});

describe("rewrites", () => {
  test.each<[string, Node, string]>([
    ["detach and variable vanish", apply("exp", [apply("detach", [x])]), "exp"],
    ["a stated gradient vanishes", apply("exp", [node("stated", [x, x], { rules: [(g) => g] })]), "exp"],
    ["x + -y to x - y", apply("add", [x, neg(y)]), "sub"],
    ["-x + y to y - x", apply("add", [neg(x), y]), "sub"],
    ["x - -y to x + y", apply("sub", [x, neg(y)]), "add"],
    ["x · -1 to -x", apply("mul", [x, c(-1)]), "neg"],
    ["x² to x · x", apply("pow", [x, c(2)]), "mul"],
    ["|-x| to |x|", apply("abs", [neg(x)]), "abs"],
    ["||x|| to |x|", apply("abs", [apply("abs", [x])]), "abs"],
    ["relu of relu", apply("relu", [apply("relu", [x])]), "relu"],
    ["where(not p) to where(p)", apply("where", [not(p), i, j]), "where"],
    ["lossless cast chains", cast(cast(p, "i32"), "f32"), "cast"],
    ["reshape chains", reshape(reshape(x, 6), 3, 2), "reshape"],
    [
      "permute chains",
      permute(permute(input([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]), 1, 2, 0), 0, 2, 1),
      "permute",
    ],
    ["a permute of axes of size 1 to a reshape", permute(reshape(x, 2, 1, 3), 1, 0, 2), "reshape"],
    [
      "expand chains",
      apply("expand", [apply("expand", [reshape(i, 1, 3, 1)], { shape: [2, 3, 1] })], { shape: [2, 3, 4] }),
      "reshape expand",
    ],
    [
      "slice chains",
      apply("slice", [apply("slice", [x], { start: [1, 2], size: [2, 3], step: [-1, -1] })], {
        start: [0, 2],
        size: [2, 2],
        step: [1, -2],
      }),
      "slice",
    ],
    [
      "pad chains",
      apply("pad", [apply("pad", [i], { low: [1], high: [0], value: 2 })], { low: [0], high: [3], value: 2 }),
      "pad",
    ],
    [
      "reduction over axes of size 1 to a reshape",
      apply("maxReduce", [input([1, 2, 3, 4], [2, 1, 2])], { axes: [1] }),
      "reshape",
    ],
  ])("%s", (_, n, ops) => {
    expect(opsOf(n)).toBe(ops);
    verify(topological([only(n)]));
    expect(elementsOf(only(n))).toEqual(elementsOf(n));
  });
});

describe("folds", () => {
  test.each<[string, Node, number]>([
    ["arithmetic", apply("mul", [apply("add", [c(2), c(3)]), apply("sqrt", [c(16)])]), 20],
    ["to the dtype", apply("add", [c(0.1), c(0.2)]), Math.fround(Math.fround(0.1) + Math.fround(0.2))],
    ["wrapping integers", apply("add", [c(2147483647, i), c(1, i)]), -2147483648],
    ["comparisons", apply("lt", [c(1), c(2)]), 1],
    ["casts", cast(c(2.7), "i32"), 2],
    ["through movement", reshape(permute(apply("exp", [reshape(c(0), 3, 2)]), 1, 0), 6), 1],
    ["slices", apply("slice", [c(5)], { start: [1, 0], size: [1, 2], step: [1, 1] }), 5],
    ["padding with the same value", apply("pad", [c(5)], { low: [1, 0], high: [0, 0], value: 5 }), 5],
    ["sums of whole numbers", apply("sum", [c(3)], { axes: [0, 1] }), 18],
    ["extrema", apply("maxReduce", [c(0.3)], { axes: [0] }), Math.fround(0.3)],
    ["i · 0", apply("mul", [i, c(0, i)]), 0],
    ["i - i", apply("sub", [i, i]), 0],
    ["i xor i", apply("xor", [i, i]), 0],
    ["i = i", apply("eq", [i, i]), 1],
    ["i ≤ i", apply("le", [i, i]), 1],
    ["x < x", apply("lt", [x, x]), 0],
    ["p and false", apply("and", [p, c(0, p)]), 0],
    ["p or true", apply("or", [p, c(1, p)]), 1],
    ["x⁰", apply("pow", [x, c(0)]), 1],
  ])("%s", (_, n, value) => {
    const result = only(n);
    expect(
      topological([result])
        .map((m) => m.op)
        .filter((op) => op !== "reshape" && op !== "expand"),
    ).toEqual(["constant"]);
    expect([result.shape, result.dtype]).toEqual([n.shape, n.dtype]);
    expect(elementsOf(result)).toEqual(elementsOf(n));
    expect(elementsOf(result)[0]).toBe(value);
  });
});

describe("leaves alone what would change a value", () => {
  test.each<[string, Node, string]>([
    ["x · 0, as NaN · 0 is NaN", apply("mul", [x, c(0)]), "constant reshape expand mul"],
    ["x - x", apply("sub", [x, x]), "sub"],
    ["x = x", apply("eq", [x, x]), "eq"],
    ["x ≤ x", apply("le", [x, x]), "le"],
    // Not a product for powers of two either: a mean over other sizes would be other code.
    ["division by 8", apply("div", [x, c(8)]), "constant reshape expand div"],
    ["f32 → i32 → f32", cast(cast(x, "i32"), "f32"), "cast cast"],
    ["i32 → f32 → i32", cast(cast(i, "f32"), "i32"), "cast cast"],
    ["f32 → bf16 → f32", cast(cast(x, "bf16"), "f32"), "cast cast"],
    ["i or 1", apply("or", [i, c(1, i)]), "constant reshape expand or"],
    [
      "pads of different values",
      apply("pad", [apply("pad", [i], { low: [1], high: [0], value: 2 })], { low: [1], high: [0], value: 3 }),
      "pad pad",
    ],
    [
      "a slice that reaches into padding",
      apply("slice", [apply("pad", [i], { low: [2], high: [0], value: 2 })], {
        start: [1],
        size: [2],
        step: [1],
      }),
      "pad slice",
    ],
    ["sums that would round", apply("sum", [c(0.1)], { axes: [0] }), "constant reshape expand sum"],
  ])("%s", (_, n, ops) => {
    expect(opsOf(n)).toBe(ops);
  });
});

describe("shares", () => {
  test("equal operations on equal operands, also between roots", () => {
    const f = () => apply("exp", [apply("mul", [x, apply("sum", [reshape(x, 2, 1, 3)], { axes: [1] })])]);
    const [a, b] = simplify([f(), f()]);
    expect(a).toBe(b);
  });

  test("not what differs in an attribute, in the sign of zero, or in the host function", () => {
    const distinct = (a: Node, b: Node) => {
      const [first, second] = simplify([a, b]);
      expect(first).not.toBe(second);
    };
    distinct(apply("sum", [x], { axes: [0] }), apply("sum", [x], { axes: [1] }));
    distinct(
      node("constant", [], { value: 0, dtype: "f32" }),
      node("constant", [], { value: -0, dtype: "f32" }),
    );
    distinct(
      node("constant", [], { value: 0, dtype: "f32" }),
      node("constant", [], { value: 0, dtype: "f64" }),
    );
    const compute = () => 1;
    distinct(
      node("hostScalar", [], { compute, dtype: "f32" }),
      node("hostScalar", [], { compute, dtype: "f32" }),
    );
  });

  test("only what is equal, although hashes of so many pairs collide", () => {
    const leaves = Array.from({ length: 40 }, (_, k) => input([k], [1], "f32"));
    const differences = leaves.flatMap((a) => leaves.filter((b) => b !== a).map((b) => apply("sub", [a, b])));
    expect(new Set(simplify(differences)).size).toBe(40 * 39);
  });

  test("inputs of one source and version", () => {
    const leaf = (version: number) =>
      node("input", [], { source: x.attrs.source, version, shape: [2, 3], dtype: "f32" });
    const [a, b, newer] = simplify([leaf(3), leaf(3), leaf(4)]);
    expect(a).toBe(b);
    expect(newer).not.toBe(a);
  });
});

test("the result is untracked, and what needs no change stays the node it was", () => {
  const w = variable([1, 2, 3], [3], "f32");
  const leaf = node("iota", [], { shape: [3], axis: 0, dtype: "f32" }, true);
  const plain = apply("exp", [cast(i, "f32")]);
  const [tracked, same] = simplify([apply("fma", [w, plain, leaf]), plain]);
  expect(topological([tracked!]).some((n) => n.tracked)).toBe(false);
  expect(same).toBe(plain);
});

test("keeps the order of roots, and a root that is a leaf", () => {
  const [a, b, again] = simplify([x, apply("add", [x, y]), x]);
  expect([a, again]).toEqual([x, x]);
  expect(
    print(topological([b!]))
      .split("\n")
      .at(-1),
  ).toBe("%2 = add f32[2, 3] %0, %1");
});
