import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backendNames, backendOf } from "../../src/backends/registry.ts";
import { allocate, type DType, isFloat, type TypedArray } from "../../src/base/dtype.ts";
import { type Shape, sizeOf } from "../../src/base/shape.ts";
import { sameSignature, signatureOf } from "../../src/engine/signature.ts";
import { Storage } from "../../src/engine/storage.ts";
import { evaluate } from "../../src/ir/evaluate.ts";
import { type Node, node, topological } from "../../src/ir/node.ts";
import { print } from "../../src/ir/print.ts";
import { buildPlan } from "../../src/plan/build.ts";

/** Numbers that are easily taken for one another: as text, as keys of maps, compared by ===, or cut to a dtype. */
const nasty = [
  0,
  -0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.MIN_VALUE,
  -Number.MIN_VALUE,
  2 ** -149,
  2 ** -126,
  1e-300,
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  3.4028234663852886e38,
  3.4028235677973366e38,
  1e21,
  123456789012345680000,
  1,
  -1,
  2,
  0.5,
  0.1,
  Math.fround(0.1),
  1 + Number.EPSILON,
  16777217,
  2147483647,
  2147483648,
  -2147483648,
  -2147483649,
  4294967296,
  255,
  256,
  300,
  -1.5,
];
const values: { readonly [D in DType]?: readonly number[] } = {
  f32: [0, -0, 1, -1, 3.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e-40],
  f64: [0, -0, 1, -1, 3.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 5e-324],
  i32: [0, 1, -1, 7, -2147483648, 2147483647, 300, 2, 3],
  u8: [0, 1, 2, 255, 44, 7, 128, 3, 9],
  bool: [0, 1, 0, 1, 1, 0, 0, 1, 1],
  bf16: [0, 0x8000, 0x3f80, 0x7f80, 0xff80, 0x7fc0, 1, 0x4049, 0xbf80],
  f16: [0, 0x8000, 0x3c00, 0x7c00, 0xfc00, 0x7e00, 1, 0x4248, 0xbc00],
  i8: [0, 1, -1, 127, -128, 44, 7, 3, 2],
};

const shape: Shape = [3, 3];
const input = (dtype: DType): Node<"input"> =>
  node("input", [], {
    source: new Storage(dtype, 9, allocate(dtype, 9).map((_, i) => values[dtype]![i]!) as TypedArray, false),
    version: 0,
    shape,
    dtype,
  });
const filled = (value: number, dtype: DType, of: Shape = shape): Node =>
  node("expand", [node("reshape", [node("constant", [], { value, dtype })], { shape: of.map(() => 1) })], {
    shape: of,
  });
const element = (op: "add" | "sub" | "mul" | "div" | "max" | "min" | "eq" | "lt", a: Node, b: Node): Node =>
  node(op, [a, b], {});
const widened = (x: Node): Node =>
  ["bf16", "f16"].includes(x.dtype)
    ? node("cast", [x], { dtype: "f32" })
    : x.dtype === "i8"
      ? node("cast", [x], { dtype: "i32" })
      : x;

/** One way to use a number in a graph; every backend computes all of these exactly. */
type Use = (x: Node, mask: Node, value: number) => Node;
const uses: Readonly<Record<string, Use>> = {
  maskedFill: (x, mask, value) => node("where", [mask, filled(value, x.dtype), x], {}),
  "kept where": (x, mask, value) => node("where", [mask, x, filled(value, x.dtype)], {}),
  plus: (x, _, value) => element("add", x, filled(value, x.dtype)),
  "plus, on the left": (x, _, value) => element("add", filled(value, x.dtype), x),
  minus: (x, _, value) => element("sub", x, filled(value, x.dtype)),
  "one over the sum": (x, _, value) =>
    isFloat(x.dtype)
      ? element("div", filled(1, x.dtype), element("add", x, filled(value, x.dtype)))
      : element("mul", x, filled(value, x.dtype)),
  times: (x, _, value) => element("mul", x, filled(value, x.dtype)),
  over: (x, _, value) => element(isFloat(x.dtype) ? "div" : "eq", x, filled(value, x.dtype)),
  most: (x, _, value) => element("max", x, filled(value, x.dtype)),
  least: (x, _, value) => element("min", x, filled(value, x.dtype)),
  same: (x, _, value) => element("eq", x, filled(value, x.dtype)),
  below: (x, _, value) => element("lt", x, filled(value, x.dtype)),
  "alone, twice": (x, _, value) => node("concat", [filled(value, x.dtype), x], { axis: 0 }),
  padded: (x, _, value) => node("pad", [x], { low: [1, 0], high: [0, 1], value }),
  "padded constant": (x, _, value) =>
    node("concat", [node("pad", [filled(-0, x.dtype)], { low: [0, 0], high: [1, 0], value }), x], {
      axis: 0,
    }),
  "largest of them": (x, mask, value) =>
    node("maxReduce", [node("where", [mask, filled(value, x.dtype), x], {})], { axes: [1] }),
};
const plainOnly = new Set(["maskedFill", "kept where", "alone, twice", "padded", "padded constant"]);

/** A graph, told apart from its twin by one number. */
interface Drawn {
  readonly use: string;
  readonly dtype: DType;
  readonly before: readonly number[];
  readonly value: number;
  readonly other: number;
}
const drawn: fc.Arbitrary<Drawn> = fc.record({
  use: fc.constantFrom(...Object.keys(uses)),
  dtype: fc.constantFrom<DType>("f32", "f32", "f64", "i32", "u8", "bf16", "f16", "i8"),
  before: fc.array(fc.nat(2), { maxLength: 3 }),
  value: fc.constantFrom(...nasty),
  other: fc.constantFrom(...nasty),
});

/** The graph of a drawing with a number. What comes before makes its kernels others than those of earlier drawings. */
function graphOf({ use, dtype, before }: Drawn, x: Node, mask: Node, value: number): Node {
  const moves = plainOnly.has(use) && use !== "maskedFill" && use !== "kept where";
  let n: Node = moves ? x : widened(x);
  if (!moves)
    for (const step of before)
      n = step === 0 ? node("neg", [n], {}) : element(step === 1 ? "max" : "min", n, filled(step, n.dtype));
  const result = uses[use]!(n, mask, value);
  // A storage dtype is stored again, so that constants of it are written too.
  return !moves && n.dtype !== dtype && result.dtype === n.dtype ? node("cast", [result], { dtype }) : result;
}

const sourceOf = (leaf: Node): Storage => (leaf as Node<"input">).attrs.source as Storage;

function run(name: string, output: Node): TypedArray {
  const plan = buildPlan({ outputs: [output], writes: [], checks: [], resident: () => false });
  const executable = backendOf(name).load(plan);
  const results = plan.outputs.map((o) => allocate(o.dtype, sizeOf(o.shape)));
  const bindings = plan.graph.leaves.map((leaf) => sourceOf(leaf).read());
  expect(executable.run(bindings, new Float64Array(0), results)).toBe(-1);
  executable.free();
  return results[0]!;
}

/** Raw bits of bf16 and f16 may be any of a NaN's. */
function same(dtype: DType, a: number, b: number): boolean {
  if (dtype === "bf16") return a === b || ((a & 0x7fff) > 0x7f80 && (b & 0x7fff) > 0x7f80);
  if (dtype === "f16") return a === b || ((a & 0x7fff) > 0x7c00 && (b & 0x7fff) > 0x7c00);
  return Object.is(a, b);
}

/** How many pairs: a compiler takes its time for each. */
const pairs: { readonly [name: string]: number } = { native: 40 };

describe.each(backendNames())("%s", (name) => {
  it("tells apart graphs that differ in one number", { timeout: 180_000 }, () => {
    fc.assert(
      fc.property(drawn, (pair) => {
        const [x, mask] = [input(pair.dtype), input("bool")];
        for (const value of [pair.value, pair.other, pair.value]) {
          const output = graphOf(pair, x, mask, value);
          const wanted = evaluate(topological([output]), (leaf) => sourceOf(leaf).read()).get(output)!;
          const got = run(name, output);
          const wrong = wanted.findIndex((w, i) => !same(output.dtype, w, got[i]!));
          if (wrong >= 0)
            expect.fail(
              `${pair.use} of ${pair.dtype} with ${value}, element ${wrong}: ${got[wrong]}, not ${wanted[wrong]}\n` +
                print(topological([output])),
            );
        }
      }),
      { numRuns: pairs[name] ?? 1500 },
    );
  });
});

describe("a signature", () => {
  const signed = (n: Node) => signatureOf([n], [1, 0, 0]).numbers;

  it("differs where one number of the graph does", () => {
    fc.assert(
      fc.property(drawn, (pair) => {
        const [x, mask] = [input(pair.dtype), input("bool")];
        const [a, b] = [pair.value, pair.other].map((value) => signed(graphOf(pair, x, mask, value)));
        expect(sameSignature(a!, b!)).toBe(Object.is(pair.value, pair.other));
      }),
    );
  });

  it("takes attributes by their names, in whatever order they were written", () => {
    const x = input("f32");
    const pad = { low: [1, 2], high: [3, 4], value: 0 };
    const turned = { value: 0, high: [3, 4], low: [1, 2] };
    const swapped = { high: [1, 2], low: [3, 4], value: 0 };
    expect(sameSignature(signed(node("pad", [x], pad)), signed(node("pad", [x], turned)))).toBe(true);
    expect(sameSignature(signed(node("pad", [x], pad)), signed(node("pad", [x], swapped)))).toBe(false);
    const slice = { start: [1, 1], size: [2, 2], step: [1, 1] };
    const mixed = { size: [1, 1], start: [2, 2], step: [1, 1] };
    expect(sameSignature(signed(node("slice", [x], slice)), signed(node("slice", [x], mixed)))).toBe(false);
  });
});
