import { describe, expect, it } from "vitest";
import type { Backend } from "../../src/backends/contract.ts";
import { backendNames, backendOf } from "../../src/backends/registry.ts";
import { type DType, dtypes, type TypedArray, writeElement } from "../../src/base/dtype.ts";
import { Storage } from "../../src/engine/storage.ts";
import { type Collective, type Given, shareOf, type Transfer } from "../../src/ir/collective.ts";
import { type Node, node } from "../../src/ir/node.ts";
import { sumInOrder } from "../../src/ir/sum-in-order.ts";
import { buildPlan } from "../../src/plan/build.ts";

// Plans that come to other ranks in their middle: those are functions here, which see what they are given.

const leaf = (source: Storage, shape: number[]) =>
  node("input", [], { source, version: 0, shape, dtype: source.dtype });
const mul = (a: Node, b: Node) => node("mul", [a, b], {});
const slice = (n: Node, start: number, size: number) =>
  node("slice", [n], { start: [start], size: [size], step: [1] });

/** A group of two, of which the other rank gives what a function makes of what this one gives. */
function pair(id: number, other: (given: number[]) => number[], events: string[] = []): Collective {
  let begun = 0;
  return {
    id,
    rank: 0,
    size: 2,
    begin({ parts, takes }): Transfer {
      const exchange = begun++;
      events.push(`begin ${exchange}`);
      return {
        poll: () => void events.push("go on"),
        finish() {
          events.push(`end ${exchange}`);
          const given = parts.map((part) => [...floats(part.bytes())]);
          const taken = other(given.flat());
          let at = 0;
          for (const [i, { length }] of given.entries()) {
            const into = takes[1]![i];
            if (into != null) floats(into.bytes()).set(taken.slice(at, at + length));
            at += length;
          }
        },
      };
    },
    release: () => void events.push("release"),
  };
}

const floats = (bytes: Uint8Array) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);

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

/** Runs a graph of leaves that arrays are given for; gives the bytes of its result. */
function resultOf(backend: Backend, result: Node, given: ReadonlyMap<number, TypedArray>): Uint8Array {
  const made = buildPlan({ outputs: [result], writes: [], checks: [], resident: () => false });
  const executable = backend.load(made);
  const out = new dtypes[result.dtype].array(result.shape.reduce((a, b) => a * b, 1)) as TypedArray;
  const bindings = made.graph.leaves.map(({ attrs }) => given.get(attrs.source.id)!);
  expect(executable.run(bindings, new Float64Array(0), [out])).toBe(-1);
  executable.free();
  return new Uint8Array(out.buffer);
}

describe.each(backendNames())("exchanges on %s", (name) => {
  const backend = backendOf(name);

  it("are given what comes before them, in order, and go on with what they give", () => {
    const seen: number[][] = [];
    const by = pair(-1, (given) => {
      seen.push(given);
      return given.map((g) => g * 9);
    });
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
    const by = pair(-2, (given) => {
      if (++times === 2) throw new RangeError("nobody came");
      return given.map((g) => 1 - g);
    });
    const { run, state } = running(backend, by);
    expect(() => run()).toThrow("nobody came");
    expect(state()).toEqual([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]);
    expect(run()).toBe(-1);
    expect(state()[0]).toEqual([0, 1, 2, 3]);
  });

  it("have an update shared out where memory of other ranks is in reach", () => {
    const length = 70_007;
    const filled = (first: number) => Float32Array.from({ length }, (_, i) => first + (i % 1000));
    const [w, m, otherW, otherM] = [1, 2, 1, 2].map((n) => new Storage("f32", length, filled(n), true)) as [
      ...[Storage, Storage],
      ...[Storage, Storage],
    ];
    const addressOf = (storage: Storage) => (storage.binding(backend) as { address?: number }).address!;
    let isShared = false;
    const by: Collective = {
      ...{ id: -4, rank: 0, size: 2, release() {} },
      begin: ({ parts, takes, updates, share }) => ({
        poll() {},
        finish() {
          takes[1]![0]!.bytes().set(parts[0]!.bytes());
          if (share === null) return;
          isShared = true;
          const { addresses } = updates[0]!;
          const others = [addressOf(otherW), addressOf(otherM)];
          share(0, [addresses, addresses[0] === addressOf(w) ? others : others.reverse()]);
        },
      }),
    };
    const x = new Storage("f32", length, filled(3), false);
    const xs = leaf(x, [length]);
    const total = node("allReduce", [mul(xs, xs)], { by, turn: 0 });
    const next = node("add", [leaf(m, [length]), total], {});
    const made = buildPlan({
      outputs: [],
      writes: [
        { target: leaf(w, [length]), value: node("sub", [leaf(w, [length]), next], {}) },
        { target: leaf(m, [length]), value: next },
      ],
      checks: [],
      resident: (n) => (n.attrs.source as Storage).resident,
    });
    const executable = backend.load(made);
    const bindings = made.graph.leaves.map(({ attrs }) =>
      attrs.source === x ? filled(3) : (attrs.source as Storage).binding(backend),
    );
    const ends = new Float64Array(made.calls.length).fill(Number.NaN);
    expect(executable.run(bindings, new Float64Array(0), [], ends)).toBe(-1);
    executable.free();
    expect([...ends].every((end, i) => end >= (ends[i - 1] ?? 0))).toBe(true);
    expect(isShared).toBe(name === "native");
    const [xAll, wAll] = [filled(3), filled(1)];
    const mAfter = filled(2).map((value, i) => value + 2 * xAll[i]! ** 2);
    const wAfter = wAll.map((value, i) => value - mAfter[i]!);
    // The first half, in whole lines of a cache, is for this rank to update, on both; the rest waits for the other one.
    const end = isShared ? 34_944 : length;
    /** The first element that is not as after the update up to a place, and as before it from there on; -1: none. */
    const wrong = (storage: Storage, at: number, after: Float32Array, before: Float32Array) =>
      storage.read().findIndex((value, i) => value !== (i < at ? after : before)[i]);
    expect([wrong(m, end, mAfter, filled(2)), wrong(w, end, wAfter, filled(1))]).toEqual([-1, -1]);
    const there = isShared ? end : 0;
    expect(wrong(otherM, there, mAfter, filled(2))).toBe(-1);
    expect(wrong(otherW, there, wAfter, filled(1))).toBe(-1);
  });

  it("come by turn, whatever their places in the graph are", () => {
    const seen: number[][] = [];
    const by = pair(-3, (given) => {
      seen.push(given);
      return given;
    });
    const x = new Storage("f32", 2, Float32Array.of(1, 2), false);
    const scaled = [3, 1, 2].map((turn) => {
      const times = node(
        "expand",
        [node("reshape", [node("constant", [], { value: turn, dtype: "f32" })], { shape: [1] })],
        { shape: [2] },
      );
      return node("allReduce", [mul(leaf(x, [2]), times)], { by, turn });
    });
    const total = scaled.slice(1).reduce<Node>((a, b) => node("add", [a, b], {}), scaled[0]!);
    const bytes = resultOf(backend, total, new Map([[x.id, Float32Array.of(1, 2)]]));
    expect([...floats(bytes)]).toEqual([12, 24]);
    expect(seen).toEqual([
      [1, 2],
      [2, 4],
      [3, 6],
    ]);
  });

  it.each(["f32", "f64", "bf16", "f16", "i32", "i8", "u8"] as const)(
    "sums of %s have the bits of plain loops, on any number of ranks",
    (dtype: DType) => {
      // Large enough for shares, which are not of one length, and beside it one that is small.
      for (const [ranks, length] of [
        [2, 33_001],
        [3, 33_001],
        [5, 40_003],
      ] as const) {
        const lengths = [length, 7];
        const made = (rank: number) =>
          lengths.map((size, part) => randomElements(dtype, size, 10 * rank + part));
        const all = Array.from({ length: ranks }, (_, rank) => made(rank));
        const expected = lengths.map((size, part) => {
          const into = new dtypes[dtype].array(size) as TypedArray;
          sumInOrder(
            all.map((of) => of[part]!),
            into,
            dtype,
          );
          return [...bytesOf(into)];
        });
        for (const rank of [0, ranks - 1]) {
          const sources = lengths.map(
            (size) => new Storage(dtype, size, all[rank]![0]!.slice(0, size), false),
          );
          const total = node(
            "allReduce",
            sources.map((source, i) => leaf(source, [lengths[i]!])),
            { by: simulated(rank, all, expected), turn: 0 },
          );
          const given = new Map(sources.map((source, i) => [source.id, all[rank]![i]!] as const));
          expect([...resultOf(backend, total, given)]).toEqual(expected.flat());
        }
      }
    },
    30_000,
  );
});

const bytesOf = (a: TypedArray) => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);

function randomElements(dtype: DType, length: number, seed: number): TypedArray {
  const out = new dtypes[dtype].array(length) as TypedArray;
  let state = (seed + 1) * 2654435761;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    const x = state / 2 ** 31;
    writeElement(dtype, out, i, dtypes[dtype].float ? x * 10 ** (i % 4) : Math.trunc(x * 2 ** 31));
  }
  return out;
}

/** One rank of some, all of whose parts are known, and so the shares that others send. */
function simulated(rank: number, all: readonly TypedArray[][], sums: readonly number[][]): Collective {
  const size = all.length;
  return {
    id: -20 - rank,
    rank,
    size,
    begin({ parts, takes, shares, unit }: Given): Transfer {
      return {
        poll() {},
        finish() {
          for (let other = 0; other < size; other++) {
            if (other === rank) continue;
            for (const [i, into] of takes[other]!.entries()) {
              if (into === null) continue;
              if (shares || size === 2 || parts.length === 2) {
                const { start, end } = shareOf(bytesOf(all[other]![i]!).length, shares, unit, { rank, size });
                into.bytes().set(bytesOf(all[other]![i]!).subarray(start, end));
              } else {
                // The second exchange: the other's share of the sum.
                const { start, end } = shareOf(sums[0]!.length, true, unit, { rank: other, size });
                into.bytes().set(sums[0]!.slice(start, end));
              }
            }
          }
        },
      };
    },
    release() {},
  };
}
