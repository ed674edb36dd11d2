import { once } from "node:events";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import {
  audit,
  CheckpointFolder,
  crossEntropy,
  data,
  distributed,
  freeze,
  getRandomState,
  load,
  manualSeed,
  mseLoss,
  nn,
  ones,
  optim,
  Parameter,
  rand,
  save,
  tensor,
  trainStep,
  zeros,
} from "../../dist/index.js";
import { batchOf, group, lossOf, networkOf, numbersOf, report } from "./network.mjs";

// What ranks do in the tests of a group: each scene by its name, the first argument.

const { rank, size } = group;

/** What an error says, and whether a network is still as it was. */
async function failing(net, optimizer, call) {
  const before = JSON.stringify(await numbersOf(net, optimizer));
  try {
    await call();
    return { error: null };
  } catch (error) {
    const same = before === JSON.stringify(await numbersOf(net, optimizer));
    return { error: error.name, message: error.message, rank: error.rank, same };
  }
}

/** A network, its optimizer and a step, with options. */
function stepOf(options = {}, seed = 1) {
  const net = networkOf(seed);
  const optimizer = new optim.AdamW(net, { lr: 0.01 });
  const step = trainStep(optimizer, { loss: lossOf(net), trains: "**", group, ...options });
  return { net, optimizer, step };
}

const digest = async ({ net, optimizer }) => JSON.stringify(await numbersOf(net, optimizer));
const alike = async (at) => new Set(await group.gather(await digest(at))).size === 1;

console.warn = () => {};

const scenes = {
  /** Gradients that are read where they are, or added up in shares: sums and means are those of plain loops. */
  async large() {
    const [rows, columns] = [150, 301];
    class Net extends nn.Module {
      w = new nn.Parameter(zeros([rows, columns]));
      b = new nn.Parameter(zeros([7]));
    }
    const net = new Net();
    const step = trainStep(new optim.SGD(net, { lr: 1 }), {
      loss: (x, y) => net.w.mul(x).sum().add(net.b.mul(y).sum()),
      trains: "**",
      group,
      bucketCapMb: 0.01,
    });
    const expected = [new Float32Array(rows * columns), new Float32Array(7)];
    for (let i = 0; i < 3; i++) {
      manualSeed(10 * rank + i);
      const given = [rand([rows, columns]).sub(0.3), rand([7])];
      const all = await group.gather(await Promise.all(given.map((t) => t.data())));
      await step(...given);
      for (const [part, values] of expected.entries())
        for (let e = 0; e < values.length; e++) {
          let sum = all[0][part][e];
          for (let r = 1; r < size; r++) sum = Math.fround(sum + all[r][part][e]);
          values[e] -= Math.fround(sum / size);
        }
    }
    const same = [];
    for (const [i, p] of [net.w, net.b].entries()) same.push(String(await p.data()) === String(expected[i]));
    report({ same, sums: group.sent.sums });
  },

  /** The same steps with buckets of each size, and what they send. */
  async buckets() {
    const digests = [];
    for (const bucketCapMb of [25, 1e-6, 8e-5]) {
      const made = stepOf({ bucketCapMb, clipNorm: 0.5, keepGrads: true });
      for (let i = 0; i < 4; i++)
        await made.step(...batchOf(rank, i, (rank + i) % 2 === 0 ? "task1" : "task2"));
      digests.push([await digest(made), await alike(made)]);
    }
    report({ digests, sums: group.sent.sums });
  },

  async values() {
    const sum = await group.sum(Float32Array.from({ length: 5000 }, (_, i) => 0.1 * (rank + 1) * i));
    const doubles = await group.sum(Float64Array.of(0.1 * (rank + 1)));
    const whole = await group.sum(Int32Array.of(2 ** 30, rank));
    const bytes = await group.sum(Uint8Array.of(200, 1));
    const given = { rank, of: new Map([[1, Float32Array.of(rank)]]), text: "x".repeat(5000 * rank) };
    const all = await group.gather(given);
    await group.barrier();
    const last = await group.broadcast(rank === size - 1 ? { big: "y".repeat(3000) } : null, size - 1);
    report({
      sum: [sum[1], sum[4999]],
      doubles: doubles[0],
      whole: [...whole],
      bytes: [...bytes],
      all: all.map(({ rank, of, text }) => [rank, of.get(1)[0], text.length]),
      last: last.big.length,
      refused: await group.sum([1]).catch((error) => error.name),
      rank: await group.broadcast(1, size).catch((error) => error.message),
    });
  },

  async wire() {
    manualSeed(0);
    const net = new nn.Sequential(
      ...Array.from({ length: 8 }, () => new nn.Linear(6, 6)),
      new nn.Linear(6, 2),
    );
    const step = trainStep(new optim.Adam(net), {
      loss: (_, x) => net.forward(x).pow(2).mean(),
      trains: (which) => which,
      group,
    });
    const counts = [];
    for (const which of ["8.**", "8.**", "7.bias", "8.**", "8.weight[:1]", "7.bias", "8.**"]) {
      const before = group.sent;
      await step(which, rand([4, 6]));
      counts.push([group.sent.sums - before.sums, group.sent.messages - before.messages]);
    }
    report({ counts });
  },

  async reach() {
    // Rank 0's loss reaches the first layer, rank 1's the second, at the second call nobody's the first.
    const made = stepOf();
    const steps = [];
    for (const [s, task] of [
      [0, rank === 0 ? "task1" : "task2"],
      [1, "task2"],
      [2, rank === 0 ? "task1" : "task2"],
    ]) {
      await made.step(...batchOf(rank, s, task));
      steps.push(
        ["hiddenTask1", "hiddenTask2", "output"].map(
          (name) => made.optimizer.state.get(made.net[name].weight)?.step ?? 0,
        ),
      );
    }
    // A number, which says nothing of what is reached until it is recorded, decides between the layers.
    const numbered = stepOf({
      loss: (which, x, u, y) =>
        which > 0.5
          ? crossEntropy(numbered.net.forward(x, "task1"), y)
          : crossEntropy(numbered.net.forward(u, "task2"), y),
    });
    for (let s = 0; s < 6; s++) {
      const [, x, y] = batchOf(rank, s, "task1");
      await numbered.step((s + (s > 2 ? rank : 0)) % 2, x, batchOf(rank, s, "task2")[1], y);
    }
    const counted = ["hiddenTask1", "hiddenTask2", "output"].map(
      (name) => numbered.optimizer.state.get(numbered.net[name].weight)?.step ?? 0,
    );
    const used = stepOf({ average: "used", trains: ["hiddenTask1.**", "output.bias"] });
    const sgd = new optim.SGD(used.net, { lr: 1 });
    const before = [...(await used.net.hiddenTask1.weight.data())];
    const step = trainStep(sgd, {
      loss: lossOf(used.net),
      trains: ["hiddenTask*.**"],
      group,
      average: "used",
    });
    const [task, x, y] = batchOf(0, 0, rank === 0 ? "task1" : "task2");
    await step(task, x, y);
    const alone = networkOf(1);
    const reference = new optim.SGD(alone, { lr: 1 });
    await trainStep(reference, { loss: lossOf(alone), trains: "hiddenTask1.**" })(...batchOf(0, 0, "task1"));
    report({
      steps,
      counted,
      alike:
        (await alike(made)) && (await alike(numbered)) && (await alike({ net: used.net, optimizer: sgd })),
      used:
        JSON.stringify([...(await used.net.hiddenTask1.weight.data())]) ===
        JSON.stringify([...(await alone.hiddenTask1.weight.data())]),
      moved: JSON.stringify(before) !== JSON.stringify([...(await used.net.hiddenTask1.weight.data())]),
    });
  },

  async samples() {
    // A last batch of 3 rows on rank 0, and of 1 on each other; one process sees all rows.
    const rows = (r) => (r === 0 ? 3 : 1);
    const data = (r) => {
      manualSeed(50 + r);
      return [
        rand([rows(r), 3]),
        tensor(
          Array.from({ length: rows(r) }, (_, i) => (i + r) % 4),
          { dtype: "i32" },
        ),
      ];
    };
    const all = Array.from({ length: size }, (_, r) => data(r));
    const total = all.reduce((sum, [x]) => sum + x.shape[0], 0);
    const [together, alone] = [networkOf(2), networkOf(2)];
    const sgd = (net) => new optim.SGD(net, { lr: 1 });
    const trains = ["output.**", "hiddenTask1.**"];
    const options = { loss: lossOf(together), trains, group, samples: (_, x) => x.shape[0] };
    const step = trainStep(sgd(together), options);
    const whole = trainStep(sgd(alone), { loss: lossOf(alone), trains });
    for (let s = 0; s < 3; s++) {
      await step("task1", ...data(rank));
      const weights = all.map(([x]) => x.shape[0] / total);
      await whole.together(
        all.map(([x, y]) => ["task1", x, y]),
        { weights },
      );
    }
    const numbers = async (net) => [
      ...(await net.output.weight.data()),
      ...(await net.hiddenTask1.weight.data()),
    ];
    const [mine, expected] = [await numbers(together), await numbers(alone)];
    const explained = step.explain("task1", ...data(rank)).parameters.map((p) => [p.path, p.sentBytes]);
    report({ off: Math.max(...mine.map((x, i) => Math.abs(x - expected[i]))), explained });
  },

  /** Calls that do not go together, and what they leave. */
  async apart() {
    const found = {};
    // An accumulating call of rank 1 moves what is frozen; rank 0 hears of it where the round ends.
    const writes = async (how, call) => {
      const net = networkOf(3);
      const optimizer = new optim.AdamW(net, { lr: 0.01 });
      const step = trainStep(optimizer, {
        loss: (task, x, y, what) => {
          if (what === "moves") net.hiddenTask2.weight.assign(net.hiddenTask2.weight.mul(0.5));
          if (what === "throws") throw new RangeError("in the middle of a round");
          return crossEntropy(net.forward(x, task), y);
        },
        trains: ["output.**"],
        accumulate: 3,
        verify: true,
        group,
      });
      const kept = net.hiddenTask2.weight.clone();
      const at = { net, optimizer };
      for (let s = 0; s < 3; s++) await step(...batchOf(rank, s, "task1"), "reads");
      const before = await digest(at);
      if (rank === 1) {
        found[how] = await failing(net, optimizer, () => step(...batchOf(rank, 3, "task1"), how));
        net.hiddenTask2.weight.assign(kept);
      } else {
        for (let s = 3; s < 5; s++) await step(...batchOf(rank, s, "task1"), "reads");
        found[how] = await failing(
          net,
          optimizer,
          call ?? (() => step(...batchOf(rank, 5, "task1"), "reads")),
        );
      }
      found[how].same = before === (await digest(at));
      // Each makes the calls of its round that are left: the one that failed had begun the same one.
      const made = rank === 0 ? 5 : how === "throws" ? 3 : 4;
      for (let s = made; s < 6; s++) await step(...batchOf(rank, s, "task1"), "reads");
      found[how].alike = await alike(at);
    };
    await writes("moves");
    await writes("throws", () => group.barrier());
    // Rank 1 fails in a step, while rank 0 is in something else.
    const alone = stepOf();
    await alone.step(...batchOf(rank, 0, "task1"));
    found.alone = await failing(alone.net, alone.optimizer, () =>
      rank === 0 ? group.gather(1) : alone.step("task1", rand([2, 7]), batchOf(1, 0, "task1")[2]),
    );
    // A step that one rank alone calls; and another one than the other rank's.
    found.barrier = await failing(alone.net, alone.optimizer, () =>
      rank === 0 ? alone.step(...batchOf(0, 1, "task1")) : group.barrier(),
    );
    const second = stepOf();
    await second.step(...batchOf(rank, 0, "task1"));
    found.other = await failing(alone.net, alone.optimizer, () =>
      (rank === 0 ? alone : second).step(...batchOf(rank, 1, "task1")),
    );
    found.nested = [
      await failing(alone.net, alone.optimizer, () => distributed.startRanks("x", { ranks: 2 })),
      await failing(alone.net, alone.optimizer, () =>
        distributed.runMpi(["x"], { ranks: 2, restarts: 0, timeout: 1, mpirun: "mpirun" }),
      ),
    ].map(({ error, message }) => [error, message]);
    report({ ...found, again: (await alike(alone)) && (await alike(second)) });
  },

  /** What ranks must have alike, and have not. */
  async unlike() {
    const found = {};
    const attempt = async (name, make) => {
      const { net, optimizer, options } = make();
      const step = trainStep(optimizer, {
        loss: (x) => net.forward(x).square().mean(),
        trains: "**",
        group,
        ...options,
      });
      found[name] = await failing(net, optimizer, () => step(rand([2, 3])));
      return { net, optimizer, step };
    };
    class Scale extends nn.Module {
      linear = new nn.Linear(3, 2);
      scale;
      constructor(dtype) {
        super();
        this.scale = new Parameter(ones([2]).to(dtype));
      }
      forward(x) {
        return this.linear.forward(x).mul(this.scale.to("f32"));
      }
    }
    const linear = (more) => {
      manualSeed(4);
      return new nn.Sequential(new nn.Linear(3, 2, more));
    };
    const sgd = (net, options) => new optim.SGD(net, { lr: 0.1, ...options });
    await attempt("optimizer", () => {
      const net = linear();
      return { net, optimizer: rank === 1 ? new optim.Adam(net) : sgd(net) };
    });
    await attempt("dtype", () => {
      const net = new Scale(rank === 1 ? "f64" : "f32");
      return { net, optimizer: sgd(net) };
    });
    await attempt("path", () => {
      const net = linear({ bias: rank === 0 });
      return { net, optimizer: sgd(net) };
    });
    await attempt("momentum", () => {
      const net = linear();
      return { net, optimizer: sgd(net, { momentum: rank === 1 ? 0.8 : 0.9 }) };
    });
    await attempt("average", () => {
      const net = linear();
      return { net, optimizer: sgd(net), options: { ema: new optim.EMA(net, { decay: 0.9 + rank / 100 }) } };
    });
    // A rate that a schedule of one rank alone has changed, in the middle of training.
    const made = await attempt("fine", () => {
      const net = linear();
      return { net, optimizer: sgd(net) };
    });
    if (rank === 1) made.optimizer.paramGroups[0].lr = 0.05;
    found.rate = await failing(made.net, made.optimizer, () => made.step(rand([2, 3])));
    made.optimizer.paramGroups[0].lr = 0.05;
    await made.step(rand([2, 3]));
    found.alike = await alike(made);
    report(found);
  },

  /** What an audit says of a step of several ranks, beside that of one process with all their data. */
  async audited() {
    const train = async (more, call) => {
      const net = networkOf(5);
      const optimizer = new optim.AdamW(net, { lr: 0.01, weightDecay: 0.1 });
      const trains = (task) => ["output.**", task === "task1" ? "hiddenTask1.**" : "hiddenTask2.**"];
      const step = trainStep(optimizer, { loss: lossOf(net), trains, ...more });
      const watched = audit(step);
      for (let s = 0; s < 3; s++) await call(step, s);
      return watched.report().parameters;
    };
    const taskOf = (r, s) => ((r + s) % 3 === 0 ? "task2" : "task1");
    const calls = (s) => Array.from({ length: size }, (_, r) => batchOf(r, s, taskOf(r, s)));
    const mine = await train({ group }, (step, s) => step(...calls(s)[rank]));
    const weights = Array(size).fill(1 / size);
    const alone = await train({}, (step, s) => step.together(calls(s), { weights }));
    const told = JSON.stringify(mine);
    report({ mine, alone, alike: new Set(await group.gather(told)).size === 1 });
  },

  /** A step that needs more memory than there is, on one rank. */
  async memory() {
    const net = new nn.Linear(4, 4);
    const optimizer = new optim.SGD(net, { lr: 0.1 });
    const step = trainStep(optimizer, {
      loss: (rows) =>
        net
          .forward(rand([rows, 4]))
          .square()
          .mean(),
      trains: "**",
      start: "broadcast",
      group,
    });
    await step(8);
    const found = await failing(net, { parts: () => [] }, () => step(rank === 1 ? 2 ** 29 : 8));
    await step(8);
    report({ ...found, alike: await alike({ net, optimizer }) });
  },

  /** What a thread that a rank starts finds. */
  async inner() {
    const { Worker } = await import("node:worker_threads");
    const program = `
      import { parentPort } from "node:worker_threads";
      import { distributed } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
      let found;
      try { found = distributed.group().size; } catch (error) { found = error.name + ": " + error.message; }
      parentPort.postMessage(found);`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
    const [found] = await Promise.race([once(worker, "message"), once(worker, "error")]);
    report({ found: String(found) });
  },

  /** What rank 1 alone has under freeze() moves by rank 0's gradients, as in one process where only its batch trains it. */
  async withholds() {
    const held = ["hiddenTask1.weight", "output.weight[1:3]"];
    const open = ["output.weight[:1]", "output.weight[3:]", "output.bias"];
    const options = { frozenAlone: "withhold", clipNorm: 0.1, average: "ranks", verify: true };
    const net = networkOf(2);
    const optimizer = new optim.AdamW(net, { lr: 0.01, weightDecay: 0.1 });
    const ema = new optim.EMA(net, { decay: 0.5 });
    const step = trainStep(optimizer, { loss: lossOf(net), trains: "**", group, ema, ...options });
    const alone = networkOf(2);
    const reference = new optim.AdamW(alone, { lr: 0.01, weightDecay: 0.1 });
    const both = trainStep(reference, {
      loss: (task, x, y, _) => crossEntropy(alone.forward(x, task), y),
      trains: (_task, _x, _y, who) => (who === "free" ? "**" : open),
      clipNorm: 0.1,
    });
    for (let s = 0; s < 3; s++) {
      const call = () => step(...batchOf(rank, s, "task1"));
      await (rank === 1 ? freeze(net, held, call) : call());
      const calls = Array.from({ length: size }, (_, r) => [
        ...batchOf(r, s, "task1"),
        r === 1 ? "held" : "free",
      ]);
      await both.together(calls, { weights: calls.map(() => 1 / size) });
    }
    const same = await alike({ net, optimizer });
    const [mine, expected] = [await numbersOf(net, optimizer), await numbersOf(alone, reference)];
    const off = Object.keys(mine)
      .filter((name) => name.split(" ").length === 1)
      .map((name) => Math.max(...mine[name].map((x, i) => Math.abs(x - expected[name][i]))));
    const averages = JSON.stringify(
      await Promise.all(Object.values(ema.stateDict().averages).map(async (t) => [...(await t.data())])),
    );
    const rows = step.report().parameters.map((p) => [p.path, p.timesStepped, p.bitsChangedWhileFrozen]);
    // A rank that holds everything gives nothing, and takes what the others give.
    const before = JSON.stringify(await numbersOf(net, optimizer));
    const all = () => step(...batchOf(rank, 3, "task1"));
    await (rank === 1 ? freeze(net, "**", all) : all());
    const moved = before !== JSON.stringify(await numbersOf(net, optimizer));
    // What all of them hold nobody moves.
    const now = JSON.stringify([...(await net.output.weight.data())]);
    await freeze(net, "output.weight", () => step(...batchOf(rank, 4, "task1")));
    const still = now === JSON.stringify([...(await net.output.weight.data())]);
    const nothing = await failing(net, optimizer, () => freeze(net, "**", all));
    report({
      same: same && (await alike({ net, optimizer })),
      off: Math.max(...off),
      averages: new Set(await group.gather(averages)).size,
      rows,
      moved,
      still,
      nothing,
    });
  },

  /** What verify compares, and what a gathered report says of ranks that differ. */
  async compares() {
    const net = networkOf(3);
    const optimizer = new optim.AdamW(net, { lr: 0.01 });
    const step = trainStep(optimizer, {
      loss: (task, x, y, how) => {
        if (how === "writes") net.hiddenTask2.weight.assign(net.hiddenTask2.weight.mul(0.5));
        return crossEntropy(net.forward(x, task), y);
      },
      trains: (task) => ["output.**", task === "task1" ? "hiddenTask1.**" : "hiddenTask2.**"],
      group,
      verify: true,
    });
    const call = (s, task = "task1", how = "reads") => step(...batchOf(rank, s, task), how);
    for (const [s, task] of ["task2", "task1"].entries()) await call(s, task);
    const found = { alike: (await step.gatheredReport()).parameters.map(({ isAlike }) => isAlike) };
    const kept = net.hiddenTask2.weight.clone();
    // A last bit on rank 1 of what no rank trains now, and then a number of its state.
    if (rank === 1) net.hiddenTask2.weight.assign(kept.mul(1 + 2 ** -22));
    found.parameter = await failing(net, optimizer, () => call(2));
    const apart = await step.gatheredReport();
    found.apart = apart.parameters.filter(({ isAlike }) => !isAlike).map(({ path }) => path);
    found.rows = String(apart)
      .split("\n")
      .map((line) => line.split(/ {2,}/))
      .filter(([path]) => path === "hiddenTask2.weight");
    if (rank === 1) net.hiddenTask2.weight.assign(kept);
    await call(2);
    const dict = optimizer.stateDict();
    const other = optimizer.stateDict();
    other.state["hiddenTask2.weight"].step += rank;
    optimizer.loadStateDict(other);
    found.state = await failing(net, optimizer, () => call(3));
    optimizer.loadStateDict(dict);
    await call(3);
    found.written = await failing(net, optimizer, () => call(4, "task1", rank === 1 ? "writes" : "reads"));
    net.hiddenTask2.weight.assign(kept);
    await call(5);
    report({ ...found, again: await alike({ net, optimizer }) });
  },

  async refusals() {
    const net = networkOf(1);
    const found = {};
    const all = async (name, { net, optimizer, step }, call, ...more) => {
      found[name] = await failing(net, optimizer, call);
      // Where it has failed on one rank it has on all, and they go on together.
      if (more.length === 0) {
        await step(...batchOf(rank, 1, "task1"));
        found[name].alike = await alike({ net, optimizer });
      }
    };
    const frozen = stepOf();
    await all("frozen", frozen, () => {
      const call = () => frozen.step(...batchOf(rank, 0, "task1"));
      return rank === 1 ? freeze(frozen.net, ["output.bias", "output.weight[1:3]"], call) : call();
    });
    const throwing = stepOf();
    await all("throwing", throwing, () => {
      const [task, x, y] = batchOf(rank, 0, "task1");
      return throwing.step(task, rank === 1 ? rand([2, 7]) : x, y);
    });
    const label = stepOf();
    await all("label", label, () => {
      const [task, x, y] = batchOf(rank, 0, "task1");
      return label.step(task, x, rank === 1 ? tensor([1, 9], { dtype: "i32" }) : y);
    });
    const finite = stepOf({ finite: true });
    await all("finite", finite, () => {
      const [task, x, y] = batchOf(rank, 0, "task1");
      return finite.step(task, rank === 1 ? x.mul(Number.NaN) : x, y);
    });
    const selector = stepOf({ trains: (task) => (task === "task2" ? "nothing.**" : "**") });
    await all("selector", selector, () => selector.step(...batchOf(rank, 0, rank === 1 ? "task2" : "task1")));
    const rounds = stepOf({ accumulate: 3 });
    await all(
      "rounds",
      rounds,
      async () => {
        for (let i = 0; i <= rank; i++) await rounds.step(...batchOf(rank, i, "task1"));
        await rounds.step.flush();
      },
      "no more",
    );
    const values = stepOf({}, rank);
    await all("values", values, () => values.step(...batchOf(rank, 0, "task1")), "no more");
    const sent = stepOf({ start: "broadcast" }, rank);
    await all("broadcast", sent, () => sent.step(...batchOf(rank, 0, "task1")));
    const options = stepOf({ clipNorm: rank + 1 });
    await all("options", options, () => options.step(...batchOf(rank, 0, "task1")), "no more");
    const deeper = new nn.Sequential(new nn.Linear(3, 3 + rank));
    const other = new optim.SGD(deeper, { lr: 0.1 });
    const shapes = trainStep(other, { loss: (x) => mseLoss(deeper.forward(x), 0), trains: "**", group });
    await all(
      "shapes",
      { net: deeper, optimizer: other, step: shapes },
      () => shapes(rand([1, 3])),
      "no more",
    );
    found.things = await failing(net, { parts: () => [] }, () =>
      rank === 0 ? group.barrier() : group.gather(1),
    );
    found.again = (await group.gather(rank)).length;
    report(found);
  },

  /** Trains, saves in the middle of a pass, and goes on, or loads what others have saved and goes on. */
  async checkpoint() {
    const [, , , path, how] = process.argv;
    const rows = Array.from({ length: 24 }, (_, i) => [Math.sin(i), Math.cos(i), i / 24]);
    const dataset = new data.TensorDataset(
      tensor(rows),
      tensor(
        rows.map((_, i) => i % 4),
        { dtype: "i32" },
      ),
    );
    const loader = new data.DataLoader(dataset, { batchSize: 6, shuffle: true, group, splitBatches: true });
    const made = stepOf({ trains: ["hiddenTask1.**", "output.weight"] });
    const things = { module: made.net, optimizer: made.optimizer, step: made.step, loader, group };
    const folder = new CheckpointFolder(path);
    manualSeed(5 + rank);
    if (how === "load") folder.load(things);
    const random = getRandomState();
    let count = 0;
    let at = how === "load" ? 2 : 0;
    const draws = [];
    while (at < 8)
      for (const [x, y] of loader) {
        await made.step("task1", x, y);
        count++;
        if (++at === 2 && how === "save") {
          rand([3]);
          folder.save(at, things);
          draws.push(getRandomState());
        }
      }
    report({ random, draws, count, digest: await digest(made) });
  },

  /** What cannot be saved or loaded, on one rank or all. */
  async unsaved() {
    const path = process.argv[3];
    const made = stepOf();
    await made.step(...batchOf(rank, 0, "task1"));
    const found = {};
    const attempt = async (name, call) => {
      found[name] = await failing(made.net, made.optimizer, call);
    };
    const things = { module: made.net, optimizer: made.optimizer, group };
    await attempt("full", () => save(`${path}/none/file`, things));
    await attempt("steps", () => new CheckpointFolder(path).save(1 + rank, things));
    await attempt("part", () => save(`${path}/part`, { ...things, ...(rank === 1 && { other: 3 }) }));
    save(`${path}/whole`, things);
    await made.step(...batchOf(rank, 1, "task1"));
    save(`${path}/later`, things);
    await attempt("missing", () => load(rank === 1 ? `${path}/missing` : `${path}/whole`, things));
    await attempt("different", () => load(`${path}/${rank === 1 ? "later" : "whole"}`, things));
    const sgd = new optim.SGD(made.net, { lr: 1 });
    await attempt("kind", () => load(`${path}/whole`, { ...things, ...(rank === 1 && { optimizer: sgd }) }));
    await attempt("things", () =>
      load(`${path}/whole`, { ...things, optimizer: rank === 1 ? undefined : made.optimizer }),
    );
    load(`${path}/whole`, things);
    found.alike = await alike(made);
    const rounds = stepOf({ accumulate: 2 });
    await rounds.step(...batchOf(rank, 0, "task1"));
    await attempt("round", () =>
      save(`${path}/round`, { module: rounds.net, optimizer: rounds.optimizer, step: rounds.step, group }),
    );
    report(found);
  },

  /** Folders of checkpoints that are not the same on all ranks, as on machines with disks of their own. */
  async folders() {
    const [own, other, none] = ["own", "other", "none"].map((name) => `${process.argv[3]}/${name}`);
    const made = stepOf();
    const things = { module: made.net, optimizer: made.optimizer, group };
    const digests = [];
    for (let s = 1; s <= 3; s++) {
      await made.step(...batchOf(rank, s, "task1"));
      new CheckpointFolder(own).save(s, things);
      digests.push(await digest(made));
    }
    if (rank === 0) {
      cpSync(own, other, { recursive: true });
      const last = `${other}/checkpoint-00000003.safetensors`;
      const bytes = readFileSync(last);
      bytes[bytes.length - 100] ^= 1;
      writeFileSync(last, bytes);
    }
    await group.barrier();
    const warned = [];
    console.warn = (text) => warned.push(text);
    const { step } = new CheckpointFolder(rank === 1 ? other : own).load(things);
    const same = digests.indexOf(await digest(made)) + 1;
    const missing = await failing(made.net, made.optimizer, () =>
      new CheckpointFolder(rank === 1 ? none : own).load(things),
    );
    const neither = new CheckpointFolder(none).load(things);
    report({
      step,
      same,
      warned: warned.map((text) => text.split(": ").slice(1).join(": ")),
      missing,
      neither,
    });
  },

  /** One rank ends in some way while the others train on; what they are told. */
  async fault() {
    const how = process.argv[3];
    const made = stepOf();
    for (let s = 0; s < 3; s++) await made.step(...batchOf(rank, s, "task1"));
    report({ ready: rank });
    if (rank === 1) {
      if (how === "throws") throw new TypeError("what rank 1 says");
      if (how === "exits") process.exit(3);
      if (how === "returns") return;
      if (how === "stalls") for (;;);
      // As the system ends what takes too much memory, and as a machine that is cut off looks to the others.
      if (how === "is killed") process.kill(process.pid, "SIGKILL");
      if (how === "is stopped") process.kill(process.pid, "SIGSTOP");
    }
    try {
      for (let s = 3; ; s++) {
        if (how === "aborts" && rank === 1 && s === 5) group.abort("rank 1 has had enough");
        await made.step(...batchOf(rank, s, "task1"));
      }
    } catch (error) {
      report({ error: error.name, rank: error.rank, message: error.message });
      throw error;
    }
  },

  async restarts() {
    const made = stepOf();
    await made.step(...batchOf(rank, 0, "task1"));
    if (group.restarts < 2 && rank === group.restarts) throw new RangeError(`attempt ${group.restarts}`);
    report({ restarts: group.restarts, args: process.argv.slice(2), step: crossEntropy.name });
  },
};

await scenes[process.argv[2]]();
