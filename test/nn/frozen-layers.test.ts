import * as nn from "thaw/nn";
import * as optim from "thaw/optim";
import { rand, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";

/** Layers with parameters, each twice in a network: one is trained, and one is held. */
interface Kind {
  readonly layer: () => nn.Module;
  readonly loss: (layer: nn.Module) => Tensor;
}

const [a, b] = [rand([4, 3]).sub(0.5), rand([4, 2]).sub(0.5)];
const classes = tensor([0, 1, 1, 0], { dtype: "i32" });

const kinds: Record<string, Kind> = {
  PReLU: {
    layer: () => new nn.PReLU({ numParameters: 3 }),
    loss: (l) => (l as nn.PReLU).forward(a).square().sum(),
  },
  Bilinear: {
    layer: () => new nn.Bilinear(3, 2, 2),
    loss: (l) => (l as nn.Bilinear).forward(a, b).square().sum(),
  },
  "Embedding with a maxNorm": {
    layer: () => new nn.Embedding(5, 3, { maxNorm: 0.1 }),
    loss: (l) => (l as nn.Embedding).forward(classes).sub(1).square().sum(),
  },
  "Embedding by frequency": {
    layer: () => new nn.Embedding(5, 3, { scaleGradByFreq: true }),
    loss: (l) => (l as nn.Embedding).forward(classes).square().sum(),
  },
  LinearCrossEntropyLoss: {
    layer: () => new nn.LinearCrossEntropyLoss(3, 2, { bias: true }),
    loss: (l) => (l as nn.LinearCrossEntropyLoss).forward(a, classes),
  },
  ParameterList: {
    layer: () => new nn.ParameterList([rand([3]), rand([3])]),
    loss: (l) => [...(l as nn.ParameterList)].reduce((sum, p) => sum.add(p.mul(a).square().sum()), tensor(0)),
  },
  ParameterDict: {
    layer: () => new nn.ParameterDict({ left: rand([3]), right: rand([3]) }),
    loss: (l) =>
      (l as nn.ParameterDict)
        .get("left")
        .mul((l as nn.ParameterDict).get("right"))
        .square()
        .sum(),
  },
};

class Pair extends nn.Module {
  held: nn.Module;
  free: nn.Module;

  constructor(make: () => nn.Module) {
    super();
    this.held = make();
    this.free = make();
  }
}

const bits = (module: nn.Module): string[] =>
  module.parameters().map((p) => Buffer.from(p.dataSync().slice().buffer).toString("hex"));

describe.each(Object.entries(kinds))("%s", (_, { layer, loss }) => {
  test.each(["SGD", "AdamW"] as const)(
    "frozen is bit-identical under %s with weight decay, trained is not, and trains when thawed",
    async (name) => {
      const net = new Pair(layer);
      const options = { lr: 0.1, weightDecay: 0.1 };
      const optimizer =
        name === "SGD" ? new optim.SGD(net, { ...options, momentum: 0.9 }) : new optim.AdamW(net, options);
      const step = trainStep(optimizer, {
        loss: (_task: string) => loss(net.held).add(loss(net.free)),
        trains: (task: string) => (task === "free" ? ["free.**"] : ["**"]),
      });
      await step("both");
      const [held, free] = [bits(net.held), bits(net.free)];
      for (let i = 0; i < 3; i++) await step("free");
      expect(bits(net.held)).toEqual(held);
      for (const [i, moved] of bits(net.free).entries()) expect(moved).not.toBe(free[i]);
      await step("both");
      for (const [i, moved] of bits(net.held).entries()) expect(moved).not.toBe(held[i]);
    },
  );
});

test("a maxNorm shortens the rows of a table that train, and no others", async () => {
  class Table extends nn.Module {
    rows = new nn.Embedding(4, 3, { maxNorm: 0.1 });
  }
  const net = new Table();
  const before = net.rows.weight.dataSync().slice();
  const optimizer = new optim.SGD(net, { lr: 0 });
  const step = trainStep(optimizer, {
    loss: () => net.rows.forward(tensor([0, 1, 2], { dtype: "i32" })).sum(),
    trains: ["rows.weight[2:]"],
  });
  await step();
  const after = net.rows.weight.dataSync();
  expect(after.slice(0, 6)).toEqual(before.slice(0, 6));
  expect(Math.hypot(...after.slice(6, 9))).toBeCloseTo(0.1, 4);
  expect(after.slice(9)).toEqual(before.slice(9));
});
