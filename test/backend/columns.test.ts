import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backendNames } from "../../src/backends/registry.ts";
import type { DType } from "../../src/base/dtype.ts";
import { type Node, node } from "../../src/ir/node.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { expand, input, reshape, sum } from "../plan/random-graph.ts";
import { agree, sameByThreads } from "./agree.ts";

/** Whether any kernel of a plan adds up columns on its way over rows. */
const addsColumns = (outputs: readonly Node[]): boolean =>
  buildPlan({ outputs, writes: [], checks: [], resident: () => false }).calls.some(
    ({ kernel }) => kernel.kind === "loop" && kernel.blocks !== undefined,
  );

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

interface Drawn {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  readonly dtype: DType;
  readonly scaled: boolean;
  readonly normalized: boolean;
  readonly stored: boolean;
  readonly fewer: boolean;
}

/** Sums of columns of what is read and of what is made, beside results of each element and sums of rows. */
function graphOf({ rows, columns, dtype, scaled, normalized, stored, fewer }: Drawn): Node[] {
  const shape = [...rows, ...columns];
  const leading = range(0, rows.length);
  const trailing = range(rows.length, shape.length);
  const [x, g] = [input(shape, dtype), input(shape, dtype)];
  const wide = (n: Node, from: number[]) => expand(reshape(n, from), shape);
  let y: Node = node("mul", [x, g], {});
  if (scaled) y = node("add", [y, wide(input(columns, dtype), [...rows.map(() => 1), ...columns])], {});
  const total = sum(y, trailing);
  if (normalized) y = node("sub", [y, wide(total, [...rows, ...columns.map(() => 1)])], {});
  const sums = [sum(y, leading), sum(g, leading), sum(node("mul", [y, g], {}), leading)];
  return [...(stored ? [y] : []), ...(fewer ? sums.slice(0, 1) : sums), ...(normalized ? [] : [total])];
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  rows: fc.constantFrom([256], [320], [4, 65], [257], [2, 3, 50], [512], [1, 300], [7, 64], [128, 1, 2]),
  columns: fc.constantFrom([64], [67], [5, 13], [100], [130]),
  dtype: fc.constantFrom<DType>("f32", "f32", "f64", "i32"),
  scaled: fc.boolean(),
  normalized: fc.boolean(),
  stored: fc.boolean(),
  fewer: fc.boolean(),
});

describe.each(backendNames())("%s", (name) => {
  it("adds up columns on the way over rows: what the evaluator gives", { timeout: 120_000 }, () => {
    let [graphs, adding] = [0, 0];
    fc.assert(
      fc.property(drawn, (of) => {
        const outputs = graphOf(of);
        graphs++;
        if (addsColumns(outputs)) adding++;
        agree(name, { outputs, writes: [] }, 1e-4);
      }),
      { numRuns: name === "native" ? 25 : 60 },
    );
    expect(adding).toBeGreaterThan(graphs / 3);
  });
});

it.each(["native", "wasm"])("%s gives the same bits with two threads as with one", async (name) => {
  const of = { rows: [1024], columns: [200], dtype: "f32" as const };
  await sameByThreads(name, graphOf({ ...of, scaled: true, normalized: true, stored: true, fewer: false }));
});
