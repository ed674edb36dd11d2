import { describe, expect, test } from "vitest";
import { narrow } from "../../src/autodiff/narrow.ts";
import { backendOf } from "../../src/backends/registry.ts";
import { allocate, type TypedArray } from "../../src/base/dtype.ts";
import { sizeOf } from "../../src/base/shape.ts";
import { evaluate } from "../../src/ir/evaluate.ts";
import { isOp, type Node, topological } from "../../src/ir/node.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { type Projected, projectedAttention } from "../autodiff/projected-attention.ts";
import { selection } from "../autodiff/selection.ts";
import { sampled } from "../breadth.ts";
import { dataOf } from "../ir/values.ts";

function run(name: string, outputs: readonly Node[]): TypedArray[] {
  const plan = buildPlan({ outputs, writes: [], checks: [], resident: () => false });
  const leaves = topological(outputs).filter((n) => isOp(n, "input"));
  const bySource = new Map(leaves.map((leaf) => [leaf.attrs.source.id, dataOf(leaf)]));
  const bindings = plan.graph.leaves.map((leaf) => bySource.get(leaf.attrs.source.id)!);
  const results = plan.outputs.map((o) => allocate(o.dtype, sizeOf(o.shape)));
  backendOf(name).load(plan).run(bindings, new Float64Array(0), results);
  return results;
}

const sizes = { batches: 2, length: 9, heads: 3, group: 2, size: 5 };
const cases: readonly (readonly [string, Projected])[] = [
  ["by positions, with a mask of bools", { ...sizes, mask: "bools" }],
  ["by heads, with a mask of numbers", { ...sizes, byHead: true, mask: "numbers" }],
  ["causal", { ...sizes, causal: true }],
  ["with dropout", { ...sizes, dropout: 0.3 }],
];

describe.each(["native", "wasm"])("rows of attention's projections on %s", (name) => {
  // Kernels of each structure take a compiler of C a second.
  test.each(name === "native" ? sampled(cases, 2) : cases)("have the gradient of the whole, %s", (_, p) => {
    const { loss, gradients } = projectedAttention(p);
    const computed = new Set(topological([loss]));
    // One head in part, two in part, and all of the last, of all three gradients in one plan.
    const ranges = [
      [6, 3],
      [3, 4],
      [10, 5],
    ] as const;
    const cuts = gradients.flatMap((whole) => ranges.map(([from, count]) => ({ whole, from, count })));
    const got = run(
      name,
      cuts.map(({ whole, from, count }) =>
        narrow(
          whole,
          selection(
            0,
            whole.shape[0]!,
            Array.from({ length: count }, (_, i) => from + i),
          ),
          computed,
        ),
      ),
    );
    const known = evaluate(topological(gradients), dataOf);
    for (const [i, { whole, from, count }] of cuts.entries()) {
      const width = whole.shape[1]!;
      const wanted = known.get(whole)!.slice(from * width, (from + count) * width);
      for (const [at, x] of wanted.entries())
        if (!(Math.abs(got[i]![at]! - x) <= 4e-5 * (1 + Math.abs(x))))
          expect.fail(`part ${i}, element ${at}: ${got[i]![at]}, not ${x}`);
    }
  });
});
