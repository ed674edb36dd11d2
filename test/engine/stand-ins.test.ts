import { expect, test } from "vitest";
import type { Executable } from "../../src/backends/contract.ts";
import { backendNames, backendOf, currentBackend } from "../../src/backends/registry.ts";
import { planCounts } from "../../src/engine/realize.ts";
import { mseLoss, nn, optim, randn, type Tensor, trainStep } from "../../src/index.ts";
import { leafNode, node } from "../../src/ir/node.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { type Plan, withoutGraph } from "../../src/plan/plan.ts";
import { collectGarbage } from "../collect-garbage.ts";

/** Lets the collector find what nobody holds, and finalizers run. */
async function settled(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Trains a model of its own structure, captured and by hand, and forgets it; gives what is left to look for it. */
async function train(width: number): Promise<WeakRef<object>[]> {
  const net = new nn.Linear(100, 200 + width);
  const optimizer = new optim.AdamW(net, { lr: 0.01 });
  const loss = (x: Tensor): Tensor => mseLoss(net.forward(x).sum([1]), x.sum([1]));
  const step = trainStep(optimizer, { loss, trains: "**" });
  const batch = randn([50, 100]);
  await step(batch);
  await step(batch);
  optimizer.zeroGrad();
  loss(batch).backward();
  optimizer.step();
  net.weight.dataSync();
  return [net, optimizer, batch, net.weight.resident.storage, batch.node].map((thing) => new WeakRef(thing));
}

test("plans that are kept hold no model, optimizer or batch that they were made for", async () => {
  await train(0);
  await settled();
  const [memory, plans] = [currentBackend().memoryInUse(), planCounts().held];
  const dropped: WeakRef<object>[] = [];
  for (let width = 1; width <= 12; width++) dropped.push(...(await train(width)));
  await settled();
  expect(planCounts().held).toBeGreaterThanOrEqual(plans + 24);
  expect(dropped.filter((reference) => reference.deref() !== undefined)).toEqual([]);
  // Tables of plans are left; parameters and state of twelve models would be 3 MB.
  expect(currentBackend().memoryInUse() - memory).toBeLessThan(500_000);
});

test("a plan that was made for one model serves the next of its structure", async () => {
  await train(0);
  const { made } = planCounts();
  await train(0);
  expect(planCounts().made).toBe(made);
});

/** What is kept of a plan on a backend, and what its graph is made of. */
function loaded(name: string): { kept: { executable: Executable; plan: Plan }; graph: WeakRef<object>[] } {
  const x = leafNode({ source: { id: 1 }, version: 0, shape: [4, 8], dtype: "f32" });
  const doubled = node("add", [node("exp", [x], {}), x], {});
  const made = buildPlan({ outputs: [doubled], writes: [], checks: [], resident: () => false });
  return {
    kept: { executable: backendOf(name).load(made), plan: withoutGraph(made) },
    graph: made.graph.order.map((n) => new WeakRef(n)),
  };
}

test.each(backendNames().filter((name) => name !== "reference"))(
  "what %s keeps of a plan, and what tells of it, holds nothing of its graph",
  async (name) => {
    const { kept, graph } = loaded(name);
    await settled();
    expect(graph.filter((reference) => reference.deref() !== undefined)).toEqual([]);
    const result = new Float32Array(32);
    expect(kept.executable.run([new Float32Array(32)], new Float64Array(0), [result])).toBe(-1);
    expect([...result]).toEqual(new Array(32).fill(1));
    expect(kept.plan.explain().kernels.length).toBe(1);
    kept.executable.free();
  },
);
