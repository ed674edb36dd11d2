import { describe, expect, test } from "vitest";
import type { LoadablePlan } from "../../src/backends/contract.ts";
import { backendNames, backendOf } from "../../src/backends/registry.ts";
import { bytesOf } from "../../src/base/dtype.ts";
import { OutOfMemoryError } from "../../src/base/errors.ts";
import { threefry2x32 } from "../../src/base/threefry.ts";
import { node } from "../../src/ir/node.ts";
import { buildPlan } from "../../src/plan/build.ts";
import type { PlanWithGraph } from "../../src/plan/plan.ts";
import { input } from "../plan/random-graph.ts";

/** A plan whose accesses to no buffer, which count elements, begin at one that far on. */
const countingFrom = (plan: PlanWithGraph, first: number): LoadablePlan => ({
  ...plan,
  calls: plan.calls.map((call) => ({
    ...call,
    accesses: call.accesses.map((a) => (a.buffer < 0 ? { ...a, offset: first } : a)),
  })),
});

describe.each(backendNames().filter((name) => name !== "reference"))("%s", (name) => {
  const backend = backendOf(name);

  test("random bits of the last elements that a value can have are those of their counters", () => {
    const plan = buildPlan({
      outputs: [node("randomBits", [input([2], "i32")], { shape: [37] })],
      writes: [],
      checks: [],
      resident: () => false,
    });
    for (const first of [0, 2 ** 31 - 20, 2 ** 31, 2 ** 32 - 38]) {
      const executable = backend.load(countingFrom(plan, first));
      const result = new Int32Array(37);
      expect(executable.run([Int32Array.of(7, -3)], new Float64Array(0), [result])).toBe(-1);
      executable.free();
      const element = (e: number): number => threefry2x32(7, -3, Math.floor(e / 2), 0)[e % 2]!;
      expect([...result]).toEqual(Array.from(result, (_, i) => element(first + i)));
    }
  });

  test("scratch that cannot be had is a named error, and what was loaded before goes on", () => {
    const x = input([50]);
    const plan = buildPlan({
      outputs: [node("mul", [x, x], {})],
      writes: [],
      checks: [],
      resident: () => false,
    });
    const executable = backend.load(plan);
    const run = (): number => {
      const result = new Float32Array(50);
      expect(executable.run([new Float32Array(50).fill(3)], new Float64Array(0), [result])).toBe(-1);
      return result[49]!;
    };
    expect(run()).toBe(9);
    const held = backend.memoryInUse();
    for (let i = 0; i < 3; i++) {
      expect(() => backend.load({ ...plan, arenaBytes: 2 ** 45 })).toThrow(OutOfMemoryError);
      // Memory that others take meanwhile is not where the plan still means its scratch to be.
      const other = backend.allocate(plan.arenaBytes);
      other.view().fill(1);
      expect(run()).toBe(9);
      expect([...other.view()]).toEqual(new Array(plan.arenaBytes).fill(1));
      other.free();
    }
    expect(backend.memoryInUse()).toBeLessThanOrEqual(held + 64);
    executable.free();
  });
});

/** Memory of more than 4 GiB, of which only what is touched is taken. */
const [rows, width] = [2 ** 16 + 64, 2 ** 14];
const native = backendOf("native");

test("native reads and writes elements beyond 4 GiB of a parameter, wherever strides lead", () => {
  const table = input([rows, width]);
  const places = input([3, width], "i32");
  const rowsOfTable = node("gather", [table, places], { axis: 0 });
  const put = node("scatter", [table, places, node("add", [rowsOfTable, input([3, width])], {})], {
    axis: 0,
  });
  // Every 2^16 + 32nd row: a stride of more than 4 GiB.
  const far = node("slice", [put], { start: [1, 5], size: [2, 4], step: [2 ** 16 + 32, 1] });
  const plan = buildPlan({
    outputs: [rowsOfTable],
    writes: [{ target: table, value: put }],
    checks: [],
    resident: (leaf) => leaf === table,
  });
  const look = buildPlan({
    outputs: [node("add", [node("slice", [table], far.attrs), input([2, 4])], {})],
    writes: [],
    checks: [],
    resident: (leaf) => leaf === table,
  });
  const held = native.allocate(rows * width * 4);
  try {
    const row = width * 4;
    const value = Float32Array.from({ length: width }, (_, i) => i + 0.5);
    held.view((rows - 1) * row, row).set(bytesOf(value));
    const at = Int32Array.from(
      { length: 3 * width },
      (_, i) => [1, 2 ** 16 + 33, rows - 1][Math.floor(i / width)]!,
    );
    const more = new Float32Array(3 * width).fill(2);
    const bound = new Map<unknown, Float32Array | Int32Array>([[places, at]]);
    const before = new Float32Array(3 * width);
    const executable = native.load(plan);
    const bindings = plan.graph.leaves.map((leaf) => (leaf === table ? held : (bound.get(leaf) ?? more)));
    expect(executable.run(bindings, new Float64Array(0), [before])).toBe(-1);
    executable.free();
    expect(before.subarray(2 * width)).toEqual(value);
    const now = held.view((rows - 1) * row, row).slice();
    expect(new Float32Array(now.buffer)).toEqual(value.map((x) => x + 2));
    const looked = native.load(look);
    const result = new Float32Array(8);
    const leaves = look.graph.leaves.map((leaf) => (leaf === table ? held : new Float32Array(8).fill(1)));
    expect(looked.run(leaves, new Float64Array(0), [result])).toBe(-1);
    looked.free();
    expect([...result]).toEqual(new Array(8).fill(3));
    expect(held.view((2 ** 16 + 33) * row, 8)).toEqual(bytesOf(Float32Array.of(2, 2)));
  } finally {
    held.free();
  }
});
