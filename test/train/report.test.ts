import { loadFromBytes, saveToBytes } from "thaw/checkpoint";
import { crossEntropy, Linear, Module, ParameterList } from "thaw/nn";
import { SGD } from "thaw/optim";
import {
  cat,
  fromArray,
  manualSeed,
  noGrad,
  ones,
  Parameter,
  rand,
  randn,
  type Tensor,
  tensor,
  zeros,
} from "thaw/tensor";
import { type Trains, trainStep } from "thaw/train";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { dtypes, isFloat } from "../../src/base/dtype.ts";
import { inputs, makeNetwork, type Task, targets } from "./network.ts";

const make = (options: object = {}) => {
  const net = makeNetwork();
  const step = trainStep(new SGD(net, { lr: 0.5 }), {
    loss: (task: Task, x: Tensor, y: Tensor) => crossEntropy(net.forward(x, task), y),
    trains: (task) => ["output.**", task === "task1" ? "hiddenTask1.**" : "hiddenTask2.**"],
    ...options,
  });
  return { net, step, run: (task: Task) => step(task, inputs[task], targets) };
};

// What reading may take is told by the clock, which stands still, or what is compared would depend on what else runs.
beforeEach(() => {
  const now = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => now);
});
afterEach(() => void vi.restoreAllMocks());

test("a gathered report of a step without a group is of one rank, with the bits that it has", async () => {
  const { step, run } = make();
  await run("task1");
  const { parameters } = await step.gatheredReport();
  expect(parameters.map(({ ranks }) => ranks)).toEqual(step.report().parameters.map((p) => [p]));
  expect(parameters.every(({ isAlike }) => isAlike)).toBe(true);
  const [head, , first] = String(await step.gatheredReport()).split("\n");
  expect(head).toMatch(/^parameter +ranks +trained by .* bits of ranks$/);
  expect(first).toMatch(/^hiddenTask1\.weight +all +task1 .* the same$/);
});

test("says who was trained by which task, how often, and how far it went", async () => {
  const { net, step, run } = make();
  const start = net.output.weight.dataSync();
  for (const task of ["task1", "task2", "task1"] as const) await run(task);
  const [first, second, output] = step.report().parameters;
  expect(first).toMatchObject({
    path: "hiddenTask1.weight",
    trainedBy: ["task1"],
    timesStepped: 2,
    bitsChangedWhileFrozen: 0,
  });
  expect(second).toMatchObject({
    path: "hiddenTask2.weight",
    trainedBy: ["task2"],
    timesStepped: 1,
    bitsChangedWhileFrozen: 0,
  });
  expect(output).toMatchObject({ trainedBy: ["task1", "task2"], timesStepped: 3 });
  const moved = Array.from(net.output.weight.dataSync(), (x, i) => x - start[i]!);
  expect(output!.moved!.norm).toBeCloseTo(Math.hypot(...moved), 6);
  expect(output!.moved!.max).toBeCloseTo(Math.max(...moved.map(Math.abs)), 6);
});

test("counts the bits that change while a parameter is frozen", async () => {
  const { net, step, run } = make();
  await run("task1");
  const { weight } = net.hiddenTask2;
  const changed = weight.dataSync();
  new Uint32Array(changed.buffer)[2]! ^= 0b101;
  weight.assign(fromArray(changed, weight.shape));
  await run("task1");
  expect(step.report().parameters[1]!.bitsChangedWhileFrozen).toBe(2);
  // What training does to it then is another matter.
  await run("task2");
  await run("task1");
  expect(step.report().parameters[1]!.bitsChangedWhileFrozen).toBe(2);
});

test("is a table as text", async () => {
  const { step, run } = make();
  await run("task1");
  const lines = String(step.report()).split("\n");
  expect(lines[0]).toBe("parameter           trained by  steps    moved  largest change  while frozen");
  expect(lines[2]).toMatch(/^hiddenTask1\.weight {2}task1 {11}1 {2,}[\d.e-]+ +[\d.e-]+ +–$/);
  expect(lines[3]).toMatch(/^hiddenTask2\.weight {2}– {15}0 +0\.000 +0\.000 +unchanged$/);
});

test("without comparing, steps are counted", async () => {
  const { step, run } = make({ report: false });
  await run("task1");
  expect(step.report().parameters[0]).toMatchObject({
    timesStepped: 1,
    moved: null,
    whileFrozen: null,
    bitsChangedWhileFrozen: null,
  });
  expect(String(step.report())).toContain(
    "hiddenTask1.weight  task1           1      –               –             –",
  );
});

const dtypesHeld = ["f32", "f64", "bf16", "f16", "i32", "u8", "i8", "bool"] as const;

/** More than is copied unasked, and not a whole number of blocks of the hash, or of what is gathered at a time. */
class Large extends Module {
  readonly held = new ParameterList(
    dtypesHeld.map((dtype) => {
      const value = rand([333, 211])
        .mul(dtype === "bool" ? 1 : 50)
        .to(dtype);
      return new Parameter(value, { requiresGrad: isFloat(dtype) });
    }),
  );
  readonly rows = new Parameter(rand([400, 24]));
  readonly head = new Linear(24, 2);
  forward(x: Tensor): Tensor {
    return this.head.forward(x.add(this.rows.narrow(0, 0, 8)));
  }
}

function makeLarge(trains: Trains = ["head.**", "rows[3:390]"], options: { report?: boolean } = {}) {
  manualSeed(1);
  const net = new Large();
  const step = trainStep(new SGD(net, { lr: 0.5 }), {
    loss: (x: Tensor) => net.forward(x).square().mean(),
    trains,
    ...options,
  });
  const said = (path: string) => {
    const {
      moved,
      whileFrozen,
      bitsChangedWhileFrozen: bits,
    } = step.report().parameters.find((p) => p.path === path)!;
    return { moved: moved?.norm, whileFrozen, bits };
  };
  return { net, step, said, run: () => step(ones([8, 24])) };
}

const unchanged = { moved: 0, whileFrozen: "unchanged", bits: 0 };
const changed = { moved: undefined, whileFrozen: "changed", bits: null };

/** Changes stored bytes behind the library's back; gives what undoes it. */
function tamper({ resident: { storage } }: Parameter, change: (bytes: Uint8Array) => void): () => void {
  const bytes = storage.bytes()!;
  const before = bytes.slice();
  change(bytes);
  return () => storage.bytes()!.set(before);
}

test("of a large network: a bit of what is frozen, wherever it is and whatever it is of, shows", async () => {
  const { net, said, run } = makeLarge();
  await run();
  const numbers = [0, 35_131, 35_132, 70_262];
  for (const [i, p] of [...net.held].entries()) {
    const path = `held.${i}`;
    expect(said(path)).toEqual(unchanged);
    const { bytes: size } = dtypes[p.dtype];
    for (const n of numbers)
      for (const bit of [0, 8 * size - 1]) {
        const undo = tamper(p, (bytes) => void (bytes[n * size + (bit >> 3)]! ^= 1 << (bit & 7)));
        expect({ p: p.dtype, n, bit, ...said(path) }).toEqual({ p: p.dtype, n, bit, ...changed });
        undo();
      }
    expect(said(path)).toEqual(unchanged);
  }
});

test("so do swaps, signs of zeros, payloads of NaNs, and what is turned around", async () => {
  const { net, said, run } = makeLarge();
  const [values, words] = [
    net.held.at(0)!,
    (bytes: Uint8Array) => new Uint32Array(bytes.buffer, bytes.byteOffset, 70_263),
  ];
  tamper(values, (bytes) => words(bytes).set([0, 0x80000000, 0x7fc00000, 0x7fc00001, 0xffc00000], 1000));
  await run();
  expect(said("held.0")).toEqual(unchanged);
  const swap = (a: number, b: number) => (w: Uint32Array) => void ([w[a], w[b]] = [w[b]!, w[a]!]);
  const changes: ((w: Uint32Array) => void)[] = [
    swap(1000, 1001),
    swap(1002, 1003),
    swap(0, 4),
    swap(0, 70_262),
    (w) => void (w[1000] = 0x80000000),
    (w) => void (w[1003] = 0x7fc00002),
    (w) => void (w[1004] = 0x7fc00000),
    (w) => w.forEach((word, i) => void (w[i] = (word ^ 0x80000000) >>> 0)),
    (w) => void w.reverse(),
    (w) => void w.copyWithin(1, 0),
  ];
  for (const change of changes) {
    const undo = tamper(values, (bytes) => change(words(bytes)));
    expect(said("held.0")).toEqual(changed);
    undo();
  }
  expect(said("held.0")).toEqual(unchanged);
});

test("of rows that are trained alone the rest is unchanged, or is not", async () => {
  const { net, said, run } = makeLarge();
  const start = net.rows.dataSync().slice();
  await run();
  const rows = said("rows");
  expect(rows).toMatchObject({ whileFrozen: "unchanged", bits: 0 });
  const moved = net.rows.dataSync().map((x, i) => x - start[i]!);
  expect(rows.moved).toBeCloseTo(Math.hypot(...moved), 6);
  for (const [place, shows] of [
    [2 * 24 + 23, true],
    [390 * 24, true],
    [399 * 24 + 23, true],
    [3 * 24, false],
    [389 * 24 + 23, false],
  ] as const) {
    const undo = tamper(net.rows, (bytes) => void (bytes[4 * place]! ^= 1));
    expect(said("rows").whileFrozen).toBe(shows ? "changed" : "unchanged");
    undo();
  }
});

test("what has changed while it was frozen is remembered; what is thawed and then trained is another matter", async () => {
  manualSeed(3);
  const net = new Large();
  const step = trainStep(new SGD(net, { lr: 0.5 }), {
    loss: (_: string, x: Tensor) => net.forward(x).add(net.held.at(0)!.mean()).square().mean(),
    trains: (part): Trains => (part === "all" ? ["head.**", "held.0"] : ["head.**"]),
  });
  const run = (part: string) => step(part, ones([8, 24]));
  const said = () => step.report().parameters.find(({ path }) => path === "held.0")!;
  await run("head");
  await run("all");
  expect(said()).toMatchObject({ timesStepped: 1, whileFrozen: "unchanged", bitsChangedWhileFrozen: 0 });
  await run("head");
  // It has been trained, and so there is a copy to count by.
  const undo = tamper(net.held.at(0)!, (bytes) => void (bytes[11]! ^= 0b1001));
  expect(said()).toMatchObject({ whileFrozen: "changed", bitsChangedWhileFrozen: 2 });
  await run("all");
  expect(said()).toMatchObject({ whileFrozen: "changed", bitsChangedWhileFrozen: 2 });
  expect(String(step.report())).toMatch(/^held\.0 .* 2 bits changed$/m);
  undo();
});

test("how far goes what is too large for copies: estimated, in few elements as in many", async () => {
  for (const count of [3, 300_000]) {
    manualSeed(2);
    const net = new Linear(1000, 1000, { bias: false });
    const before = net.weight.dataSync().slice();
    const mask = cat([ones([count]), zeros([1_000_000 - count])]).reshape([1000, 1000]);
    const step = trainStep(new SGD(net, { lr: 0.1 }), {
      loss: () => net.weight.mul(mask).square().sum(),
      trains: "**",
    });
    await step();
    const { moved } = step.report().parameters[0]!;
    const after = net.weight.dataSync();
    let squares = 0;
    for (let i = 0; i < after.length; i++) squares += (after[i]! - before[i]!) ** 2;
    expect(moved!.exact).toBe(false);
    expect(moved!.max).toBeNull();
    expect(moved!.norm / Math.sqrt(squares)).toBeGreaterThan(0.95);
    expect(moved!.norm / Math.sqrt(squares)).toBeLessThan(1.05);
    expect(String(step.report())).toContain(`≈ ${moved!.norm.toPrecision(2)}`);
  }
  const exact = makeLarge(["head.**", "rows"], { report: true });
  await exact.run();
  expect(exact.step.report().parameters.every(({ moved }) => moved!.exact)).toBe(true);
});

test("goes on from a checkpoint: parts, sketches, and what older versions have written", async () => {
  const one = makeLarge();
  await one.run();
  tamper(one.net.held.at(2)!, (bytes) => void (bytes[5]! ^= 4));
  const other = makeLarge();
  loadFromBytes(saveToBytes({ module: one.net, step: one.step }), { module: other.net, step: other.step });
  expect(other.step.report().parameters).toEqual(one.step.report().parameters);
  await Promise.all([one.run(), other.run()]);
  expect(other.step.report().parameters).toEqual(one.step.report().parameters);
  expect(other.said("held.2")).toMatchObject(changed);

  const sketched = makeSketched();
  await sketched.run();
  const again = makeSketched();
  loadFromBytes(saveToBytes({ module: sketched.net, step: sketched.step }), {
    module: again.net,
    step: again.step,
  });
  await Promise.all([sketched.run(), again.run()]);
  expect(again.step.report().parameters).toEqual(sketched.step.report().parameters);

  const { net, step, run } = make();
  const start = net.output.weight.clone();
  await run("task1");
  const old = { steps: 2, tasks: ["task1"], bitsChanged: 0 };
  const report = {
    "hiddenTask1.weight": { ...old, start: "same" },
    "hiddenTask2.weight": { ...old, bitsChanged: 3, steps: 0, tasks: [] },
    "output.weight": { ...old, start },
  };
  step.loadStateDict({ ...step.stateDict(), report });
  const [first, second, output] = step.report().parameters;
  expect(first).toMatchObject({ timesStepped: 2, moved: { norm: 0 }, whileFrozen: null });
  expect(second).toMatchObject({ whileFrozen: "changed", bitsChangedWhileFrozen: 3 });
  expect(output!.moved!.norm).toBeGreaterThan(0);
});

function makeSketched() {
  manualSeed(4);
  const net = new Linear(600, 600);
  const step = trainStep(new SGD(net, { lr: 0.5 }), {
    loss: () => net.weight.square().sum(),
    trains: "weight",
  });
  return { net, step, run: () => step() };
}

test.each([
  ["steps", -1],
  ["tasks", "task1"],
  ["bitsChanged", 0.5],
  ["everFrozen", 1],
  ["start", "other"],
  ["start", ones([2, 3])],
  ["start", [{}]],
  ["start", [{ elements: ones([3, 4]) }]],
  ["start", [{ sketch: ones([4096]) }]],
  ["start", [{ elements: ones([4, 3]) }, { elements: ones([4, 3]) }]],
  ["start", [{ dim: 0, indices: tensor([9], { dtype: "i32" }), elements: ones([1, 3]) }]],
  ["start", [{ dim: 5, indices: tensor([0], { dtype: "i32" }), elements: ones([1, 3]) }]],
])("a state whose %s cannot be is refused, and nothing has changed", async (name, value) => {
  const { step, run } = make();
  await run("task1");
  const before = step.report().parameters;
  const state = step.stateDict() as { report: Record<string, object> };
  const report = { ...state.report, "output.weight": { ...state.report["output.weight"], [name]: value } };
  expect(() => step.loadStateDict({ ...state, report })).toThrow(
    "what was reported of output.weight does not fit",
  );
  expect(step.report().parameters).toEqual(before);
});

/** A step that trains one of two layers, and a clock by which comparing takes ever longer. */
function makeSwitching(options: { report?: boolean } = {}) {
  class Two extends Module {
    a = new Linear(600, 600);
    b = new Linear(600, 600);
  }
  const net = new Two();
  const x = randn([1, 600]);
  const step = trainStep(new SGD(net, { lr: 0.01 }), {
    loss: (name: "a" | "b") => net[name].forward(x).square().mean(),
    trains: (name) => `${name}.**`,
    ...options,
  });
  // What comparing may take is used up at once.
  const now = vi.spyOn(performance, "now");
  let clock = performance.now();
  now.mockImplementation(() => (clock += 200));
  const run = async () => {
    for (let i = 0; i < 8; i++) await step(i % 2 === 0 ? "a" : "b");
  };
  const said = (path: string) => step.report().parameters.find((p) => p.path === path)!;
  return { net, step, run, said, [Symbol.dispose]: () => now.mockRestore() };
}

test("frozen sets that change at every step are compared in a share of the time, and the report says so", async () => {
  const { step, run, said, [Symbol.dispose]: end } = makeSwitching();
  try {
    await run();
    for (const path of ["a.weight", "a.bias", "b.weight", "b.bias"])
      expect(said(path)).toMatchObject({ whileFrozen: "unchanged", bitsChangedWhileFrozen: 0 });
    expect(said("b.weight").timesNotCompared).toBeGreaterThan(0);
    expect(String(step.report())).toMatch(
      /unchanged\*\n[\s\S]*\*: at some times not by bits, .* report: true/,
    );
    // A part of the state, so that a run that goes on does not claim more than its first half.
    const again = makeSwitching();
    again.step.loadStateDict(step.stateDict());
    expect(again.said("b.weight").timesNotCompared).toBe(said("b.weight").timesNotCompared);
  } finally {
    end();
  }
});

test("where bits were not compared, what thaw has written is told, and what else has is from the next report on", async () => {
  const { net, step, run, said, [Symbol.dispose]: end } = makeSwitching();
  try {
    await run();
    await step("a");
    noGrad(() => net.b.weight.assign(net.b.weight.mul(1)));
    await step("b");
    expect(said("b.weight")).toMatchObject({ whileFrozen: "written", bitsChangedWhileFrozen: null });
    expect(said("a.weight")).toMatchObject({ whileFrozen: "unchanged" });
    // The last report has read what is frozen now.
    tamper(net.a.weight, (bytes) => void (bytes[5]! ^= 1));
    expect(said("a.weight")).toMatchObject({ whileFrozen: "changed" });
  } finally {
    end();
  }
});

test("with report: true bits are compared each time, whatever that takes", async () => {
  const { net, step, run, said, [Symbol.dispose]: end } = makeSwitching({ report: true });
  try {
    await run();
    expect(said("a.weight")).toMatchObject({ whileFrozen: "unchanged", timesNotCompared: 0 });
    tamper(net.a.weight, (bytes) => void (bytes[5]! ^= 1));
    await step("a");
    expect(said("a.weight")).toMatchObject({ whileFrozen: "changed", bitsChangedWhileFrozen: 1 });
    expect(String(step.report())).not.toContain("*");
  } finally {
    end();
  }
});
