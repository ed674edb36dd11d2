import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backendNames, backendOf } from "../../src/backends/registry.ts";
import { allocate, bytesOf, type TypedArray } from "../../src/base/dtype.ts";
import { hashBytes } from "../../src/base/hash.ts";
import { sizeOf } from "../../src/base/shape.ts";
import { evaluate } from "../../src/ir/evaluate.ts";
import { isOp, type Node, node, topological } from "../../src/ir/node.ts";
import { buildPlan } from "../../src/plan/build.ts";
import {
  constant,
  expand,
  fill,
  type GraphRequest,
  input,
  matmul,
  permute,
  put,
  randomPartWrites,
  randomRequest,
  reshape,
  sum,
  take,
} from "../plan/random-graph.ts";

function close(got: TypedArray, want: TypedArray, tolerance: number): void {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; i++) {
    const [a, b] = [got[i]!, want[i]!];
    if (
      Number.isNaN(b)
        ? !Number.isNaN(a)
        : a !== b && !(Math.abs(a - b) <= tolerance + tolerance * 10 * Math.abs(b))
    )
      expect.fail(`element ${i}: ${a}, not ${b}`);
  }
}

/** Runs a request on a backend, written inputs in its memory and the rest as arrays, and compares with the evaluator. */
function agree(name: string, { outputs, writes }: GraphRequest, tolerance = 1e-5): void {
  const backend = backendOf(name);
  const plan = buildPlan({
    outputs,
    writes,
    checks: [],
    resident: (leaf) => writes.some((w) => w.target === leaf),
  });
  const order = topological([...outputs, ...writes.map((w) => w.value)]);
  const data = new Map<number, TypedArray>();
  for (const n of [...order, ...writes.map((w) => w.target)])
    if (isOp(n, "input")) data.set(n.attrs.source.id, fill(n, n.attrs.source.id));
  const expected = evaluate(order, (leaf) => data.get((leaf as Node<"input">).attrs.source.id)!);
  const bindings = plan.graph.leaves.map((leaf) => {
    const values = data.get(leaf.attrs.source.id)!;
    if (!writes.some((w) => w.target.attrs.source === leaf.attrs.source)) return values;
    const held = backend.allocate(values.byteLength);
    held.view().set(new Uint8Array(values.buffer));
    return held;
  });
  const executable = backend.load(plan);
  const results = plan.outputs.map((o) => allocate(o.dtype, sizeOf(o.shape)));
  expect(executable.run(bindings, new Float64Array(0), results)).toBe(-1);
  for (const [i, o] of outputs.entries()) close(results[i]!, expected.get(o)!, tolerance);
  for (const w of writes) {
    const held = bindings[plan.graph.leaves.findIndex((l) => l.attrs.source === w.target.attrs.source)]!;
    const bytes = (held as { view(): Uint8Array }).view().slice();
    close(new Float32Array(bytes.buffer), expected.get(w.value)!, tolerance);
  }
  executable.free();
  for (const b of bindings) if (!ArrayBuffer.isView(b)) b.free();
}

/** How many random graphs: each has kernels of its own, which a compiler takes its time for. */
const graphs: { readonly [name: string]: number } = { native: 60 };

describe.each(backendNames())("%s", (name) => {
  it("agrees with the evaluator on random graphs", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(randomRequest, (make) => {
        const request = make();
        if (request !== null) agree(name, request);
      }),
      { numRuns: graphs[name] ?? 300 },
    );
  });

  it("agrees with the evaluator on writes of some rows, columns and elements", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(randomPartWrites, (make) => agree(name, make())),
      { numRuns: graphs[name] ?? 200 },
    );
  });

  it.each([
    [1, 5, 7],
    [33, 65, 17],
    [64, 64, 64],
    [145, 289, 30],
    [70, 50, 520],
    [13, 300, 257],
    [2, 130, 100],
    [16, 101, 385],
    [17, 33, 800],
    [30, 15, 64],
    [129, 31, 383],
  ])("multiplies %i × %i × %i, however the operands lie", (m, n, k) => {
    for (const flipLeft of [false, true])
      for (const flipRight of [false, true]) {
        const a = flipLeft ? permute(input([k, m]), [1, 0]) : input([m, k]);
        const b = flipRight ? permute(input([n, k]), [1, 0]) : input([k, n]);
        agree(name, { outputs: [matmul(a, b)], writes: [] }, 1e-4);
      }
  });

  it("multiplies with a prologue, an epilogue and batches over strided views", () => {
    const x = input([3, 40, 2, 30]);
    const y = input([3, 2, 30, 50]);
    const left = permute(x, [0, 2, 1, 3]);
    const product = node("dot", [left, y], {
      leftBatch: [0, 1],
      rightBatch: [0, 1],
      leftContract: [3],
      rightContract: [2],
    });
    const bias = expand(reshape(input([50]), [1, 1, 1, 50]), [3, 2, 40, 50]);
    agree(name, { outputs: [node("relu", [node("add", [product, bias], {})], {})], writes: [] }, 1e-4);
    const scaled = node("mul", [input([60, 40]), constant(0.5, [60, 40])], {});
    agree(name, { outputs: [matmul(scaled, input([40, 70]))], writes: [] }, 1e-4);
    agree(name, { outputs: [matmul(permute(scaled, [1, 0]), input([60, 70]))], writes: [] }, 1e-4);
  });

  it("reads a value in a prologue and again in the epilogue", () => {
    const column = reshape(input([64]), [64, 1]);
    const product = matmul(expand(column, [64, 64]), input([64, 48]));
    agree(name, { outputs: [node("add", [product, expand(column, [64, 48])], {})], writes: [] }, 1e-4);
  });

  it("updates a weight in the kernel of its gradient", () => {
    const w = input([50, 60]);
    const grad = matmul(permute(input([300, 50]), [1, 0]), input([300, 60]));
    agree(
      name,
      {
        outputs: [sum(grad, [0])],
        writes: [
          { target: w, value: node("sub", [w, node("mul", [grad, constant(0.1, [50, 60])], {})], {}) },
        ],
      },
      1e-4,
    );
  });
});

it.each(["native", "wasm"])("%s gives the same bits with two threads as with one", async (name) => {
  const backend = backendOf(name);
  const [a, b] = [input([300, 400]), input([400, 500])];
  const product = node("relu", [matmul(a, b)], {});
  const rows = input([7], "i32");
  const replaced = put(product, rows, 0, node("neg", [take(product, rows, 0)], {}));
  const outputs = [product, sum(product, [0]), sum(product, [1]), replaced];
  const plan = buildPlan({ outputs, writes: [], checks: [], resident: () => false });
  const executable = backend.load(plan);
  const bindings = plan.graph.leaves.map((l) => fill(l, l.attrs.source.id));
  const run = () => {
    const results = plan.outputs.map((o) => allocate(o.dtype, sizeOf(o.shape)));
    executable.run(bindings, new Float64Array(0), results);
    return results.map((x) => hashBytes(bytesOf(x)));
  };
  const alone = run();
  backend.setThreads(2);
  try {
    for (let i = 0; i < 12; i++) {
      expect(run()).toEqual(alone);
      // The worker joins whenever it is ready.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  } finally {
    backend.setThreads(1);
  }
});
