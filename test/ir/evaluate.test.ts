import { describe, expect, test } from "vitest";
import type { DType, TypedArray } from "../../src/base/dtype.ts";
import type { Shape } from "../../src/base/shape.ts";
import { evaluate } from "../../src/ir/evaluate.ts";
import { type Node, node } from "../../src/ir/node.ts";
import type { Op, OpAttrs } from "../../src/ir/op.ts";
import { twin } from "./twin.ts";
import { elementsOf, input } from "./values.ts";

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const f32 = Math.fround;

interface Case {
  readonly src: readonly Node[];
  readonly attrs?: object;
  readonly shape?: Shape;
  readonly value: readonly number[];
}

const v = (values: readonly number[], dtype: DType = "f64", shape?: Shape): Node =>
  input(values, shape ?? [values.length], dtype);
const one = (
  values: readonly number[],
  value: readonly number[],
  dtype: DType = "f64",
  attrs = {},
): Case => ({ src: [v(values, dtype)], value, attrs });
const two = (
  a: readonly number[],
  b: readonly number[],
  value: readonly number[],
  dtype: DType = "f64",
): Case => ({ src: [v(a, dtype), v(b, dtype)], value });
/** [[1, 2, 3], [4, 5, 6]] */
const grid = (dtype: DType = "f64"): Node => v([1, 2, 3, 4, 5, 6], dtype, [2, 3]);
const source = { id: -1 };

/** Hand-worked values of every primitive: a missing one does not compile. */
const cases: { readonly [K in Op]: readonly Case[] } = {
  input: [{ src: [], attrs: { source, version: 0, shape: [2], dtype: "f32" }, shape: [2], value: [7, 8] }],
  constant: [
    { src: [], attrs: { value: 0.1, dtype: "f32" }, shape: [], value: [f32(0.1)] },
    { src: [], attrs: { value: 1.00390625, dtype: "bf16" }, shape: [], value: [1] },
  ],
  hostScalar: [{ src: [], attrs: { compute: () => 7, dtype: "f32" }, shape: [], value: [7] }],
  iota: [
    { src: [], attrs: { shape: [2, 3], axis: 1, dtype: "i32" }, shape: [2, 3], value: [0, 1, 2, 0, 1, 2] },
    { src: [], attrs: { shape: [2, 3], axis: 0, dtype: "f32" }, shape: [2, 3], value: [0, 0, 0, 1, 1, 1] },
  ],
  variable: [one([1, 2], [1, 2], "f64", { owner: {} })],
  detach: [one([1, 2], [1, 2])],
  stated: [one([1, 2], [1, 2], "f64", { rules: [] })],
  recomputed: [one([1, 2], [1, 2], "f64", { block: { first: 0, last: 0 } })],
  custom: [{ src: [v([1, 2])], attrs: { call: { gradients: () => [] } }, value: [] }],
  customResult: [{ src: [v([1, 2]), v([])], attrs: { index: 0 }, value: [1, 2] }],
  neg: [
    one([1, -2, 0, nan], [-1, 2, -0, nan]),
    one([-2147483648, 5], [-2147483648, -5], "i32"),
    one([1], [255], "u8"),
  ],
  abs: [one([1, -2, -0, -inf], [1, 2, 0, inf]), one([-3], [3], "i32")],
  sign: [one([3, -2, 0, -0, nan, -inf], [1, -1, 0, 0, 0, -1])],
  floor: [one([1.5, -1.5, -0.2], [1, -2, -1])],
  ceil: [one([1.5, -1.5, 0.2], [2, -1, 1])],
  round: [one([0.5, 1.5, 2.5, -0.5, -1.5, 2.4, -2.6, -0.3, inf], [0, 2, 2, -0, -2, 2, -3, -0, inf])],
  sqrt: [one([4, 2, -1], [2, f32(Math.SQRT2), nan], "f32")],
  exp: [one([0, 1, 1000], [1, f32(Math.E), inf], "f32")],
  log: [one([1, 0, -1], [0, -inf, nan])],
  expm1: [one([1e-10], [Math.expm1(1e-10)])],
  log1p: [one([1e-10, -1], [Math.log1p(1e-10), -inf])],
  sin: [one([0, 1], [0, f32(Math.sin(1))], "f32")],
  cos: [one([0, 1], [1, f32(Math.cos(1))], "f32")],
  tanh: [one([0, 0.5, 50], [0, Math.tanh(0.5), 1])],
  sigmoid: [one([0, 1000, -1000], [0.5, 1, 0])],
  erfc: [one([0, inf, -inf, nan, 26], [1, 0, 2, nan, 5.663192408856143e-296])],
  erf: [one([0, inf, -inf, nan], [0, 1, -1, nan])],
  relu: [one([2, -2, -0, nan], [2, 0, 0, nan]), one([-3, 3], [0, 3], "i32")],
  not: [one([1, 0], [0, 1], "bool")],
  cast: [
    one([2.9, -2.9, nan, 1e20, -1e20], [2, -2, 0, 2147483647, -2147483648], "f64", { dtype: "i32" }),
    one([3, 0, nan, -0], [1, 0, 1, 0], "f32", { dtype: "bool" }),
    one([300, -1, 5.7], [44, 255, 5], "f32", { dtype: "u8" }),
    one([0.1], [f32(0.1)], "f64", { dtype: "f32" }),
    one([1.01], [1.0078125], "f32", { dtype: "bf16" }),
    one([1.5, -2], [1.5, -2], "bf16", { dtype: "f32" }),
    one([300], [44], "i32", { dtype: "i8" }),
  ],
  add: [
    two([0.1], [0.2], [f32(f32(0.1) + f32(0.2))], "f32"),
    two([2147483647], [1], [-2147483648], "i32"),
    two([250], [10], [4], "u8"),
  ],
  sub: [two([1], [3], [-2]), two([1], [3], [254], "u8")],
  mul: [
    two([3], [f32(0.1)], [f32(3 * f32(0.1))], "f32"),
    two([123456789], [987654321], [Math.imul(123456789, 987654321)], "i32"),
  ],
  div: [two([1, 1, 0], [3, 0, 0], [f32(1 / 3), inf, nan], "f32")],
  pow: [
    two([2, -2, 0, nan, 1, -1, 4], [3, 3, 0, 0, nan, inf, 0.5], [8, -8, 1, 1, 1, 1, 2]),
    two([3, 7, -1, 2, 2], [4, 20, -3, -1, 31], [81, -1199696159, -1, 0, -2147483648], "i32"),
  ],
  max: [two([1, nan, 2], [2, 1, nan], [2, nan, nan])],
  min: [two([1, nan, 2], [2, 1, nan], [1, nan, nan])],
  remainder: [
    two([5, -5, 5, -5, 6, -6], [3, 3, -3, -3, 3, 3], [2, 1, -1, -2, 0, -0]),
    two([-7, 7], [3, -3], [2, -2], "i32"),
  ],
  eq: [two([1, nan, 0], [1, nan, -0], [1, 0, 1])],
  lt: [two([1, 2, nan], [2, 2, 1], [1, 0, 0])],
  le: [two([1, 2, nan], [2, 2, 1], [1, 1, 0])],
  and: [two([1, 1, 0], [1, 0, 0], [1, 0, 0], "bool"), two([12], [10], [8], "i32")],
  or: [two([1, 1, 0], [1, 0, 0], [1, 1, 0], "bool"), two([12], [10], [14], "i32")],
  xor: [two([1, 1, 0], [1, 0, 0], [0, 1, 0], "bool"), two([12], [-1], [-13], "i32")],
  shl: [two([1, 3], [4, 31], [16, -2147483648], "i32")],
  shr: [two([-1, 16], [28, 2], [15, 4], "i32")],
  where: [{ src: [v([1, 0], "bool"), v([1, 2]), v([3, nan])], value: [1, nan] }],
  fma: [{ src: [v([3]), v([4]), v([5])], value: [17] }],
  sum: [
    { src: [grid()], attrs: { axes: [0] }, shape: [3], value: [5, 7, 9] },
    { src: [grid()], attrs: { axes: [1] }, shape: [2], value: [6, 15] },
    { src: [grid()], attrs: { axes: [0, 1] }, shape: [], value: [21] },
    { src: [v([], "f32", [0, 2])], attrs: { axes: [0] }, shape: [2], value: [0, 0] },
    // f32 sums are rounded once: adding up in f32 would stay at 2²⁴.
    { src: [v([16777216, 1, 1], "f32")], attrs: { axes: [0] }, shape: [], value: [16777218] },
    { src: [v([2147483647, 1], "i32")], attrs: { axes: [0] }, shape: [], value: [-2147483648] },
    { src: [v([200, 100], "u8")], attrs: { axes: [0] }, shape: [], value: [44] },
  ],
  maxReduce: [
    { src: [grid()], attrs: { axes: [0] }, shape: [3], value: [4, 5, 6] },
    { src: [v([1, nan, 2])], attrs: { axes: [0] }, shape: [], value: [nan] },
  ],
  minReduce: [{ src: [grid("i32")], attrs: { axes: [1] }, shape: [2], value: [1, 4] }],
  prod: [
    { src: [grid()], attrs: { axes: [1] }, shape: [2], value: [6, 120] },
    { src: [v([65536, 65537], "i32")], attrs: { axes: [0] }, shape: [], value: [65536] },
  ],
  argmax: [
    { src: [v([1, 5, 5, 2, 0, 1], "f32", [2, 3])], attrs: { axis: 1 }, shape: [2], value: [1, 0] },
    { src: [v([1, 5, nan, nan], "f32")], attrs: { axis: 0 }, shape: [], value: [2] },
  ],
  reshape: [{ src: [grid()], attrs: { shape: [3, 2] }, shape: [3, 2], value: [1, 2, 3, 4, 5, 6] }],
  permute: [
    { src: [grid()], attrs: { axes: [1, 0] }, shape: [3, 2], value: [1, 4, 2, 5, 3, 6] },
    {
      src: [v([1, 2, 3, 4], "bf16", [2, 1, 2])],
      attrs: { axes: [2, 0, 1] },
      shape: [2, 2, 1],
      value: [1, 3, 2, 4],
    },
  ],
  expand: [
    { src: [v([1, 2], "f32", [2, 1])], attrs: { shape: [2, 3] }, shape: [2, 3], value: [1, 1, 1, 2, 2, 2] },
  ],
  slice: [
    {
      src: [grid()],
      attrs: { start: [0, 1], size: [2, 2], step: [1, 1] },
      shape: [2, 2],
      value: [2, 3, 5, 6],
    },
    {
      src: [grid()],
      attrs: { start: [1, 2], size: [2, 2], step: [-1, -2] },
      shape: [2, 2],
      value: [6, 4, 3, 1],
    },
    { src: [grid()], attrs: { start: [0, 0], size: [0, 3], step: [1, 1] }, shape: [0, 3], value: [] },
  ],
  pad: [
    {
      src: [v([1, 2], "f32", [1, 2])],
      attrs: { low: [1, 0], high: [0, 1], value: -1 },
      shape: [2, 3],
      value: [-1, -1, -1, 1, 2, -1],
    },
    { src: [v([1.5], "f16")], attrs: { low: [1], high: [0], value: 0.5 }, shape: [2], value: [0.5, 1.5] },
  ],
  barrier: [one([1, -0], [1, -0], "f64", { phase: 2 }), one([3], [3], "i32", { phase: 1 })],
  concat: [
    {
      src: [grid(), v([7, 8], "f64", [2, 1])],
      attrs: { axis: 1 },
      shape: [2, 4],
      value: [1, 2, 3, 7, 4, 5, 6, 8],
    },
  ],
  dot: [
    {
      src: [grid(), v([1, 0, 2, 1, 0, 1], "f64", [3, 2])],
      attrs: { leftBatch: [], rightBatch: [], leftContract: [1], rightContract: [0] },
      shape: [2, 2],
      value: [5, 5, 14, 11],
    },
    {
      // Batch axis last on the left, second on the right; two of each: left[k, b], right[k, b, n].
      src: [v([1, 2, 3, 4], "f64", [2, 2]), v([1, 2, 3, 4, 5, 6, 7, 8], "f64", [2, 2, 2])],
      attrs: { leftBatch: [1], rightBatch: [1], leftContract: [0], rightContract: [0] },
      shape: [2, 2],
      value: [16, 20, 34, 40],
    },
    {
      src: [v([65536, 3], "i32"), v([65536, 5], "i32")],
      attrs: { leftBatch: [], rightBatch: [], leftContract: [0], rightContract: [0] },
      shape: [],
      value: [15],
    },
  ],
  gather: [
    { src: [grid(), v([2, 0, 1, 1], "i32", [2, 2])], attrs: { axis: 1 }, shape: [2, 2], value: [3, 1, 5, 5] },
    { src: [v([1, 2, 3]), v([-1, 9], "i32")], attrs: { axis: 0 }, shape: [2], value: [1, 3] },
  ],
  scatterAdd: [
    {
      src: [v([1, 2, 3]), v([0, 0, 2, 9, -1], "i32"), v([10, 20, 30, 40, 50])],
      attrs: { axis: 0 },
      shape: [3],
      value: [31, 2, 33],
    },
    {
      src: [grid(), v([1, 0, 0], "i32", [1, 3]), v([10, 20, 30], "f64", [1, 3])],
      attrs: { axis: 0 },
      shape: [2, 3],
      value: [1, 22, 33, 14, 5, 6],
    },
  ],
  scatter: [
    {
      src: [v([1, 2, 3]), v([2, 0, 0, 9, -1], "i32"), v([10, 20, nan, 40, 50])],
      attrs: { axis: 0 },
      shape: [3],
      value: [nan, 2, 10],
    },
    {
      src: [grid(), v([1, 0, 0], "i32", [1, 3]), v([10, 20, 30], "f64", [1, 3])],
      attrs: { axis: 0 },
      shape: [2, 3],
      value: [1, 20, 30, 10, 5, 6],
    },
    {
      src: [grid(), v([1, 2], "i32", [2, 1]), v([10, 20], "f64", [2, 1])],
      attrs: { axis: 1 },
      shape: [2, 3],
      value: [1, 10, 3, 4, 5, 20],
    },
    {
      src: [v([1, 2, 3], "bf16"), v([1], "i32"), v([-0.5], "bf16")],
      attrs: { axis: 0 },
      shape: [3],
      value: [1, -0.5, 3],
    },
  ],
  argsort: [
    { src: [v([3, nan, 1, 1, -inf])], attrs: { axis: 0, descending: false }, value: [4, 2, 3, 0, 1] },
    { src: [v([3, nan, 1, 1, -inf])], attrs: { axis: 0, descending: true }, value: [1, 0, 2, 3, 4] },
    {
      src: [v([3, 1, 2, 4], "i32", [2, 2])],
      attrs: { axis: 0, descending: false },
      shape: [2, 2],
      value: [1, 0, 0, 1],
    },
  ],
  cumsum: [
    { src: [grid()], attrs: { axis: 1 }, shape: [2, 3], value: [1, 3, 6, 4, 9, 15] },
    { src: [grid("i32")], attrs: { axis: 0 }, shape: [2, 3], value: [1, 2, 3, 5, 7, 9] },
  ],
  // Scores of 0 have equal weights; a query without keys gives 0.
  attention: [
    {
      src: [v([0], "f64", [1, 1, 1, 1, 1]), v([1, -1], "f64", [1, 1, 2, 1]), v([2, 4], "f64", [1, 1, 2, 1])],
      attrs: { causal: false, masked: false, scale: 1, dropout: 0, byHead: true },
      shape: [2],
      value: [3, Math.log(2)],
    },
    {
      src: [
        v([0, 0], "f64", [1, 1, 1, 2, 1]),
        v([1, -1], "f64", [1, 1, 2, 1]),
        v([2, 4], "f64", [1, 1, 2, 1]),
      ],
      attrs: { causal: true, masked: false, scale: 1, dropout: 0, byHead: true },
      shape: [4],
      value: [2, 3, 0, Math.log(2)],
    },
    {
      src: [
        v([0, 0], "f64", [1, 1, 1, 2, 1]),
        v([1, -1], "f64", [1, 1, 2, 1]),
        v([2, 4], "f64", [1, 1, 2, 1]),
        v([0, 1, 0, 0], "bool", [1, 1, 1, 2, 2]),
      ],
      attrs: { causal: false, masked: true, scale: 1, dropout: 0, byHead: true },
      shape: [4],
      value: [4, 0, 0, inf],
    },
  ],
  attentionGradient: [
    {
      src: [
        v([0], "f64", [1, 1, 1, 1, 1]),
        v([1, -1], "f64", [1, 1, 2, 1]),
        v([2, 4], "f64", [1, 1, 2, 1]),
        v([0], "f64", [1, 1, 1, 1]),
        v([12], "f64", [1, 1, 1, 1]),
        v([4], "f64", [1, 1, 1, 1, 1]),
      ],
      attrs: { causal: false, masked: false, scale: 0.5, dropout: 0, byHead: false, of: [0, 2] },
      // Weights of 1 (the sum's logarithm is taken as 0), slopes of 8 - 12 and 16 - 12, halved by the scale.
      shape: [3],
      value: [-4, 4, 4],
    },
  ],
  allReduce: [
    { src: [grid(), v([7])], attrs: { by: twin, turn: 0 }, value: [2, 4, 6, 8, 10, 12, 14] },
    { src: [v([3, -1], "i32")], attrs: { by: twin, turn: 0 }, value: [6, -2] },
  ],
  // Plans have them, and exchanges.test.ts shows what they do.
  exchange: [],
  received: [],
  randomBits: [
    // Random123's known answers for counter (0, 0), and its neighbours in the same and the next block.
    { src: [v([0, 0], "i32")], attrs: { shape: [2] }, shape: [2], value: [0x6b200159, 0x99ba4efe | 0] },
  ],
};

describe.each((Object.keys(cases) as Op[]).filter((op) => cases[op].length > 0))("%s", (op) => {
  test.each(cases[op].map((c, i) => [i, c] as const))("case %i", (_, { src, attrs = {}, shape, value }) => {
    const n = node(op, src, attrs as OpAttrs[typeof op]);
    expect(n.shape).toEqual(shape ?? [value.length]);
    const actual = op === "input" ? [...evaluate([n], () => Float32Array.of(7, 8)).get(n)!] : elementsOf(n);
    expect(actual).toEqual(value);
  });
});

describe("evaluate", () => {
  test("refuses an order in which a user comes before its operand", () => {
    const x = v([1]);
    const y = node("neg", [x], {});
    expect(() => evaluate([y, x], () => Float64Array.of(1))).toThrow(
      "evaluate: neg comes before its operand input",
    );
  });

  test("refuses a leaf of the wrong size", () => {
    const wrong = (): TypedArray => Float64Array.of(1, 2);
    expect(() => evaluate([v([1])], wrong)).toThrow("evaluate: input of shape [1] was given 2 elements");
  });

  test("random bits of an odd count are the first of a longer run", () => {
    const bits = (count: number) => elementsOf(node("randomBits", [v([17, -5], "i32")], { shape: [count] }));
    expect(bits(7)).toEqual(bits(8).slice(0, 7));
    expect(new Set(bits(1000)).size).toBe(1000);
  });
});
