import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Node } from "../../src/ir/node.ts";
import { node } from "../../src/ir/node.ts";
import { arrange } from "../../src/plan/arrange.ts";
import { buildPlan, type PlanRequest } from "../../src/plan/build.ts";
import { clusterize } from "../../src/plan/cluster.ts";
import { layOut } from "../../src/plan/layout.ts";
import { Lowering } from "../../src/plan/lower-alike.ts";
import { lowerContract } from "../../src/plan/lower-contract.ts";
import { lowerLoop } from "../../src/plan/lower-loop.ts";
import { prepare } from "../../src/plan/prepare.ts";
import { build, Choices, graph } from "../property/random-graph.ts";
import { constant, expand, input, matmul, permute, randomRequest, reshape, sum } from "./random-graph.ts";

type Asked = Pick<PlanRequest, "outputs" | "writes">;

/** Lowers every cluster of a graph beside those that are like it, and by itself; gives how many kernels there are. */
function alike({ outputs, writes }: Asked): { calls: number; kernels: number } {
  const { graph } = buildPlan({ outputs, writes, checks: [], resident: () => false });
  const asked = prepare(graph);
  const clusters = clusterize(asked);
  const arranged = arrange(asked, clusters);
  const memory = layOut(graph, asked, arranged, () => false);
  const { locate, stores } = memory;
  const lowering = new Lowering(clusters.prologues, memory);
  let calls = 0;
  const kernels = new Set<unknown>();
  for (const { cluster } of arranged.steps) {
    if (cluster === null || cluster.kind === "single") continue;
    const alone =
      cluster.kind === "contract"
        ? lowerContract(cluster, clusters.prologues, locate, stores)
        : lowerLoop(cluster, locate, stores);
    const call = lowering.call(cluster);
    expect(call).toEqual(alone);
    expect(call?.kernel).toBe(alone?.kernel);
    if (call === null) continue;
    calls++;
    kernels.add(call.kernel);
  }
  return { calls, kernels: kernels.size };
}

/** Blocks of a product, a bias, a softmax and an update each, of any extents. */
function blocks(rows: number, width: number, depth: number, tied: boolean): Asked {
  const bias = input([width]);
  const wide = (n: Node, shape: number[]) => expand(reshape(n, shape), [rows, width]);
  const writes: { target: Node<"input">; value: Node }[] = [];
  let h: Node = input([rows, width]);
  for (let i = 0; i < depth; i++) {
    const w = input([width, width]);
    const b = tied ? bias : input([width]);
    const scaled = i === 1 ? node("mul", [h, constant(0.3, [rows, width])], {}) : h;
    const e = node("exp", [node("add", [matmul(scaled, w), wide(b, [1, width])], {})], {});
    h = node("add", [h, node("div", [e, wide(sum(e, [1]), [rows, 1])], {})], {});
    const slope = matmul(permute(h, [1, 0]), h);
    writes.push({ target: w, value: node("sub", [w, node("mul", [slope, w], {})], {}) });
  }
  return { outputs: [h], writes };
}

describe("clusters that are alike are lowered once", () => {
  it("to the same calls as each by itself: layers of any extents", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0, 1, 2, 40),
        fc.constantFrom(0, 1, 3, 32),
        fc.boolean(),
        (rows, width, tied) => void alike(blocks(rows, width, 4, tied)),
      ),
      { numRuns: 32 },
    );
  });

  it("to the same calls as each by itself: random graphs, each with others of its structure", () => {
    fc.assert(
      fc.property(randomRequest, fc.integer({ min: 1, max: 3 }), (make, copies) => {
        const made = Array.from({ length: copies }, make).filter((r) => r !== null);
        alike({ outputs: made.flatMap((r) => r.outputs), writes: made.flatMap((r) => r.writes) });
      }),
      { numRuns: 60 },
    );
    fc.assert(
      fc.property(graph, (numbers) => {
        const outputs = [...build(new Choices(numbers)), ...build(new Choices(numbers.toReversed()))];
        alike({ outputs, writes: [] });
      }),
      { numRuns: 120 },
    );
  });

  it("apart where they differ in one thing: strides, an offset, an extent that is picked from, a constant, a buffer", () => {
    const [x, y, tall] = [input([6, 6]), input([6, 6]), input([8, 6])];
    const tanh = (n: Node) => node("tanh", [n], {});
    const rows = (start: number, step: number) =>
      node("slice", [tall], { start: [start, 0], size: [2, 6], step: [step, 1] });
    const indices = input([2, 6], "i32");
    const picked = [x, tall].map((n) => node("gather", [n, indices], { axis: 0 }));
    const timesConstant = [0.5, 2, 3, 4].map((value) => node("mul", [x, constant(value, [6, 6])], {}));
    const outputs = [
      ...[x, permute(x, [1, 0]), rows(0, 1), rows(1, 1), rows(0, 3)].map(tanh),
      ...picked.map(tanh),
      ...timesConstant.map(tanh),
      node("mul", [x, y], {}),
      node("mul", [x, x], {}),
      node("sub", [x, y], {}),
      node("sub", [tanh(y), x], {}),
    ];
    expect(alike({ outputs, writes: [] }).calls).toBe(outputs.length);
  });

  it("shares what layers share", () => {
    const shallow = alike(blocks(40, 32, 3, false));
    const deep = alike(blocks(40, 32, 12, false));
    expect(deep.calls).toBe(4 * shallow.calls);
    expect(deep.kernels).toBeLessThanOrEqual(shallow.kernels);
  });
});
