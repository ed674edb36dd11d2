import { expect } from "vitest";
import { backendOf } from "../../src/backends/registry.ts";
import { allocate, bytesOf, type TypedArray } from "../../src/base/dtype.ts";
import { hashBytes } from "../../src/base/hash.ts";
import { sizeOf } from "../../src/base/shape.ts";
import { evaluate } from "../../src/ir/evaluate.ts";
import { isOp, type Node, topological } from "../../src/ir/node.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { fill, type GraphRequest } from "../plan/random-graph.ts";

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
export function agree(name: string, { outputs, writes }: GraphRequest, tolerance = 1e-5): void {
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

/** Runs a graph on a backend with one thread, then with two, and expects the same bits. */
export async function sameByThreads(name: string, outputs: readonly Node[]): Promise<void> {
  const backend = backendOf(name);
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
}
