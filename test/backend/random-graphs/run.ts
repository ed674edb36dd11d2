import { expect, test } from "vitest";
import { backendOf } from "../../../src/backends/registry.ts";
import { allocate, dtypes, isFloat, readElement, type TypedArray } from "../../../src/base/dtype.ts";
import { sizeOf } from "../../../src/base/shape.ts";
import { evaluate } from "../../../src/ir/evaluate.ts";
import { isOp, type Node, topological } from "../../../src/ir/node.ts";
import { print } from "../../../src/ir/print.ts";
import { buildPlan } from "../../../src/plan/build.ts";
import { dataOf } from "../../ir/values.ts";
import { drawGraph } from "./draw.ts";
import { knowledge } from "./sure.ts";

/** `GRAPHS`: how many graphs; `npm run check:graphs` draws 100,000. `GRAPHS_FROM`: the seed of the first. */
const asWished = process.env.GRAPHS;
const first = Number(process.env.GRAPHS_FROM ?? 1);

interface Graph {
  seed: number;
  outputs: Node[];
}

/** What the backend gives for graphs that are one plan. */
function computed(name: string, graphs: readonly Graph[]): Map<Node, TypedArray> {
  const outputs = graphs.flatMap((g) => g.outputs);
  const plan = buildPlan({ outputs, writes: [], checks: [], resident: () => false });
  const executable = backendOf(name).load(plan);
  const results = plan.outputs.map((o) => allocate(o.dtype, sizeOf(o.shape)));
  const bindings = plan.graph.leaves.map((leaf) => dataOf(leaf));
  expect(executable.run(bindings, new Float64Array(0), results)).toBe(-1);
  executable.free();
  return new Map(outputs.map((n, i) => [n, results[i]!]));
}

/** What differs from the evaluator, or null. */
function differing(graph: Graph, got: Map<Node, TypedArray>): string | null {
  const order = topological(graph.outputs);
  const wanted = evaluate(order, (leaf) => {
    if (!isOp(leaf, "input")) throw new Error(`a leaf ${leaf.op}`);
    return dataOf(leaf);
  });
  const known = knowledge(order, (n) => wanted.get(n)!);
  for (const n of graph.outputs) {
    const sure = known.get(n)!;
    if (sure === "not") continue;
    const [a, b] = [got.get(n)!, wanted.get(n)!];
    for (let i = 0; i < b.length; i++) {
      const [x, y] = [readElement(n.dtype, a, i), readElement(n.dtype, b, i)];
      if (Object.is(x, y) || (x === y && sure === "nearly")) continue;
      if (sure === "nearly" && near(n, x, y)) continue;
      return `seed ${graph.seed}, %${order.indexOf(n)} element ${i}: ${x}, not ${y}\n${print(topological([n]))}`;
    }
  }
  return null;
}

/** Within rounding; what adds up to nearly nothing is measured by what is added. */
function near(n: Node, x: number, y: number): boolean {
  const wide = dtypes[n.dtype].bytes === 8;
  const most = isFloat(n.dtype) ? (wide ? 1e-11 : 2e-5) : 0;
  return (
    Math.abs(x - y) <=
    most * Math.max(1, Math.abs(y)) * (["exp", "log", "tanh", "sigmoid"].includes(n.op) ? 1 : 1e3)
  );
}

/** Graphs with nasty constants on one backend, several in a plan: a compiler takes its time for each. */
export function drawGraphs(name: string, count: number, together = 10): void {
  const graphs = asWished === undefined ? count : Number(asWished);
  test(`${name}: ${graphs} random graphs with nasty constants`, { timeout: 24 * 3_600_000 }, () => {
    const wrong: string[] = [];
    for (let seed = first; seed < first + graphs && wrong.length < 5; seed += together) {
      const drawn = Array.from({ length: Math.min(together, first + graphs - seed) }, (_, i) => ({
        seed: seed + i,
        outputs: drawGraph(seed + i).outputs,
      }));
      const got = computed(name, drawn);
      for (const graph of drawn) {
        const said = differing(graph, got);
        if (said !== null) wrong.push(said);
      }
    }
    if (wrong.length > 0) expect.fail(wrong.join("\n\n"));
  });
}
