import { describe, expect, test } from "vitest";
import { backendOf } from "../../src/backends/registry.ts";
import { allocate, bytesOf, type TypedArray } from "../../src/base/dtype.ts";
import { hashBytes } from "../../src/base/hash.ts";
import { sizeOf } from "../../src/base/shape.ts";
import { attentionResults } from "../../src/ir/attention.ts";
import { evaluate } from "../../src/ir/evaluate.ts";
import { attentionNames, gradientShapes } from "../../src/ir/infer-attention.ts";
import { type Node, node, topological } from "../../src/ir/node.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { isBroad } from "../breadth.ts";
import { expand, input, permute } from "../plan/random-graph.ts";

/** Sizes [N, H, G, L, S, E, V] and what else attention is told. */
interface Case {
  readonly sizes: readonly [number, number, number, number, number, number, number];
  readonly causal?: boolean;
  readonly dropout?: number;
  /** Keys that each batch has, by a mask of one row for all queries; or any pairs. */
  readonly mask?: "prefix" | "holes" | "bias";
  /** Which gradients; all unless given. */
  readonly of?: readonly number[];
}

interface Graph {
  readonly outputs: readonly Node[];
  readonly values: ReadonlyMap<Node, TypedArray>;
}

/** Attention and its gradients on operands that are views of tensors with heads after positions. */
function graphOf({ sizes, causal = false, dropout = 0, mask, of = [0, 1, 2] }: Case): Graph {
  const [n, h, g, l, s, e, v] = sizes;
  const query = permute(input([n, l, h, g, e]), [0, 2, 3, 1, 4]);
  const key = permute(input([n, s, h, e]), [0, 2, 1, 3]);
  const value = input([n, h, s, v]);
  const own = mask === "prefix" ? [n, 1, 1, 1, s] : [n, 1, g, l, s];
  const given = mask === undefined ? null : input(own, mask === "bias" ? "f32" : "bool");
  const random = input([2], "i32");
  const attrs = { causal, masked: mask !== undefined, scale: 0.4, dropout, byHead: causal };
  const src = [
    query,
    key,
    value,
    ...(given === null ? [] : [expand(given, [n, h, g, l, s])]),
    ...(dropout > 0 ? [random] : []),
  ];
  const flat = node("attention", src, attrs);
  const { result, logSums } = attentionResults(flat, query, value, attrs);
  const gradient = input([n, h, g, l, v]);
  const deltas = node("sum", [node("mul", [gradient, result], {})], { axes: [4] });
  const shapes = gradientShapes({ query, key, value }, attrs);
  const gradients = of.map((i) => {
    const part = node("attentionGradient", [...src, logSums, deltas, gradient], { ...attrs, of: [i] });
    return node("reshape", [part], { shape: shapes[attentionNames[i]!] });
  });
  const outputs = [flat, ...gradients];
  const values = new Map<Node, TypedArray>();
  for (const leaf of topological(outputs).filter((x) => x.op === "input")) {
    const size = sizeOf(leaf.shape);
    const array = allocate(leaf.dtype, size);
    for (let i = 0; i < size; i++) array[i] = valueAt(leaf, i, mask);
    values.set(leaf, array);
  }
  return { outputs, values };
}

/** What a leaf holds: of masks that keep keys out each batch has fewer, and the first row of each has none. */
function valueAt({ dtype, shape, id }: Node, i: number, mask: Case["mask"]): number {
  const wave = Math.sin(i * 1.7 + (id % 7) + shape.length);
  if (dtype === "i32") return i * 77 + 5;
  if (shape.length !== 5 || (dtype !== "bool" && shape.at(-1) !== keysOfBias)) return wave;
  const s = shape.at(-1)!;
  const [at, row] = [i % s, Math.floor(i / s)];
  const inside =
    mask === "prefix" ? at < s - 2 * row - 1 : row % 5 !== 0 && (at * 7 + row) % 3 !== 0 && at < s - 2;
  return dtype === "bool" ? Number(inside) : inside ? wave : Number.NEGATIVE_INFINITY;
}
/** A size that only the keys of cases with biases have. */
const keysOfBias = 37;

function run(name: string, { outputs, values }: Graph, threads = 1): TypedArray[] {
  const backend = backendOf(name);
  const plan = buildPlan({ outputs, writes: [], checks: [], resident: () => false });
  const executable = backend.load(plan);
  const leaves = topological(outputs).filter((x): x is Node<"input"> => x.op === "input");
  const bySource = new Map(leaves.map((leaf) => [leaf.attrs.source.id, values.get(leaf)!]));
  const bindings = plan.graph.leaves.map((leaf) => bySource.get(leaf.attrs.source.id)!);
  const results = plan.outputs.map((o) => allocate(o.dtype, sizeOf(o.shape)));
  backend.setThreads(threads);
  try {
    executable.run(bindings, new Float64Array(0), results);
  } finally {
    backend.setThreads(1);
  }
  return results;
}

const cases: readonly (readonly [string, Case])[] = [
  ["one pair", { sizes: [1, 1, 1, 1, 1, 1, 1] }],
  ["small", { sizes: [2, 3, 1, 5, 7, 3, 4] }],
  ["sizes that are no whole vectors", { sizes: [1, 2, 1, 50, 67, 19, 33] }],
  ["several blocks of keys and of queries", { sizes: [1, 1, 1, 345, 530, 8, 20] }],
  ["heads of queries that share one", { sizes: [2, 2, 3, 9, 21, 8, 8] }],
  ["large heads", { sizes: [1, 1, 1, 6, 9, 256, 130] }],
  ["causal", { sizes: [1, 2, 1, 70, 70, 8, 8], causal: true }],
  ["causal, more keys", { sizes: [1, 1, 2, 20, 300, 8, 8], causal: true }],
  ["causal, more queries", { sizes: [1, 1, 1, 400, 60, 8, 8], causal: true }],
  ["prefixes", { sizes: [3, 2, 1, 11, 290, 8, 8], mask: "prefix" }],
  ["nothing for a batch", { sizes: [4, 2, 1, 5, 6, 8, 8], mask: "prefix" }],
  ["holes", { sizes: [2, 2, 2, 13, 29, 8, 8], mask: "holes" }],
  ["bias", { sizes: [2, 1, 2, 13, keysOfBias, 8, 8], mask: "bias" }],
  ["dropout and prefixes", { sizes: [2, 2, 2, 13, 28, 8, 8], dropout: 0.2, mask: "prefix" }],
  ["of values alone", { sizes: [1, 2, 1, 9, 21, 8, 5], of: [2] }],
  ["of keys alone, causal", { sizes: [1, 2, 1, 21, 21, 8, 5], of: [1], causal: true }],
  ["of queries alone, with holes", { sizes: [1, 2, 1, 9, 21, 8, 5], of: [0], mask: "holes" }],
  ["of queries and values", { sizes: [1, 2, 1, 9, 21, 8, 5], of: [2, 0] }],
];

describe.each(["native", "wasm"])("attention on %s", (name) => {
  // Kernels of each structure take a compiler of C a second.
  const some = name === "native" && !isBroad ? cases.filter(([, { of, dropout }]) => !of && !dropout) : cases;
  test.each(some)("%s", (_, c) => {
    const graph = graphOf(c);
    const known = evaluate(topological(graph.outputs), (leaf) => graph.values.get(leaf)!);
    for (const [i, got] of run(name, graph).entries()) {
      const wanted = known.get(graph.outputs[i]!)!;
      for (let at = 0; at < wanted.length; at++) {
        const [a, b] = [got[at]!, wanted[at]!];
        const near = Object.is(a, b) || Math.abs(a - b) <= 4e-5 * (1 + Math.abs(b));
        if (!near) expect.fail(`output ${i}, element ${at}: ${a}, not ${b}`);
      }
    }
  });

  test("gives the same bits with two threads as with one", () => {
    const graph = graphOf({ sizes: [2, 4, 1, 400, 150, 32, 32], dropout: 0.1 });
    const hashes = (threads: number) => run(name, graph, threads).map((x) => hashBytes(bytesOf(x)));
    expect(hashes(2)).toEqual(hashes(1));
  });
});

test("gradients of several operands are one kernel, and those of some do less", () => {
  const kernels = (of: readonly number[]) => {
    const { outputs } = graphOf({ sizes: [1, 2, 1, 40, 50, 8, 8], of });
    return buildPlan({ outputs, writes: [], checks: [], resident: () => false }).explain().kernels;
  };
  const gradient = (of: readonly number[]) => kernels(of).filter(({ kind }) => kind === "attentionGradient");
  expect(gradient([0, 1, 2]).length).toBe(1);
  const [all, two, one] = [[0, 1, 2], [1, 2], [2]].map((of) => gradient(of)[0]!.flops) as [
    number,
    number,
    number,
  ];
  expect(two).toBeLessThan(all * 0.85);
  expect(one).toBeLessThan(all * 0.45);
  // What only the gradients of scores need is not computed for values alone.
  expect(kernels([2]).length).toBe(2);
});

test("memory is linear in the length", () => {
  const bytes = (length: number) => {
    const { outputs } = graphOf({ sizes: [1, 1, 1, length, length, 16, 16], causal: true });
    return buildPlan({ outputs, writes: [], checks: [], resident: () => false }).arenaBytes;
  };
  expect(bytes(4096)).toBeLessThan(4.2 * bytes(1024));
});
