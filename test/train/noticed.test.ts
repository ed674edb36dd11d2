import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { currentBackend } from "../../src/backends/registry.ts";
import { planCounts } from "../../src/engine/index.ts";
import { watchAssignments } from "../../src/engine/trace.ts";
import * as nn from "../../src/nn/index.ts";
import { AdamW, SGD } from "../../src/optim/index.ts";
import {
  Buffer,
  capture,
  manualSeed,
  noGrad,
  ones,
  Parameter,
  randn,
  type Tensor,
  tensor,
  zeros,
} from "../../src/tensor/index.ts";
import { trainStep } from "../../src/train/index.ts";

/** What a recorded function depends on, and what happens when that changes between its calls. */

let warned: string[] = [];
beforeEach(() => {
  warned = [];
  vi.spyOn(console, "warn").mockImplementation((...words) => void warned.push(words.join(" ")));
});
afterEach(() => vi.restoreAllMocks());

class Net extends nn.Module {
  body = new nn.Linear(2, 2);
  head: nn.Linear | null = new nn.Linear(2, 1);
  blocks = [new nn.Linear(2, 2), new nn.Linear(2, 2)];
  list = new nn.ModuleList([new nn.Linear(2, 2)]);
  dict = new nn.ModuleDict<Record<string, nn.Linear>>({ a: new nn.Linear(2, 2) });
  norm = new nn.LayerNorm(2);
  scale = 1;
  options = { shift: 0 };
  activation = (x: Tensor): Tensor => x.tanh();
  extra?: nn.Linear;
  rows = [[new nn.Linear(2, 2)]];

  forward(x: Tensor): Tensor {
    x = this.activation(this.body.forward(x)).mul(this.scale).add(this.options.shift);
    for (const block of this.blocks) x = block.forward(x);
    for (const layer of this.list) x = layer.forward(x);
    for (const [, layer] of this.dict.entries()) x = layer.forward(x);
    x = this.norm.forward(x);
    for (const row of this.rows) for (const layer of row) x = layer.forward(x);
    if (this.extra !== undefined) x = this.extra.forward(x);
    return this.head === null ? x.sum() : this.head.forward(x).sum();
  }
}

const linear = (): nn.Linear => new nn.Linear(2, 2);
const x = tensor([
  [1, 2],
  [3, 5],
]);

const changes: Readonly<Record<string, (net: Net) => void>> = {
  "a module in an array in an array": (net) => {
    net.rows[0]!.push(linear());
  },
  "a module in another's place": (net) => {
    net.body = linear();
  },
  "a module that was there before in another's place": (net) => {
    [net.body, net.blocks[0]] = [net.blocks[0]!, net.body];
  },
  "a parameter in another's place": (net) => {
    net.body.weight = new Parameter(randn([2, 2]));
  },
  "two parameters that change places": (net) => {
    const [a, b] = [net.body.weight, net.blocks[1]!.weight];
    [net.body.weight, net.blocks[1]!.weight] = [b, a];
  },
  "a tied parameter": (net) => {
    net.body.weight = net.blocks[0]!.weight;
  },
  "a module taken away": (net) => {
    net.head = null;
  },
  "a field deleted": (net) => {
    net.extra = linear();
    net.forward(x);
    delete net.extra;
    net.head = null;
  },
  "a field added": (net) => {
    net.extra = linear();
  },
  "an element of an array": (net) => {
    net.blocks[1] = linear();
  },
  "an element of an array more": (net) => {
    net.blocks.push(linear());
  },
  "an element of an array less": (net) => {
    net.blocks.pop();
  },
  "a module in a ModuleList": (net) => {
    net.list.append(linear());
  },
  "a module in a ModuleDict": (net) => {
    net.dict.set("a", linear());
  },
  "a number in a field": (net) => {
    net.scale = 3;
  },
  "a number in an object": (net) => {
    net.options.shift = 2;
  },
  "an option of a layer": (net) => {
    (net.norm as { eps: number }).eps = 0.5;
  },
  "a function in a field": (net) => {
    net.activation = (y) => y.relu();
  },
};

describe("a captured function notices at once", () => {
  test.each(Object.keys(changes))("%s", (name) => {
    const net = new Net();
    const captured = capture((input: Tensor) => net.forward(input));
    const expectSame = (): void =>
      expect(captured(x).dataSync()).toEqual(noGrad(() => net.forward(x)).dataSync());
    // Past the calls that are recorded again whatever has changed.
    for (let i = 0; i < 6; i++) expectSame();
    const before = captured(x).itemSync();
    changes[name]!(net);
    expectSame();
    expect(captured(x).itemSync()).not.toBe(before);
    expectSame();
    expect(warned).toEqual([]);
  });

  test("what changes back, too", () => {
    const net = new Net();
    const captured = capture((input: Tensor) => net.forward(input));
    const [a, b] = [net.body, linear()];
    for (let i = 0; i < 12; i++) {
      net.body = i % 3 === 0 ? b : a;
      expect(captured(x).dataSync()).toEqual(noGrad(() => net.forward(x)).dataSync());
    }
  });

  test("the probability of a dropout", () => {
    const dropout = new nn.Dropout(0);
    const captured = capture((input: Tensor) => dropout.forward(input));
    const big = ones([64]);
    for (let i = 0; i < 4; i++) expect(captured(big).dataSync()).toEqual(big.dataSync());
    dropout.p = 1;
    expect(captured(big).dataSync()).toEqual(new Float32Array(64));
    expect(() => {
      dropout.p = 2;
    }).toThrow("Dropout: p is 2; a probability is from 0 to 1");
    expect(dropout.p).toBe(1);
  });
});

describe("a step", () => {
  test("goes on with the module that is there, and trains what it names of it", async () => {
    class Two extends nn.Module {
      body = new nn.Linear(2, 2);
      head = new nn.Linear(2, 1);
    }
    const net = new Two();
    const optimizer = new SGD(net, { lr: 0.1 });
    const step = trainStep(optimizer, {
      loss: (input: Tensor) => net.head.forward(net.body.forward(input)).square().mean(),
      trains: "**",
      verify: true,
    });
    for (let i = 0; i < 6; i++) await step(x);
    const old = net.head;
    net.head = new nn.Linear(2, 1);
    await expect(step(x)).rejects.toThrow(/trains names head.weight, which the optimizer does not have/);
    optimizer.addParamGroup({ params: net.head });
    const [before, given] = [old.weight.dataSync(), net.head.weight.dataSync()];
    await step(x);
    expect(old.weight.dataSync()).toEqual(before);
    expect(net.head.weight.dataSync()).not.toEqual(given);
  });

  test("reads a frozen layer that was put in another's place", async () => {
    const net = new Net();
    const step = trainStep(new SGD(net, { lr: 0.1 }), {
      loss: (input: Tensor) => net.forward(input).square(),
      trains: "head.**",
    });
    for (let i = 0; i < 6; i++) await step(x);
    net.body = linear();
    const expected = noGrad(() => net.forward(x).square()).itemSync();
    expect(await step(x)).toBe(expected);
  });

  test("follows a forward pass that is assigned to one of its modules, and the class's once that is taken away", async () => {
    const net = new Net();
    const captured = capture((input: Tensor) => net.forward(input));
    const own = net.forward(x).itemSync();
    for (let i = 0; i < 6; i++) expect(captured(x).itemSync()).toBe(own);
    net.forward = (input: Tensor) => input.mul(7).sum();
    expect(captured(x).itemSync()).toBe(x.mul(7).sum().itemSync());
    delete (net as { forward?: unknown }).forward;
    expect(captured(x).itemSync()).toBe(own);
  });
});

describe("recording again", () => {
  /** The calls at which a function is run. */
  const recordedCalls = (calls: number, from = 0): number[] => {
    const found: number[] = [];
    let call = from;
    const captured = capture((input: Tensor) => {
      found.push(call);
      return input.add(1);
    });
    captured.calls = from;
    while (call < calls) {
      call++;
      captured(x);
    }
    expect(captured.calls).toBe(calls);
    return found;
  };

  test("is at the 2nd, 3rd, 5th, 9th, 17th call and so on, and every 512 calls", () => {
    expect(recordedCalls(1600)).toEqual([1, 2, 3, 5, 9, 17, 33, 65, 129, 257, 513, 1025, 1537]);
  });

  test("goes on where it was when the count is put back", () => {
    expect(recordedCalls(600, 100)).toEqual([101, 129, 257, 513]);
  });

  test("is the call: random numbers, buffers and effects are those of one run", () => {
    const made = () => {
      manualSeed(3);
      const bn = new nn.BatchNorm1d(2);
      const dropout = new nn.Dropout(0.5);
      return { bn, f: (input: Tensor) => dropout.forward(bn.forward(input)).add(randn([2, 2])) };
    };
    const [one, two] = [made(), made()];
    manualSeed(4);
    const captured = capture(one.f);
    const first = Array.from({ length: 20 }, () => captured(x).dataSync());
    manualSeed(4);
    const second = Array.from({ length: 20 }, () => noGrad(() => two.f(x)).dataSync());
    expect(first).toEqual(second);
    expect(one.bn.numBatchesTracked!.itemSync()).toBe(20);
    expect(one.bn.runningMean!.dataSync()).toEqual(two.bn.runningMean!.dataSync());
  });

  test("follows a number that is closed over, and says so once, with the line and what to do", async () => {
    const layer = new nn.Linear(1, 1, { bias: false });
    nn.init.zeros_(layer.weight);
    let share = 0;
    const step = trainStep(new SGD(layer, { lr: 1 }), {
      loss: (input: Tensor) => layer.forward(input).sum().mul(share),
      trains: "**",
    });
    let sum = 0;
    for (let i = 0; i < 40; i++) {
      share = i / 8;
      sum += share;
      await step(ones([1, 1]));
    }
    expect(layer.weight.itemSync()).toBe(-sum);
    expect(warned).toHaveLength(1);
    expect(warned[0]).toMatch(
      /A number it closes over has changed: 0 became 0\.125 at \S*noticed\.test\.ts:\d+:\d+/,
    );
    expect(warned[0]).toMatch(/best a tensor, as an argument/);
  });

  test("finds at its next turn a number that changes late", () => {
    let k = 1;
    const captured = capture((input: Tensor) => input.mul(k));
    for (let i = 0; i < 20; i++) captured(x);
    k = 3;
    for (let i = 20; i < 32; i++) captured(x);
    expect(captured(x).dataSync()).toEqual(x.mul(3).dataSync());
    k = 4;
    expect(captured(x).dataSync()).toEqual(x.mul(4).dataSync());
    expect(warned).toHaveLength(1);
  });

  test("finds that other tensors are used, and goes on with them", () => {
    const [a, b] = [new Parameter(ones([2])), new Parameter(zeros([2]))];
    let which = a;
    const captured = capture((input: Tensor) => input.add(which));
    captured(x);
    which = b;
    expect(captured(x).dataSync()).toEqual(x.dataSync());
    which = a;
    expect(captured(x).dataSync()).toEqual(x.add(1).dataSync());
    expect(warned).toHaveLength(1);
    expect(warned[0]).toMatch(/It uses other parameters, buffers or data/);
  });

  test("finds that gradients flow through other parts of it, though it computes the same", async () => {
    const net = new nn.Sequential(linear(), new nn.Tanh(), new nn.Linear(2, 1));
    const [body, , head] = net as unknown as [nn.Linear, nn.Tanh, nn.Linear];
    let resting = false;
    const step = trainStep(new SGD(net, { lr: 0.01 }), {
      loss: (input: Tensor) => {
        const forward = (): Tensor => body.forward(input).tanh();
        return head
          .forward(resting ? noGrad(forward) : forward())
          .square()
          .mean();
      },
      trains: "**",
    });
    const moves = async (): Promise<boolean> => {
      const before = body.weight.clone().dataSync();
      await step(x);
      return body.weight.dataSync().some((value, i) => value !== before[i]);
    };
    for (let call = 1; call <= 4; call++) expect(await moves()).toBe(true);
    resting = true;
    // The fifth is recorded again, and each from then on.
    expect([await moves(), await moves()]).toEqual([false, false]);
    expect(warned.filter((words) => words.includes("Gradients flow through other parts of it"))).toHaveLength(
      1,
    );
    resting = false;
    expect([await moves(), await moves()]).toEqual([true, true]);
  });

  test("finds that the same tensors are given in another form, or other plain values", () => {
    let call = 0;
    const plain = capture((input: Tensor) => ({ sum: input.sum(), call }));
    const named = capture((input: Tensor) =>
      call < 3 ? { a: input.sum(), b: input.mean() } : { b: input.sum(), a: input.mean() },
    );
    const nested = capture((input: Tensor) =>
      call < 3 ? [input.sum(), [input.mean()]] : [[input.sum()], input.mean()],
    );
    const calls: number[] = [];
    for (call = 1; call <= 5; call++) {
      calls.push(plain(x).call);
      const [{ a, b }, list] = [named(x), nested(x)];
      const [sum, mean] = call < 3 ? [a, b] : [b, a];
      expect([sum.itemSync(), mean.itemSync()]).toEqual([11, 2.75]);
      expect(Array.isArray(list[0])).toBe(call >= 3);
    }
    expect(calls).toEqual([1, 2, 3, 4, 5]);
    expect(warned.filter((words) => words.includes("It gives other plain values"))).toHaveLength(3);
  });

  test("is of what a buffer holds after the call, where the buffer itself is given", () => {
    const buffer = new Buffer(zeros([1]));
    const captured = capture((by: Tensor) => {
      buffer.add_(by);
      return buffer as Tensor;
    });
    const given = [1, 2, 3].map(() => captured(ones([1])));
    expect(given.map((value) => value.dataSync()[0])).toEqual([1, 2, 3]);
  });

  test("leaves everything as it was where the function now throws", () => {
    const w = new Parameter(ones([1]));
    let broken = false;
    const captured = capture(() => {
      w.assign(w.detach().add(1));
      if (broken) throw new Error("broken");
    });
    captured();
    broken = true;
    for (let i = 0; i < 3; i++) expect(() => captured()).toThrow("broken");
    broken = false;
    captured();
    expect(w.itemSync()).toBe(3);
    expect(captured.calls).toBe(2);
  });

  test("throws where a number turns integers into floats, naming line and cast", () => {
    const ids = tensor([1, 2], { dtype: "i32" });
    const w = new Parameter(zeros([2]));
    let k = 2;
    const captured = capture(() => {
      const scaled = ids.mul(k);
      w.assign(scaled.to("f32"));
      return scaled;
    });
    expect([...captured().dataSync()]).toEqual([2, 4]);
    k = 0.5;
    expect(() => captured()).toThrow(
      /a number at \S*noticed\.test\.ts:\d+:\d+ was 2 when this call was recorded and is 0\.5 now, .* with to\("f32"\)/,
    );
    expect([...w.dataSync()]).toEqual([2, 4]);
    k = 3;
    expect([...captured().dataSync()]).toEqual([3, 6]);
  });

  test("with check, throws at that call, and does nothing", () => {
    const w = new Parameter(zeros([1]));
    let k = 2;
    const captured = capture(() => w.assign(w.detach().add(k)), { check: 1 });
    captured();
    k = 3;
    expect(() => captured()).toThrow(/A number it closes over has changed: 2 became 3 at/);
    expect(w.itemSync()).toBe(2);
    k = 2;
    captured();
    expect(w.itemSync()).toBe(4);
  });
});

describe("a number among the arguments", () => {
  const backend = currentBackend();
  const kernels = (): number => backend.kernelsCompiled();

  test("gives, as an input of the plan, the bits that it gives as a constant", () => {
    manualSeed(9);
    const input = randn([7]);
    const f = (y: Tensor, k: number): Tensor =>
      y
        .mul(k)
        .add(k / 3)
        .sub(1e-3 * k)
        .div(k + 0.7)
        .exp()
        .pow(k > 2 ? k / 2 : 0.3)
        .clamp({ min: k - 5 });
    const captured = capture(f);
    for (const k of [
      0.25,
      -0,
      0,
      1,
      -1,
      2,
      4,
      0.1,
      1e30,
      -1e-30,
      3.7,
      1 / 3,
      Number.POSITIVE_INFINITY,
      Number.NaN,
    ])
      expect(captured(input, k).dataSync(), String(k)).toEqual(f(input, k).dataSync());
  });

  test("that is another at each call makes no plan and no kernel, and fills no memory", async () => {
    const net = new nn.Linear(2, 1);
    const step = trainStep(new AdamW(net, { lr: 1e-3 }), {
      loss: (input: Tensor, share: number) => net.forward(input).square().mean().mul(share),
      trains: "**",
    });
    for (let i = 0; i < 12; i++) await step(x, 0.123 + i);
    const [before, compiled, memory] = [planCounts(), kernels(), backend.memoryInUse()];
    for (let i = 0; i < 600; i++) await step(x, 0.456 + i / 7);
    expect(planCounts()).toEqual(before);
    expect(kernels()).toEqual(compiled);
    // The event loop turns meanwhile, and what earlier tests left is collected.
    expect(backend.memoryInUse()).toBeLessThanOrEqual(memory);
    expect(warned).toEqual([]);
  });

  test("does not make recordings without end", () => {
    const captured = capture((input: Tensor, k: number) => input.mul(k));
    for (let i = 0; i < 1000; i++) captured(x, i + 0.5);
    expect(captured.variants).toBeLessThanOrEqual(256);
    expect(captured(x, 3.5).dataSync()).toEqual(x.mul(3.5).dataSync());
  });

  test("as the weight of a task costs nothing", async () => {
    const net = new nn.Linear(2, 1);
    let recordings = 0;
    const step = trainStep(new SGD(net, { lr: 1e-3 }), {
      loss: (input: Tensor) => {
        recordings++;
        return net.forward(input).square().mean();
      },
      trains: "**",
    });
    const eager = new nn.Linear(2, 1);
    eager.loadStateDict(net.stateDict());
    const plain = new SGD(eager, { lr: 1e-3 });
    for (let i = 0; i < 20; i++) {
      const weights = [1, i / 7];
      await step.together([[x], [x]], { weights });
      plain.zeroGrad();
      const loss = (): Tensor => eager.forward(x).square().mean();
      loss().add(loss().mul(weights[1]!)).backward();
      plain.step();
    }
    expect(recordings).toBe(2 * 6);
    const [a, b] = [net.weight.dataSync(), eager.weight.dataSync()];
    for (const [i, value] of a.entries()) expect(value).toBeCloseTo(b[i]!, 5);
  });
});

test("who watches assignments is told of a recorded one too, and costs no recording by going", () => {
  const weight = new Parameter(zeros([2, 2]));
  let recordings = 0;
  const captured = capture((input: Tensor) => {
    recordings++;
    noGrad(() => weight.copy_(input));
    return input.sum();
  });
  const go = (calls: number): number => {
    const before = recordings;
    for (let i = 0; i < calls; i++) captured(x);
    return recordings - before;
  };
  go(5);
  let told = 0;
  const end = watchAssignments(() => void told++);
  // At its 1st, 2nd, 3rd and 5th call a recording is made again.
  expect(go(5)).toBe(4);
  expect(told).toBeGreaterThanOrEqual(4);
  end();
  told = 0;
  expect(go(3)).toBe(0);
  expect(told).toBe(0);
});
