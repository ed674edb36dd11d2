import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backendNames } from "../../src/backends/registry.ts";
import type { DType } from "../../src/base/dtype.ts";
import { type Node, node } from "../../src/ir/node.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { expand, input, reshape, sum } from "../plan/random-graph.ts";
import { agree, sameByThreads } from "./agree.ts";

/** Whether any kernel of a plan makes sums of other elements than a row's on its way over rows. */
const addsOnItsWay = (outputs: readonly Node[]): boolean =>
  buildPlan({ outputs, writes: [], checks: [], resident: () => false }).calls.some(
    ({ kernel }) => kernel.kind === "loop" && kernel.stores.some(({ adds }) => adds !== undefined),
  );

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

interface Drawn {
  /** Axes that sums go over first, axes that they keep, and axes that they go over last, if any. */
  readonly shape: readonly [readonly number[], readonly number[], readonly number[]];
  /** How many of the first axes tell rows apart; the others are along one. */
  readonly rows: number;
  readonly dtype: DType;
  readonly scaled: boolean;
  readonly normalized: boolean;
  readonly stored: boolean;
  readonly fewer: boolean;
}

/** Sums of what is read and of what is made, beside results of each element and sums of rows. */
function graphOf({
  shape: [over, kept, last],
  rows,
  dtype,
  scaled,
  normalized,
  stored,
  fewer,
}: Drawn): Node[] {
  const shape = [...over, ...kept, ...last];
  const end = over.length + kept.length;
  const axes = [...range(0, over.length), ...range(end, shape.length)];
  const one = (list: readonly number[]) => list.map(() => 1);
  const wide = (n: Node, from: number[]) => expand(reshape(n, from), shape);
  const [x, g] = [input(shape, dtype), input(shape, dtype)];
  let y: Node = node("mul", [x, g], {});
  if (scaled) y = node("add", [y, wide(input(kept, dtype), [...one(over), ...kept, ...one(last)])], {});
  const total = sum(y, range(rows, shape.length));
  if (normalized) y = node("sub", [y, wide(total, [...shape.slice(0, rows), ...one(shape.slice(rows))])], {});
  const sums = [sum(y, axes), sum(g, axes), sum(node("mul", [y, g], {}), axes)];
  return [...(stored ? [y] : []), ...(fewer ? sums.slice(0, 1) : sums), ...(normalized ? [] : [total])];
}

const ofColumns = fc
  .tuple(
    fc.constantFrom([256], [320], [4, 65], [257], [2, 3, 50], [512], [1, 300], [7, 64], [128, 1, 2]),
    fc.constantFrom([64], [67], [5, 13], [100], [130]),
  )
  .map(([over, kept]) => ({ shape: [over, kept, []] as const, rows: over.length }));
const ofChannels = fc
  .tuple(
    fc.constantFrom([3], [1, 2], [4]),
    fc.constantFrom([2, 3], [5, 1, 2], [1, 4], [6]),
    fc.constantFrom([64], [67], [8, 9], [3, 70]),
  )
  .chain(([over, kept, last]) =>
    fc
      .constantFrom(...range(over.length, over.length + kept.length))
      .map((rows) => ({ shape: [over, kept, last] as const, rows })),
  );
const options = fc.record({
  dtype: fc.constantFrom<DType>("f32", "f32", "f64", "i32"),
  scaled: fc.boolean(),
  normalized: fc.boolean(),
  stored: fc.boolean(),
  fewer: fc.boolean(),
});
const drawn: fc.Arbitrary<Drawn> = fc
  .tuple(fc.oneof(ofColumns, ofChannels), options)
  .map(([shape, others]) => ({ ...shape, ...others }));

describe.each(backendNames())("%s", (name) => {
  it("makes sums of columns, and of channels, on the way over rows: what the evaluator gives", {
    timeout: 120_000,
  }, () => {
    let [graphs, adding] = [0, 0];
    fc.assert(
      fc.property(drawn, (of) => {
        const outputs = graphOf(of);
        graphs++;
        if (addsOnItsWay(outputs)) adding++;
        agree(name, { outputs, writes: [] }, 1e-4);
      }),
      { numRuns: name === "native" ? 25 : 60 },
    );
    expect(adding).toBeGreaterThan(graphs / 3);
  });
});

it.each(["native", "wasm"])("%s gives the same bits with two threads as with one", async (name) => {
  const of = { shape: [[1024], [200], []], rows: 1, dtype: "f32" } as const;
  await sameByThreads(name, graphOf({ ...of, scaled: true, normalized: true, stored: true, fewer: false }));
});
