import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as nn from "thaw/nn";
import { AdamW, SGD, type StatePolicy } from "thaw/optim";
import { capture, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { currentBackend } from "../../src/backends/registry.ts";
import { ArgumentError, StateOffloadError } from "../../src/base/errors.ts";
import { built } from "../built.ts";
import { optimizers } from "./optimizers.ts";

class Pair extends nn.Module {
  a = new nn.Linear(2, 2, { bias: false });
  b = new nn.Linear(2, 2, { bias: false });
}

const x = tensor([[1, 2]]);

/** A step that trains a, b, or both, from the same start each time. */
function make(policy?: StatePolicy, Optimizer: typeof AdamW | typeof SGD = AdamW) {
  const net = new Pair();
  net.a.weight.assign(
    tensor([
      [0.1, 0.2],
      [0.3, -0.4],
    ]),
  );
  net.b.weight.assign(
    tensor([
      [0.5, -0.2],
      [0.1, 0.3],
    ]),
  );
  const optimizer = new (Optimizer as typeof AdamW)(net, { lr: 0.1, weightDecay: 0.1 });
  const step = trainStep(optimizer, {
    loss: (which: string) =>
      (which.includes("a") ? net.a.forward(x) : net.b.forward(x)).add(net.b.forward(x)).pow(2).sum(),
    trains: (which) => [...which].map((name) => `${name}.**`),
    ...(policy && { state: { "a.**": policy } }),
  });
  const stateOf = (name: "a" | "b"): unknown => {
    const state = optimizer.state.get(net[name].weight);
    return (
      state && {
        step: state.step,
        expAvg: hex(state.expAvg.dataSync()),
        expAvgSq: hex(state.expAvgSq.dataSync()),
      }
    );
  };
  return { net, optimizer, step, stateOf };
}

const hex = (data: ArrayBufferView): string =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex");
const weightOf = (net: Pair, name: "a" | "b"): string => hex(net[name].weight.dataSync());

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "thaw-policy-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("keep, the default, leaves the state as it was, and goes on from it", async () => {
  const { step, stateOf } = make();
  await step("a");
  await step("a");
  const before = stateOf("a");
  for (let i = 0; i < 3; i++) await step("b");
  expect(stateOf("a")).toEqual(before);
  await step("a");
  expect(stateOf("a")).toMatchObject({ step: 3 });
});

test.each(["reset", "drop"] as const)(
  "%s: the first step after a thaw is as a fresh optimizer's",
  async (state) => {
    const { net, step, stateOf } = make({ state });
    const fresh = make();
    for (const which of ["a", "a", "b", "b"]) await step(which);
    for (let round = 0; round < 3; round++) {
      fresh.net.loadStateDict(net.stateDict());
      const other = new AdamW(fresh.net, { lr: 0.1, weightDecay: 0.1 });
      const again = trainStep(other, {
        loss: () => fresh.net.a.forward(x).add(fresh.net.b.forward(x)).pow(2).sum(),
        trains: "a.**",
      });
      await step("a");
      await again();
      expect(weightOf(net, "a")).toBe(weightOf(fresh.net, "a"));
      expect(stateOf("a")).toMatchObject({ step: 1 });
      await step("a");
      expect(stateOf("a")).toMatchObject({ step: 2 });
      await step("b");
      expect(stateOf("a") === undefined).toBe(state === "drop");
    }
  },
);

test("drop and offload give the state's memory back while a parameter is frozen", async () => {
  for (const state of ["drop", "offload"] as const) {
    class Big extends nn.Module {
      a = new nn.Linear(256, 256);
      b = new nn.Linear(2, 2);
    }
    const net = new Big();
    const optimizer = new AdamW(net);
    const input = tensor([Array.from({ length: 256 }, (_, i) => i / 256)]);
    const step = trainStep(optimizer, {
      loss: (which: string) => (which === "a" ? net.a.forward(input) : net.b.forward(x)).pow(2).sum(),
      trains: (which) => `${which}.**`,
      state: { "a.**": { state } },
      report: false,
    });
    for (const which of ["a", "b", "a", "b"]) await step(which);
    const frozen = currentBackend().memoryInUse();
    await step("a");
    const trained = currentBackend().memoryInUse();
    expect(trained - frozen).toBeGreaterThanOrEqual(2 * 256 * 256 * 4);
    await step("b");
    expect(currentBackend().memoryInUse()).toBe(frozen);
  }
});

describe.each([["memory"], ["a directory"]])("offload to %s", (where) => {
  const policy = (): StatePolicy => ({ state: where === "memory" ? "offload" : { offload: folder } });

  test("brings the state back bit for bit, and leaves no file", async () => {
    const { net, step, stateOf } = make(policy());
    const kept = make();
    const order = ["a", "a", "b", "b", "a", "ab", "b", "a"];
    for (const which of order) {
      await step(which);
      await kept.step(which);
      // Read where it is: offloaded or not.
      expect(stateOf("a")).toEqual(kept.stateOf("a"));
      expect(weightOf(net, "a")).toBe(weightOf(kept.net, "a"));
    }
    await step("a");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("is in a state dict as ever, and is loaded over", async () => {
    const { net, optimizer, step } = make(policy());
    for (const which of ["a", "b"]) await step(which);
    const [dict, weights] = [optimizer.stateDict(), net.stateDict()];
    await step("a");
    const after = weightOf(net, "a");
    await step("b");
    optimizer.loadStateDict(dict);
    net.loadStateDict(weights);
    await step("a");
    expect(weightOf(net, "a")).toBe(after);
  });
});

test("a directory that cannot be written to stops the step, and everything is as it was", async () => {
  const { net, step, stateOf, optimizer } = make({ state: { offload: join(folder, "missing") } });
  await step("a");
  const before = [stateOf("a"), weightOf(net, "a"), weightOf(net, "b"), optimizer.updates];
  await expect(step("b")).rejects.toThrow(StateOffloadError);
  await expect(step("b")).rejects.toThrow(
    /of a\.weight could not be offloaded to .*missing.*It stays in memory/s,
  );
  expect([stateOf("a"), weightOf(net, "a"), weightOf(net, "b"), optimizer.updates]).toEqual(before);
  await step("a");
  expect(stateOf("a")).toMatchObject({ step: 2 });
});

describe.each<[string, (file: string) => void]>([
  ["cut short", (file) => truncateSync(file, 8)],
  ["written over", (file) => writeFileSync(file, new Uint8Array(statSync(file).size).fill(7))],
  ["removed", (file) => rmSync(file)],
  [
    "replaced by a folder",
    (file) => {
      rmSync(file);
      mkdirSync(file);
    },
  ],
])("a file of offloaded state that was %s costs that state only", (_, harm) => {
  /** Both were stepped twice, and a's state waits in files, one of which is harmed. */
  const harmed = async () => {
    const made = make({ state: { offload: folder } });
    for (const which of ["ab", "ab", "b"]) await made.step(which);
    harm(join(folder, readdirSync(folder).at(-1)!));
    const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
    return { ...made, warned };
  };
  afterEach(() => {
    vi.restoreAllMocks();
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
  });

  test("training goes on, with a state that starts anew", async () => {
    const { net, step, stateOf, warned } = await harmed();
    const fresh = make();
    fresh.net.loadStateDict(net.stateDict());
    const b = stateOf("b");
    await step("a");
    await fresh.step("a");
    expect(stateOf("a")).toEqual(fresh.stateOf("a"));
    expect(weightOf(net, "a")).toBe(weightOf(fresh.net, "a"));
    expect(stateOf("b")).toEqual(b);
    for (const which of ["b", "a", "ab"]) await step(which);
    expect(stateOf("a")).toMatchObject({ step: 3 });
    expect(warned.mock.calls).toEqual([
      [expect.stringMatching(/a\.weight .*was offloaded to .*state of a\.weight starts anew/s)],
    ]);
  });

  test("what is read or saved of it is that state too, and all of it", async () => {
    const { optimizer, stateOf, warned } = await harmed();
    const { state } = optimizer.stateDict();
    expect(state["a.weight"]!.step).toBe(0);
    for (const value of Object.values(state["a.weight"]!))
      if (typeof value === "object") expect([...value.dataSync()].every((x) => x === 0)).toBe(true);
    expect(state["b.weight"]!.step).toBe(3);
    expect(stateOf("a")).toMatchObject({ step: 0 });
    expect(warned).toHaveBeenCalledOnce();
  });

  test("a step that fails over something else finds it so afterwards", async () => {
    const { net, stateOf, optimizer } = await harmed();
    const rows = tensor([99], { dtype: "i32" });
    const wrong = trainStep(optimizer, {
      loss: () => net.a.weight.indexSelect(0, rows).sum(),
      trains: "a.**",
    });
    await expect(wrong()).rejects.toThrow();
    expect(stateOf("a")).toMatchObject({ step: 0 });
    expect(optimizer.updates).toBe(3);
  });
});

test("files of offloaded state go when the program ends", () => {
  const text = `
    const { nn, optim, trainStep } = await import("${built("index.js")}");
    class Two extends nn.Module { a = new nn.Linear(2, 2); b = new nn.Linear(2, 2); }
    const net = new Two();
    const optimizer = new optim.AdamW(net);
    const step = trainStep(optimizer, {
      loss: (which) => net[which].weight.pow(2).sum(), trains: (which) => which + ".weight",
      state: { "**": { state: { offload: ${JSON.stringify(folder)} } } },
    });
    await step("a");
    await step("b");
    console.log((await import("node:fs")).readdirSync(${JSON.stringify(folder)}).length);
    if (process.argv[1] === "throw") throw new Error("enough");
  `;
  for (const how of ["end", "throw"]) {
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", text, how], {
      encoding: "utf8",
      env: { ...process.env, THAW_BACKEND: "reference" },
    });
    expect(stdout).toBe("2\n");
    expect(readdirSync(folder)).toEqual([]);
  }
});

test("decay by age draws the averages towards their start, once for each update missed", async () => {
  const { step, optimizer, net } = make({ state: { decay: 0.5 } });
  await step("a");
  const state = optimizer.state.get(net.a.weight)!;
  const [m, v] = [state.expAvg.dataSync(), state.expAvgSq.dataSync()];
  for (let i = 0; i < 3; i++) await step("b");
  const kept = make();
  await kept.step("a");
  kept.net.loadStateDict(net.stateDict());
  const dict = kept.optimizer.stateDict();
  dict.state["a.weight"]!.expAvg = tensor([...m].map((value) => value / 8)).reshape([2, 2]);
  dict.state["a.weight"]!.expAvgSq = tensor([...v].map((value) => value / 8)).reshape([2, 2]);
  kept.optimizer.loadStateDict(dict);
  await step("a");
  await kept.step("a");
  expect(weightOf(net, "a")).toBe(weightOf(kept.net, "a"));
});

test("reset starts again from what each state tensor started from", () => {
  const p = new nn.Linear(2, 1, { bias: false }).weight;
  const other = new nn.Linear(2, 1, { bias: false }).weight;
  p.assign(tensor([[0.1, 0.2]]));
  const optimizer = optimizers.Adagrad!([p, other]) as unknown as SGD;
  optimizer.setStatePolicy([p], { state: "reset" });
  const give = (...parameters: (typeof p)[]): void => {
    optimizer.zeroGrad();
    for (const q of parameters) q.grad = tensor([[1, 2]]);
    optimizer.step();
  };
  give(p);
  give(other);
  give(p);
  const { sum } = optimizer.state.get(p) as unknown as { sum: typeof p };
  expect(sum.dataSync()[0]).toBeGreaterThan(1);
  expect(sum.dataSync()[0]).toBeLessThan(2);
});

test("rewarm lets the rate rise again after each thaw, and not at the first update", async () => {
  const { step, net } = make({ rewarm: 4 }, SGD);
  const plain = make(undefined, SGD);
  const moved = async (which: string): Promise<number> => {
    plain.net.loadStateDict(net.stateDict());
    const before = net.a.weight.dataSync();
    await step(which);
    await plain.step(which);
    const [after, full] = [net.a.weight.dataSync(), plain.net.a.weight.dataSync()];
    return (after[0]! - before[0]!) / (full[0]! - before[0]!);
  };
  expect(await moved("a")).toBeCloseTo(1, 4);
  await step("b");
  for (const share of [0.25, 0.5, 0.75, 1, 1]) expect(await moved("a")).toBeCloseTo(share, 4);
  await step("b");
  expect(await moved("a")).toBeCloseTo(0.25, 4);
});

test.each(["reset", "drop", "offload", { decay: 0.5 }] as const)(
  "a step that fails undoes what a policy did: %s",
  async (state) => {
    const net = new Pair();
    const optimizer = new AdamW(net, { lr: 0.1 });
    const step = trainStep(optimizer, {
      loss: (which: string, scale: ReturnType<typeof tensor>) =>
        (which === "a" ? net.a : net.b).forward(x).mul(scale).sum(),
      trains: (which) => `${which}.**`,
      finite: true,
      state: { "**": { state } },
    });
    const everything = (): unknown =>
      [net.a.weight, net.b.weight].map((p) => {
        const own = optimizer.state.get(p);
        return [hex(p.dataSync()), own && [own.step, hex(own.expAvg.dataSync())]];
      });
    const [one, nan] = [tensor(1), tensor(Number.NaN)];
    await step("a", one);
    await step("b", one);
    const before = everything();
    await expect(step("a", nan)).rejects.toThrow(/NaN/);
    expect(everything()).toEqual(before);
    await step("a", one);
    const twin = everything();
    await expect(step("b", nan)).rejects.toThrow(/NaN/);
    expect(everything()).toEqual(twin);
  },
);

test("policies work in hand-written and in captured loops", () => {
  const net = new Pair();
  const optimizer = new AdamW(net, { lr: 0.1 });
  optimizer.setStatePolicy(net.a, { state: "reset" });
  const loop = (layer: nn.Linear): void => {
    optimizer.zeroGrad();
    layer.forward(x).pow(2).sum().backward();
    optimizer.step();
  };
  loop(net.a);
  loop(net.a);
  loop(net.b);
  loop(net.a);
  expect(optimizer.state.get(net.a.weight)!.step).toBe(1);
  const captured = capture((layer: nn.Linear) => loop(layer));
  for (const layer of [net.b, net.a, net.a, net.b, net.a]) captured(layer);
  expect(optimizer.state.get(net.a.weight)!.step).toBe(1);
  expect(optimizer.state.get(net.b.weight)!.step).toBe(3);
});

test("age and warmth go through a state dict", async () => {
  const policy: StatePolicy = { state: { decay: 0.5 }, rewarm: 3 };
  const [straight, resumed] = [make(policy), make(policy)];
  const order = ["a", "b", "a", "b", "b"];
  for (const which of order) await straight.step(which);
  const dict = straight.optimizer.stateDict();
  expect(dict.updates).toBe(5);
  expect(dict.state["a.weight"]).toMatchObject({ idle: 2, thawedAt: 1 });
  resumed.net.loadStateDict(straight.net.stateDict());
  resumed.optimizer.loadStateDict(dict);
  for (const which of ["a", "a", "b", "a"]) {
    await straight.step(which);
    await resumed.step(which);
    expect(weightOf(resumed.net, "a")).toBe(weightOf(straight.net, "a"));
  }
});

describe("errors", () => {
  test.each([
    [{ state: "forget" }, /state policy is "forget"; there are "keep"/],
    [{ state: { decay: 2 } }, /decay is 2; it must be a number from 0 to 1/],
    [{ rewarm: -1 }, /rewarm is -1; it must be a whole number/],
  ])("%j", (policy, message) => {
    const { optimizer, net } = make();
    expect(() => optimizer.setStatePolicy(net, policy as StatePolicy)).toThrow(ArgumentError);
    expect(() => optimizer.setStatePolicy(net, policy as StatePolicy)).toThrow(message);
  });

  test("a parameter of another network", () => {
    const { optimizer } = make();
    expect(() => optimizer.setStatePolicy(new Pair(), { state: "drop" })).toThrow(
      /is not one of its parameters/,
    );
  });
});
