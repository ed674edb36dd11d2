import { describe, expect, test } from "vitest";
import type { Allocation, Backend } from "../../src/backends/contract.ts";
import { backendNames, backendOf } from "../../src/backends/registry.ts";
import { dtypes } from "../../src/base/dtype.ts";
import { sizeOf } from "../../src/base/shape.ts";
import { type Node, node } from "../../src/ir/node.ts";
import { buildPlan } from "../../src/plan/build.ts";
import type { PlanWithGraph } from "../../src/plan/plan.ts";
import { constant, fill, input, matmul, sum } from "../plan/random-graph.ts";

/** target becomes w times 2, unless the status word is not 0; the sum of x · w comes out. Several kernels. */
function guarded(): { plan: PlanWithGraph; status: Node<"input">; target: Node<"input"> } {
  const [x, w, target] = [input([8, 16]), input([16, 4]), input([16, 4])];
  const status = input([], "i32");
  const plan = buildPlan({
    outputs: [sum(matmul(x, w), [0, 1])],
    writes: [{ target, value: node("mul", [w, constant(2, [16, 4])], {}) }],
    checks: [node("add", [status, status], {})],
    resident: (leaf) => leaf.attrs.source === target.attrs.source,
  });
  return { plan, status, target };
}

/** Runs the plan with a status word, timed or not: what came out, what was written, when kernels ended. */
function carryOut(backend: Backend, word: number, timed: boolean) {
  const { plan, status, target } = guarded();
  const { leaves } = plan.graph;
  let held: Allocation | null = null;
  const bindings = leaves.map((leaf, slot) => {
    if (leaf.attrs.source === status.attrs.source) return Int32Array.of(word);
    if (leaf.attrs.source === target.attrs.source)
      return (held = backend.allocate(sizeOf(leaf.shape) * dtypes.f32.bytes));
    return fill(leaf, slot + 1);
  });
  const executable = backend.load(plan);
  const result = new Float32Array(1);
  const ends = new Float64Array(plan.calls.length).fill(Number.NaN);
  const none = new Float64Array(0);
  const failed = timed
    ? executable.run(bindings, none, [result], ends)
    : executable.run(bindings, none, [result]);
  const written = [...new Float32Array(held!.view().slice().buffer)];
  executable.free();
  held!.free();
  return { failed, result: result[0]!, written, ends: [...ends] };
}

describe.each(backendNames())("%s", (name) => {
  test("a timed run gives the bits of any other, and says when each kernel ended", () => {
    const backend = backendOf(name);
    const [plain, timed] = [carryOut(backend, 0, false), carryOut(backend, 0, true)];
    expect(timed.failed).toBe(-1);
    expect({ ...timed, ends: [] }).toEqual({ ...plain, ends: [] });
    expect(timed.written.some((v) => v !== 0)).toBe(true);
    expect(timed.ends.length).toBeGreaterThan(2);
    for (const [i, end] of timed.ends.entries()) expect(end).toBeGreaterThanOrEqual(timed.ends[i - 1] ?? 0);
    expect(timed.ends.at(-1)).toBeGreaterThan(0);
  });

  test("a check stops a timed run before anything is written; what has not run has no time", () => {
    const backend = backendOf(name);
    const stopped = carryOut(backend, 3, true);
    expect(stopped.failed).toBe(0);
    expect(stopped.failed).toBe(carryOut(backend, 3, false).failed);
    expect(stopped.written.every((v) => v === 0)).toBe(true);
    expect(stopped.result).toBe(0);
    expect(stopped.ends.at(-1)).toBeNaN();
  });

  test("peaks are measured, and give back the memory they take", () => {
    const backend = backendOf(name);
    backend.peaks();
    const before = backend.memoryInUse();
    const { flops, bytes } = backend.peaks();
    expect(flops).toBeGreaterThan(0);
    expect(Number.isFinite(flops)).toBe(true);
    expect(bytes).toBeGreaterThan(0);
    expect(Number.isFinite(bytes)).toBe(true);
    expect(backend.memoryInUse()).toBe(before);
  });
});
