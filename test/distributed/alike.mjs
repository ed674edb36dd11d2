import {
  Generator,
  GroupError,
  manualSeed,
  nn,
  optim,
  rand,
  randn,
  tensor,
  trainStep,
} from "../../dist/index.js";
import { batchOf, group, lossOf, networkOf, numbersOf, report } from "./network.mjs";

// What two ranks must have alike, and stay alike in: each check by its name, with what came of it.

const { rank } = group;
console.warn = () => {};

const digestOf = async (net, optimizer) => JSON.stringify(await numbersOf(net, optimizer));
const isAlike = async (value) => new Set(await group.gather(value)).size === 1;

/** What a call gives, or what its error says. */
const attempt = async (call) => {
  try {
    return { ok: await call() };
  } catch ({ name, message }) {
    return { error: name, message };
  }
};

/** A network with a step, and some calls of it from `from` on. */
function made({ options = {}, seed = 1, make = (net) => new optim.AdamW(net, { lr: 0.01 }) } = {}) {
  const net = networkOf(seed);
  const optimizer = make(net);
  const more = typeof options === "function" ? options(net) : options;
  const step = trainStep(optimizer, { loss: lossOf(net), trains: "**", module: net, group, ...more });
  const calls = async (from, to, task = "task1") => {
    for (let s = from; s < to; s++) await step(...batchOf(rank, s, task));
    return "ran";
  };
  return { net, optimizer, step, calls };
}

/** Makes calls, and says what came of them and whether ranks are alike then. */
async function tried(at, call = () => at.calls(0, 3)) {
  const came = await attempt(call);
  return { ...came, alike: await isAlike(await digestOf(at.net, at.optimizer)) };
}

const checks = {
  /** A layer goes, and comes back: it trains again, and what stood in its place does not move. */
  async "there and back"() {
    const at = made();
    await at.calls(0, 2);
    const first = at.net.output;
    manualSeed(7);
    const second = new nn.Linear(3, 4);
    at.net.output = second;
    at.optimizer.addParamGroup({ params: second });
    await at.calls(2, 4);
    const bits = async () => Promise.all([first, second].map(async (one) => String(await one.weight.data())));
    const before = await bits();
    at.net.output = first;
    await at.calls(4, 6);
    const now = await bits();
    return { moved: now.map((each, i) => each !== before[i]) };
  },

  /** A layer that comes in the middle of training, with values of each rank's own. */
  async "new in the module"() {
    const found = {};
    for (const start of ["same", "broadcast"]) {
      const at = made({ options: { start } });
      await at.calls(0, 2);
      manualSeed(7 + rank);
      at.net.output = new nn.Linear(3, 5);
      at.optimizer.addParamGroup({ params: at.net.output });
      found[start] = await tried(at, () => at.calls(2, 4));
    }
    const alone = made({ options: { trains: "hidden*.**" } });
    await alone.calls(0, 2);
    if (rank === 1) alone.net.output = new nn.Linear(3, 4);
    found.alone = await attempt(() => alone.calls(2, 4));
    return found;
  },

  /** Groups of as many parameters each, which are others. */
  async groups() {
    const make = (net) => {
      const layers = [net.hiddenTask1.weight, net.hiddenTask2.weight];
      if (rank === 1) layers.reverse();
      return new optim.SGD([
        { params: [layers[0]], lr: 0.1 },
        { params: [layers[1]], lr: 0.5 },
      ]);
    };
    return tried(made({ make, options: { trains: "hidden*.**" } }));
  },

  /** Optimizer state that one rank alone has at the start, and what one rank alone has said of it. */
  async state() {
    const found = {};
    for (const start of ["same", "broadcast"]) {
      const net = networkOf(1);
      const optimizer = new optim.AdamW(net, { lr: 0.01 });
      if (rank === 0) {
        const kept = new Map(
          await Promise.all(net.namedParameters().map(async ([path, p]) => [path, tensor(await p.data())])),
        );
        const lone = trainStep(optimizer, {
          loss: lossOf(net),
          trains: ["output.bias", "output.weight[:2]"],
        });
        for (let s = 0; s < 3; s++) await lone(...batchOf(0, s, "task1"));
        for (const [path, p] of net.namedParameters()) p.assign(kept.get(path).reshape(p.shape));
      }
      const step = trainStep(optimizer, { loss: lossOf(net), trains: "**", group, start });
      const calls = async () => {
        for (let s = 0; s < 3; s++) await step(...batchOf(rank, s, "task1"));
        return optimizer.parts(net.output.bias)[0].state.step;
      };
      found[start] = await tried({ net, optimizer }, calls);
    }
    const policies = made();
    if (rank === 1) policies.optimizer.setStatePolicy(policies.net.hiddenTask1, { state: "reset" });
    found.policies = await tried(policies);
    return found;
  },

  async averages() {
    const found = {};
    const averaged = (seed, options, start = "same") => {
      let ema;
      const more = (net) => ({ start, ema: (ema = new optim.EMA(net, { decay: 0.5, ...options })) });
      const at = made({ seed, options: more });
      return { ...at, ema };
    };
    const averageOf = async ({ net, ema }) =>
      String(await Promise.all(net.parameters().map((p) => ema.average.get(p).data())));
    found.options = await tried(averaged(1, { frozen: rank === 1 ? "track" : "hold" }));
    const began = averaged(1 + rank, {}, "broadcast");
    found.broadcast = { ...(await tried(began)), average: await isAlike(await averageOf(began)) };
    const decay = averaged(1, {});
    await decay.calls(0, 1);
    decay.ema.decay = rank === 1 ? 0.9 : 0.8;
    found.decay = await tried(decay, () => decay.calls(1, 2));
    return found;
  },

  /** A hook that leaves a parameter out, on all ranks and on one. */
  async hooks() {
    const without = (isSo) => ({ gradients: (path) => (path === "output.bias" && isSo ? null : undefined) });
    const all = made({ options: without(true) });
    const noise = (options) => ({
      gradients: (_, gradient) => gradient.add(randn(gradient.shape, options).mul(0.1)),
    });
    const drawn = made({ options: noise({}) });
    const same = made({ options: noise({ generator: new Generator(5) }) });
    return {
      drawn: await tried(drawn, () => {
        const batch = batchOf(rank, 0, "task1");
        manualSeed(50 + rank);
        return drawn.step(...batch);
      }),
      same: await tried(same),
      all: { ...(await tried(all)), state: all.optimizer.state.has(all.net.output.bias) },
      one: await tried(made({ options: without(rank === 1) })),
    };
  },

  /** Layers that sum over ranks, in tasks that ranks do not come to at the same time, and modes that they change between. */
  async layers() {
    class Net extends nn.Module {
      first = new nn.Linear(3, 4);
      norm = new nn.SyncBatchNorm(4);
      task1 = new nn.Linear(4, 2);
      task2 = new nn.Linear(4, 2);
      forward(x, task) {
        return this[task].forward(this.norm.forward(this.first.forward(x)));
      }
    }
    manualSeed(3);
    const net = new Net();
    const optimizer = new optim.SGD(net, { lr: 0.1 });
    const step = trainStep(optimizer, {
      loss: (task, x) => net.forward(x, task).sin().mean(),
      trains: "**",
      group,
    });
    const came = [];
    for (const [tasks, mode] of [
      [["task1", "task1"], "train"],
      [["task1", "task2"], "train"],
      [["task2", "task2"], "eval"],
      [["task1", "task2"], "train"],
      [["task2", "task1"], "eval"],
      [["task2", "task1"], "train"],
    ]) {
      net[mode]();
      manualSeed(20 + 2 * came.length + rank);
      came.push(await attempt(() => step(tasks[rank], rand([2, 3])).then(() => "ran")));
    }
    return { came, alike: await isAlike(await digestOf(net, optimizer)) };
  },

  /** Rows of a table that a rank looks up are shortened, on all ranks, where all of them train it. */
  async tables() {
    const table = (options = {}) => {
      manualSeed(3);
      const net = new nn.Embedding(6, 3, { maxNorm: 0.5 });
      const optimizer = new optim.SGD(net, { lr: 0.1 });
      const step = trainStep(optimizer, {
        loss: (x) => net.forward(x).sum(),
        trains: "**",
        group,
        ...options,
      });
      const call = () => step(tensor([rank, 5 - rank], { dtype: "i32" }));
      return { net, optimizer, call };
    };
    const [summed, accumulating] = [table(), table({ accumulate: 2 })];
    const came = await tried(summed, () => summed.call().then(() => "ran"));
    const rows = await summed.net.weight.data();
    // Half of a gradient of 1 for each row that one of two ranks looks up, at a rate of 0.1.
    const lengths = Array.from({ length: 6 }, (_, i) =>
      Math.hypot(...rows.slice(3 * i, 3 * i + 3).map((x) => x + (i === 2 || i === 3 ? 0 : 0.05))),
    );
    return { ...came, lengths, accumulating: await attempt(accumulating.call) };
  },

  /** A step that one rank calls for the first time, while the other calls one that both have called; and two new ones. */
  async steps() {
    const [old, first, second] = [made(), made(), made()];
    await old.calls(0, 1);
    const found = {
      old: await attempt(() => (rank === 0 ? first : old).calls(0, 1)),
      other: await attempt(() => (rank === 0 ? first : second).calls(0, 1)),
    };
    await first.calls(0, 1);
    return { ...found, alike: await isAlike(await digestOf(first.net, first.optimizer)) };
  },

  /** The mean over ranks that used it, of rows that each rank has of its own, and of one that both have. */
  async rows() {
    const trains = (r) => (r === 0 ? "output.weight[:3]" : "output.weight[2:]");
    const make = (net) => new optim.SGD(net, { lr: 1 });
    const at = made({ make, options: { trains: () => trains(rank), average: "used" } });
    const before = await at.net.output.weight.data();
    await at.calls(0, 1);
    const moved = [];
    for (const r of [0, 1]) {
      const net = networkOf(1);
      const step = trainStep(new optim.SGD(net, { lr: 1 }), { loss: lossOf(net), trains: trains(r) });
      await step(...batchOf(r, 0, "task1"));
      moved.push((await net.output.weight.data()).map((x, i) => x - before[i]));
    }
    const now = await at.net.output.weight.data();
    const users = before.map((_, i) => (i >= 6 && i < 9 ? 2 : 1));
    const off = now.map((x, i) => Math.abs(x - before[i] - (moved[0][i] + moved[1][i]) / users[i]));
    return { off: Math.max(...off) };
  },

  /** A step that is made when statistics of batches are each rank's own. */
  async statistics() {
    manualSeed(3);
    const norm = new nn.BatchNorm1d(4);
    const net = new nn.Sequential(new nn.Linear(3, 4), norm);
    const optimizer = new optim.SGD(net, { lr: 0.1 });
    const options = { loss: (x) => net.forward(x).sin().mean(), group };
    const [first, second] = [
      trainStep(optimizer, { ...options, trains: "**" }),
      trainStep(optimizer, { ...options, trains: "0.**" }),
    ];
    const call = (step, s) => {
      manualSeed(20 + 2 * s + rank);
      return step(rand([4, 3]));
    };
    await call(first, 0);
    const own = !(await isAlike(String(await norm.runningMean.data())));
    return { own, ...(await tried({ net, optimizer }, () => call(second, 1).then(() => "ran"))) };
  },

  /** What is refused on one rank before it meets the others, and what comes after that. */
  async refused() {
    const held = (path) => path === "hiddenTask2.weight";
    let freezes = held;
    const at = made({ options: { freezes: (path) => freezes(path) } });
    await at.calls(0, 1);
    const once = async (call) => [await attempt(call), await attempt(() => at.calls(1, 2))];
    const found = {
      calls: await once(() => at.step.together(rank === 1 ? [] : [batchOf(rank, 1, "task1")])),
    };
    freezes = (path) => {
      if (rank === 1) throw new RangeError("a selector of its own");
      return held(path);
    };
    found.freezes = [await attempt(() => at.calls(1, 2))];
    freezes = held;
    const throwing = made({
      options: (net) => ({
        loss: (task, x, y) => {
          if (rank === 1) throw new GroupError("of the loss");
          return lossOf(net)(task, x, y);
        },
      }),
    });
    found.loss = [await attempt(() => throwing.calls(0, 1))];
    found.sum = [
      await attempt(() => group.sum(rank === 1 ? null : Float32Array.of(1))),
      await attempt(async () => [...(await group.sum(Float32Array.of(5)))]),
    ];
    return { ...found, alike: await isAlike(await digestOf(at.net, at.optimizer)) };
  },

  /** Values that ranks do not give alike, and what is no plain data. */
  async values() {
    const net = new nn.Linear(1, 1);
    return {
      dtypes: await attempt(() => group.sum(rank === 0 ? Float32Array.of(1, 2) : Float64Array.of(1))),
      from: await attempt(() => group.broadcast(`of ${rank}`, rank)),
      tensor: await attempt(() => group.gather({ list: [new Map([["a", tensor([1])]])] })),
      module: await attempt(() => group.broadcast(net)),
      fine: await attempt(() => group.gather({ a: [1, new Map([["b", Float64Array.of(rank)]])] })),
    };
  },
};

const found = {};
for (const [name, check] of Object.entries(checks)) found[name] = await check();
report(found);
