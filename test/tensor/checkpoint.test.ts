import { freeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import * as optim from "thaw/optim";
import {
  capture,
  checkpoint,
  checkpointSequential,
  fromArray,
  getRandomState,
  gradient,
  manualSeed,
  noGrad,
  ones,
  Parameter,
  randn,
  type Tensor,
  tensor,
  zeros,
} from "thaw/tensor";
import { assertClose } from "thaw/testing";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { ArgumentError, IndexError } from "../../src/base/errors.ts";

/** How a program calls its blocks: by `checkpoint`, or as they are. */
type Wrap = typeof checkpoint;
const plainly: Wrap = (fn, ...inputs) =>
  typeof fn === "function"
    ? fn(...inputs)
    : (fn as { forward: (...x: unknown[]) => never }).forward(...inputs);

const bitsOf = (t: Tensor | null): string =>
  t === null ? "null" : `${t.shape}: ${new Uint8Array(t.dataSync().buffer.slice(0)).join()}`;

/** Runs a program with and without, from one seed, and expects the same bits of all that it gives. */
async function expectSame(
  program: (wrap: Wrap) => readonly (Tensor | null)[] | Promise<readonly (Tensor | null)[]>,
): Promise<void> {
  const bits: string[][] = [];
  for (const wrap of [plainly, checkpoint]) {
    manualSeed(7);
    const given = await program(wrap);
    bits.push([...given.map(bitsOf), JSON.stringify(getRandomState())]);
  }
  expect(bits[1]).toEqual(bits[0]);
}

/** x + down(dropout(gelu(up(norm(x))))). */
class Residual extends nn.Module {
  norm: nn.LayerNorm;
  up: nn.Linear;
  drop = new nn.Dropout(0.25);
  down: nn.Linear;

  constructor(width: number, hidden = 4 * width) {
    super();
    this.norm = new nn.LayerNorm(width);
    this.up = new nn.Linear(width, hidden);
    this.down = new nn.Linear(hidden, width);
  }
  forward(x: Tensor): Tensor {
    return x.add(this.down.forward(this.drop.forward(this.up.forward(this.norm.forward(x)).gelu())));
  }
}

class Stack extends nn.Module {
  blocks: nn.ModuleList<Residual>;
  head: nn.Linear;
  readonly #wrap: Wrap;

  constructor(count: number, width: number, wrap: Wrap) {
    super();
    this.blocks = new nn.ModuleList(Array.from({ length: count }, () => new Residual(width)));
    this.head = new nn.Linear(width, 3);
    this.#wrap = wrap;
  }
  forward(x: Tensor): Tensor {
    return this.head.forward([...this.blocks].reduce((h, block) => this.#wrap(block, h), x));
  }
}

const gradsOf = (m: nn.Module): (Tensor | null)[] => m.parameters().map((p) => p.grad);

describe("values and gradients have the same bits", () => {
  test("of blocks with dropout, by hand and in a step", async () => {
    await expectSame((wrap) => {
      const net = new Stack(3, 8, wrap);
      const x = randn([5, 8], { requiresGrad: true });
      const loss = net.forward(x).pow(2).mean();
      loss.backward();
      return [loss, x.grad, ...gradsOf(net)];
    });
    await expectSame(async (wrap) => {
      const net = new Stack(3, 8, wrap);
      const step = trainStep(new optim.AdamW(net, { lr: 0.01 }), {
        loss: (x: Tensor) => net.forward(x).pow(2).mean(),
        trains: "**",
        clipNorm: 1,
      });
      const x = randn([5, 8]);
      const losses: number[] = [];
      for (let i = 0; i < 4; i++) losses.push(await step(x));
      return [fromArray(losses, [4], { dtype: "f64" }), ...net.parameters()];
    });
  });

  test("of blocks in blocks", async () => {
    await expectSame((wrap) => {
      const [a, b] = [randn([3, 3], { requiresGrad: true }), randn([3], { requiresGrad: true })];
      const inner = (x: Tensor): Tensor => wrap((y: Tensor) => y.matmul(a).tanh().mul(b), x).sigmoid();
      const y = wrap((x: Tensor) => inner(inner(x)).exp(), a);
      return [y, ...gradient(y.sum(), [a, b])];
    });
  });

  test("and second derivatives are the same, but for the order in which they are added up", async () => {
    const [plain, checked] = [plainly, checkpoint].map((wrap) => {
      const x = tensor(
        [
          [0.3, -0.7],
          [1.1, 0.2],
        ],
        { dtype: "f64", requiresGrad: true },
      );
      const inner = (y: Tensor): Tensor => wrap((z: Tensor) => z.matmul(x).tanh(), y).sigmoid();
      const [first] = gradient(wrap((y: Tensor) => inner(inner(y)).exp(), x).sum(), [x], {
        createGraph: true,
      });
      const [second] = gradient(first!.pow(3).sum(), [x], { createGraph: true });
      return [first!, second!, gradient(second!.sum(), [x])[0]!];
    }) as [Tensor[], Tensor[]];
    for (const [i, t] of plain.entries()) await assertClose(checked[i]!, t, { rtol: 1e-12, atol: 1e-14 });
  });

  test("where several tensors come in and out, and other values go through", async () => {
    await expectSame((wrap) => {
      const [x, y] = [randn([4], { requiresGrad: true }), randn([4], { requiresGrad: true })];
      const out = wrap(
        (a: Tensor, scale: number, { b }: { b: Tensor }) => ({
          sum: a.add(b).exp(),
          rest: [a.mul(scale).sin(), scale],
          a,
        }),
        x,
        3,
        { b: y },
      );
      expect(out.rest[1]).toBe(3);
      expect(out.a).toBe(x);
      out.sum
        .mul(out.rest[0] as Tensor)
        .sum()
        .backward();
      return [x.grad, y.grad];
    });
  });

  test("of layers of a transformer, whose attention is one kernel", async () => {
    const arena: number[] = [];
    await expectSame((wrap) => {
      const layers = [0, 1, 2, 3, 4, 5].map(
        () =>
          new nn.TransformerEncoderLayer(32, 4, { dimFeedforward: 64, batchFirst: true, normFirst: true }),
      );
      const net = new nn.ModuleList(layers);
      const step = trainStep(new optim.SGD(net, { lr: 0.1 }), {
        loss: (x: Tensor) =>
          layers
            .reduce((h, layer) => wrap(layer, h), x)
            .pow(2)
            .mean(),
        trains: "**",
      });
      const x = randn([2, 24, 32]);
      arena.push(step.explain(x).cost.arenaBytes);
      const loss = step(x);
      return loss.then((value) => [tensor([value], { dtype: "f64" }), ...net.parameters()]);
    });
    expect(arena[1]).toBeLessThan(arena[0]! / 2);
  });

  test("of tied weights, which every block reads before the update", async () => {
    await expectSame(async (wrap) => {
      const layer = new Residual(8);
      const step = trainStep(new optim.SGD(layer, { lr: 0.1, momentum: 0.9 }), {
        loss: (x: Tensor) =>
          [0, 1, 2]
            .reduce((h) => wrap(layer, h), x)
            .pow(2)
            .mean(),
        trains: "**",
      });
      const x = randn([4, 8]);
      for (let i = 0; i < 3; i++) await step(x);
      return layer.parameters();
    });
  });

  test("where rows train alone", async () => {
    await expectSame(async (wrap) => {
      const net = new nn.Sequential(new nn.Embedding(6, 4), new nn.Linear(4, 4), new nn.Tanh());
      const step = trainStep(new optim.AdamW(net, { lr: 0.1 }), {
        loss: (i: Tensor) => wrap(net, i).pow(2).mean(),
        trains: ["0.weight[2:4]", "1.weight[1:]"],
      });
      const indices = tensor([1, 2, 2, 5], { dtype: "i32" });
      for (let i = 0; i < 3; i++) await step(indices);
      return net.parameters();
    });
  });

  test("where values within are kept, read at once, or read later", async () => {
    await expectSame((wrap) => {
      const x = randn([4], { requiresGrad: true });
      let inside: Tensor = x;
      const y = wrap((a: Tensor) => {
        inside = a.exp();
        const scale = inside.sum().itemSync() as number;
        return inside.sin().mul(scale);
      }, x);
      const before = bitsOf(y);
      y.mul(inside).sum().backward();
      expect(bitsOf(y)).toBe(before);
      return [y, inside, x.grad];
    });
  });
});

describe("what is computed once more", () => {
  const stackOf = (wrap: Wrap) => {
    manualSeed(1);
    const net = new Stack(8, 32, wrap);
    const step = trainStep(new optim.SGD(net, { lr: 0.1 }), {
      loss: (_: string, x: Tensor) => net.forward(x).pow(2).mean(),
      trains: (what: string) => what,
    });
    return { net, step };
  };
  const x = ones([64, 32]);

  test("takes less memory, for operations that explain counts", () => {
    const plain = stackOf(plainly).step.explain("**", x).cost;
    const { step } = stackOf(checkpoint);
    const explained = step.explain("**", x);
    expect(plain.recomputedFlops).toBe(0);
    expect(explained.cost.arenaBytes).toBeLessThan(plain.arenaBytes / 3);
    // Of a block's two products, what makes its result is not needed; the rest of it is.
    const products = 8 * 2 * 64 * 32 * 128;
    expect(explained.cost.recomputedFlops).toBeGreaterThan(products);
    expect(explained.cost.recomputedFlops).toBeLessThan(1.25 * products);
    expect(explained.cost.flops - explained.cost.recomputedFlops).toBeLessThan(1.05 * plain.flops);
    expect(String(explained)).toContain("of these, done once more");
    expect(String(stackOf(plainly).step.explain("**", x))).not.toContain("once more");
  });

  test("is nothing of frozen blocks in front, and less where a block trains in part", () => {
    const { net, step } = stackOf(checkpoint);
    const flops = (trains: string): number => step.explain(trains, x).cost.recomputedFlops;
    expect(flops("head.**")).toBe(0);
    const one = flops("blocks.7.**");
    expect(flops("blocks.6.**")).toBeGreaterThan(1.8 * one);
    expect(8 * one).toBeLessThan(1.2 * flops("**"));
    // Its last product needs what it multiplies, and nothing else needs anything.
    expect(flops("blocks.7.down.bias")).toBe(0);
    freeze(net, "blocks.*.**", () => expect(flops("**")).toBe(0));
  });

  test("waits for the gradients of what follows", async () => {
    const { step } = stackOf(checkpoint);
    await step("**", x);
    const { kernels } = step.plan!.explain();
    const again = kernels.flatMap((k, i) =>
      k.recomputedFlops > k.flops / 2 && k.kind === "contract" ? [i] : [],
    );
    expect(again.length).toBe(8);
    // Between two of them lie the products that make the gradients of the block between.
    for (let i = 1; i < again.length; i++) {
      const between = kernels.slice(again[i - 1]! + 1, again[i]!);
      expect(between.filter((k) => k.kind === "contract").length).toBeGreaterThanOrEqual(3);
    }
  });
});

describe("freezing", () => {
  test("what is frozen within does not move by a bit, nor does its state", async () => {
    manualSeed(3);
    const net = new Stack(3, 8, checkpoint);
    const optimizer = new optim.AdamW(net, { lr: 0.1, weightDecay: 0.1 });
    const step = trainStep(optimizer, {
      loss: (_: string, x: Tensor) => net.forward(x).pow(2).mean(),
      trains: (what: string) => what,
      verify: true,
    });
    const x = randn([4, 8]);
    await step("**", x);
    const held = [...net.namedParameters()].filter(([path]) => !path.startsWith("blocks.1.up"));
    const all = () =>
      held.map(([path, p]) => [
        path,
        bitsOf(p),
        ...["expAvg", "expAvgSq"].map((k) => bitsOf((optimizer.state.get(p) as never)[k])),
      ]);
    const before = all();
    const moving = bitsOf(net.blocks.at(1)!.up.weight);
    for (let i = 0; i < 3; i++) await step("blocks.1.up.**", x);
    expect(all()).toEqual(before);
    expect(bitsOf(net.blocks.at(1)!.up.weight)).not.toBe(moving);
  });

  test("inputs that need no gradient do not cut those of parameters within", () => {
    const layer = new nn.Linear(3, 2);
    checkpoint(layer, ones([4, 3]))
      .sum()
      .backward();
    expect([...layer.weight.grad!.dataSync()]).toEqual([4, 4, 4, 4, 4, 4]);
    const x = ones([4, 3], { requiresGrad: true });
    layer.weight.requiresGrad = false;
    layer.weight.grad = null;
    checkpoint(layer, x).sum().backward();
    expect(layer.weight.grad).toBe(null);
    expect(x.grad!.shape).toEqual([4, 3]);
  });
});

describe("what a function does to the outside", () => {
  test("it does once: running statistics move as without", async () => {
    await expectSame((wrap) => {
      const net = new nn.Sequential(new nn.Linear(3, 3), new nn.BatchNorm1d(3), new nn.ReLU());
      const x = randn([6, 3]);
      wrap(net, x).pow(2).sum().backward();
      return [...gradsOf(net), ...net.buffers()];
    });
  });

  test("it does once: a function that would give something else is not asked again", () => {
    let calls = 0;
    const x = tensor([1, 2], { requiresGrad: true });
    const y = checkpoint((a: Tensor) => (calls++ === 0 ? a.mul(a).mul(a) : a.sum()), x);
    y.sum().backward();
    expect(calls).toBe(1);
    expect([...x.grad!.dataSync()]).toEqual([3, 12]);
  });

  test("what it writes stands, and it sees what it has written", async () => {
    await expectSame(async (wrap) => {
      const count = new nn.Buffer(zeros([2]));
      const p = new Parameter(ones([2]));
      const step = capture((x: Tensor) => {
        const loss = wrap((a: Tensor) => {
          const old = a.mul(count).exp();
          count.assign(count.add(a));
          return old.mul(count).mul(p).sum();
        }, x);
        p.grad = null;
        loss.backward();
        noGrad(() => p.sub_(p.grad!.mul(0.01)));
        return loss;
      });
      const losses = [step(tensor([0.1, 0.2])), step(tensor([0.3, 0.4])), step(tensor([0.5, 0.6]))];
      return [...losses, count, p];
    });
  });

  test("an index out of range is the error that it is without", async () => {
    const table = new nn.Embedding(3, 2);
    const step = trainStep(new optim.SGD(table, { lr: 0.1 }), {
      loss: (i: Tensor) => checkpoint(table, i).sum(),
      trains: "**",
    });
    await expect(async () => step(tensor([1, 5], { dtype: "i32" }))).rejects.toThrow(IndexError);
  });
});

test("a chain of layers is computed again in segments, but for the last", async () => {
  await expectSame((wrap) => {
    const net = new nn.Sequential(...[0, 1, 2, 3, 4].map(() => new Residual(8)));
    const x = randn([4, 8]);
    const y = wrap === plainly ? net.forward(x) : checkpointSequential(net, 2, x);
    y.pow(2).sum().backward();
    return [y, ...gradsOf(net)];
  });
  const x = tensor([1], { requiresGrad: true });
  for (const [layers, segments] of [
    [2, 3],
    [2, 0],
    [2, 1.5],
    [0, 1],
  ] as const)
    expect(() =>
      checkpointSequential(
        Array.from({ length: layers }, () => (a: Tensor) => a.exp()),
        segments,
        x,
      ),
    ).toThrow(`checkpointSequential: ${segments} segments of ${layers} layers; give a whole number`);
});

test("without gradients it is the function alone; what it has not made stays what it is", () => {
  const x = tensor([1, 2], { requiresGrad: true });
  const frozen = noGrad(() => checkpoint((a: Tensor) => a.exp(), x));
  expect(frozen.requiresGrad).toBe(false);
  expect(checkpoint((a: Tensor) => a, x)).toBe(x);
  const p = new Parameter(ones([1]));
  expect(checkpoint(() => p)).toBe(p);
  expect(checkpoint((a: Tensor) => a.exp(), tensor([1])).requiresGrad).toBe(false);
  expect(checkpoint(() => null)).toBe(null);
});

test("refuses what is no function, and one that gives a promise", () => {
  expect(() => checkpoint(3 as never)).toThrow(ArgumentError);
  expect(() => checkpoint(null as never)).toThrow(
    "checkpoint: null is no function, and no module with a forward pass",
  );
  expect(() => checkpoint(async (a: Tensor) => a.exp(), ones([1]))).toThrow(
    "checkpoint: the function gave a promise; it must give its result at once",
  );
});
