import { describe, expect, it } from "vitest";
import type { Backend } from "../../src/backends/contract.ts";
import { backendNames, backendOf } from "../../src/backends/registry.ts";
import type { TypedArray } from "../../src/base/dtype.ts";
import { Storage } from "../../src/engine/storage.ts";
import { type Node, node } from "../../src/ir/node.ts";
import type { Collective } from "../../src/ir/op.ts";
import { buildPlan } from "../../src/plan/build.ts";

// A plan that waits for other ranks in its middle: those are a function here, which sees what it is given.

const leaf = (source: Storage, shape: number[]) =>
  node("input", [], { source, version: 0, shape, dtype: source.dtype });
const mul = (a: Node, b: Node) => node("mul", [a, b], {});
const slice = (n: Node, start: number, size: number) =>
  node("slice", [n], { start: [start], size: [size], step: [1] });

/** w := w - 1st sum, v := v - 2nd sum; the gradients are w · x and x transposed; the check is what is in `bad`. */
function plan(by: Collective) {
  const stored = (data: number[]) => new Storage("f32", data.length, Float32Array.from(data), true);
  const [w, v] = [stored([1, 2, 3, 4]), stored([5, 6, 7, 8])];
  const x = new Storage("f32", 4, Float32Array.of(1, 2, 3, 4), false);
  const bad = new Storage("i32", 1, Int32Array.of(0), false);
  const [wLeaf, vLeaf, xLeaf, badLeaf] = [leaf(w, [4]), leaf(v, [2, 2]), leaf(x, [2, 2]), leaf(bad, [])];
  const own = mul(wLeaf, node("reshape", [xLeaf], { shape: [4] }));
  const total = node("allReduce", [own, node("permute", [xLeaf], { axes: [1, 0] })], { by, turn: 0 });
  const count = node("allReduce", [node("sum", [total], { axes: [0] })], { by, turn: 1 });
  const moved = (at: Node, start: number) =>
    node("sub", [at, node("reshape", [slice(total, start, 4)], { shape: at.shape })], {});
  const made = buildPlan({
    outputs: [count],
    writes: [
      { target: wLeaf, value: moved(wLeaf, 0) },
      { target: vLeaf, value: moved(vLeaf, 4) },
    ],
    checks: [badLeaf],
    resident: (n) => (n.attrs.source as Storage).resident,
  });
  return { made, sources: [w, v, x, bad], leaves: made.graph.leaves };
}

function running(backend: Backend, by: Collective) {
  const { made, sources, leaves } = plan(by);
  const executable = backend.load(made);
  const bound = leaves.map(({ attrs }) => sources.find((s) => s.id === attrs.source.id)!);
  const bindings = bound.map((s) => s.binding(backend));
  const bad = new Int32Array(1);
  const all = bindings.map((b, i) => (bound[i] === sources[3] ? bad : b));
  const result = new Float32Array(1);
  return {
    made,
    run: (fails = 0, ends?: Float64Array): number => {
      bad[0] = fails;
      return executable.run(all, new Float64Array(0), [result], ends);
    },
    state: () => [[...sources[0]!.read()], [...sources[1]!.read()]],
    result,
  };
}

describe.each(backendNames())("exchanges on %s", (name) => {
  const backend = backendOf(name);

  it("are given what comes before them, in order, and go on with what they give", () => {
    const seen: number[][] = [];
    const by: Collective = {
      id: -1,
      sum(parts: readonly TypedArray[], into: TypedArray) {
        const given = parts.flatMap((part) => [...part]);
        seen.push(given);
        into.set(given.map((g) => g * 10));
      },
    };
    const { run, state, result, made } = running(backend, by);
    expect(made.exchanges).toHaveLength(2);
    expect(made.explain().exchangedBytes).toBe(8 * 4 + 4);
    expect(run()).toBe(-1);
    // x, transposed, is 1, 3, 2, 4.
    expect(seen).toEqual([[1, 4, 9, 16, 1, 3, 2, 4], [400]]);
    expect([...result]).toEqual([4000]);
    const after = [
      [1 - 10, 2 - 40, 3 - 90, 4 - 160],
      [5 - 10, 6 - 30, 7 - 20, 8 - 40],
    ];
    expect(state()).toEqual(after);
    // What a failed check keeps back is written by no rank, and all have been waited for by then.
    expect(run(1)).toBe(0);
    expect(seen).toHaveLength(4);
    expect(state()).toEqual(after);
    const ends = new Float64Array(made.calls.length).fill(Number.NaN);
    expect(run(0, ends)).toBe(-1);
    expect([...ends].every((end, i) => end >= (ends[i - 1] ?? 0))).toBe(true);
    expect(state()[1]).toEqual([5 - 20, 6 - 60, 7 - 40, 8 - 80]);
  });

  it("write nothing where another rank does not come", () => {
    let times = 0;
    const by: Collective = {
      id: -2,
      sum(_, into) {
        if (++times === 2) throw new RangeError("nobody came");
        into.fill(1);
      },
    };
    const { run, state } = running(backend, by);
    expect(() => run()).toThrow("nobody came");
    expect(state()).toEqual([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]);
    expect(run()).toBe(-1);
    expect(state()[0]).toEqual([0, 1, 2, 3]);
  });
});
