import { freeze, unfreeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { AdamW, EMA, SGD } from "thaw/optim";
import { Parameter, randn, type Tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";

class Net extends nn.Module {
  body = new nn.Linear(3, 3);
  head = new nn.Linear(3, 4);
  forward(x: Tensor): Tensor {
    return this.head.forward(this.body.forward(x));
  }
}
const x = randn([2, 3]);

let warn: MockInstance<typeof console.warn>;
beforeEach(() => {
  warn = vi.spyOn(console, "warn").mockImplementation(() => {});
});
afterEach(() => warn.mockRestore());
const said = (): string[] => warn.mock.calls.map(([text]) => String(text));

describe("a loop by hand whose head was replaced after the optimizer was made", () => {
  const loop = (net: Net, optimizer: { zeroGrad(): void; step(): void }, steps = 3): void => {
    for (let i = 0; i < steps; i++) {
      optimizer.zeroGrad();
      net.forward(x).square().mean().backward();
      optimizer.step();
    }
  };

  test.each(["before the loop", "in the middle"])("is warned of once, %s", (when) => {
    const net = new Net();
    const optimizer = new SGD(net, { lr: 0.1 });
    if (when === "in the middle") loop(net, optimizer);
    expect(said()).toEqual([]);
    net.head = new nn.Linear(3, 2);
    loop(net, optimizer);
    expect(said()).toHaveLength(1);
    expect(said()[0]).toContain("head.weight, head.bias have gradients and are in no group of this SGD");
    // What it advises ends it.
    optimizer.addParamGroup({ params: net.head });
    const before = net.head.weight.toArraySync();
    loop(net, optimizer);
    expect(net.head.weight.toArraySync()).not.toEqual(before);
    expect(said()).toHaveLength(1);
  });

  test("is found too where the optimizer was made of a list", () => {
    const net = new Net();
    const optimizer = new SGD(net.parameters(), { lr: 0.1 });
    net.head.weight = new Parameter(randn([4, 3]));
    loop(net, optimizer);
    expect(said()).toHaveLength(1);
    expect(said()[0]).toContain("head.weight has a gradient and is in no group");
  });

  test("nothing is said where another optimizer has what took its place", () => {
    const net = new Net();
    const body = new SGD(net, { lr: 0.1 });
    net.head = new nn.Linear(3, 2);
    const head = new SGD(net.head, { lr: 0.1 });
    const both = [body, head];
    loop(net, {
      zeroGrad: () => both.forEach((one) => void one.zeroGrad()),
      step: () => both.forEach((one) => void one.step()),
    });
    expect(said()).toEqual([]);
  });

  test("nothing is said of a part that was left out, of tied weights, or of what was added", () => {
    const net = new Net();
    loop(net, new SGD(net.head, { lr: 0.1 }));
    loop(net, new SGD(net.head.parameters(), { lr: 0.1 }));
    const added = new SGD(net, { lr: 0.1 });
    net.head = new nn.Linear(3, 2);
    added.addParamGroup({ params: net.head });
    loop(net, added);
    class Tied extends nn.Module {
      a = new nn.Linear(3, 3);
      b = new nn.Linear(3, 3);
      forward(y: Tensor): Tensor {
        return this.b.forward(this.a.forward(y));
      }
    }
    const tied = new Tied();
    const optimizer = new SGD(tied, { lr: 0.1 });
    tied.b.weight = tied.a.weight;
    loop(tied as unknown as Net, optimizer);
    expect(said()).toEqual([]);
  });
});

describe("an average of a module whose head was replaced", () => {
  test.each(["trainStep", "update()", "use()"])("is warned of once, by %s", async (how) => {
    const net = new Net();
    const ema = new EMA(net, { decay: 0.5 });
    net.head = new nn.Linear(3, 2);
    const optimizer = new SGD(net, { lr: 0.1 });
    const step = trainStep(optimizer, {
      loss: () => net.forward(x).square().mean(),
      trains: ["**"],
      ema,
    });
    for (let i = 0; i < 2; i++)
      if (how === "trainStep") await step();
      else if (how === "update()") ema.update();
      else ema.use(() => {});
    expect(said()).toHaveLength(1);
    expect(said()[0]).toContain("head.weight, head.bias came into the module after its EMA was made");
  });

  test("is warned of where the head had been made before the average", async () => {
    const net = new Net();
    const head = new nn.Linear(3, 2);
    const ema = new EMA(net, { decay: 0.5 });
    net.head = head;
    ema.update(net.parameters().values());
    expect(said()).toHaveLength(1);
    expect(ema.stateDict().updates).toEqual({ "body.weight": 1, "body.bias": 1 });
  });

  test("says nothing where nothing was replaced, though other modules are made", () => {
    const net = new Net();
    const ema = new EMA(net);
    new Net();
    ema.update();
    ema.update([[net.head.weight, null]]);
    expect(said()).toEqual([]);
  });
});

describe("a frozen path whose weight is replaced", () => {
  const train = (net: Net) =>
    trainStep(new AdamW(net, { lr: 0.1 }), { loss: () => net.forward(x).square().mean(), trains: ["**"] })();

  test("is warned of when what is there now is trained, once", async () => {
    const net = new Net();
    freeze(net, "head.**");
    net.head.weight = new Parameter(randn([5, 3]));
    net.head.bias = null;
    await train(net);
    await train(net);
    expect(said()).toHaveLength(1);
    expect(said()[0]).toContain(
      'head.weight was frozen by freeze(Net, "head.**"), and has been replaced since',
    );
  });

  test("is warned of by an optimizer that steps it by hand, whatever part it was frozen from", () => {
    const net = new Net();
    freeze(net.body, "weight");
    net.body.weight = new Parameter(randn([3, 3]));
    const optimizer = new SGD(net, { lr: 0.1 });
    net.forward(x).square().mean().backward();
    optimizer.step();
    expect(said()).toHaveLength(1);
    expect(said()[0]).toContain("body.weight was frozen by freeze(Linear");
  });

  test("nothing is said where it is frozen again, unfrozen, not trained, or was frozen for a scope", async () => {
    const again = new Net();
    freeze(again, "head.weight");
    again.head.weight = new Parameter(randn([4, 3]));
    freeze(again, "head.weight");
    await train(again);
    const thawed = new Net();
    freeze(thawed, "**");
    thawed.head = new nn.Linear(3, 2);
    unfreeze(thawed, "head.**");
    await train(thawed);
    const scoped = new Net();
    freeze(scoped, "head.**", () => {
      scoped.head = new nn.Linear(3, 2);
    });
    await train(scoped);
    const other = new Net();
    freeze(other, "head.**");
    other.head = new nn.Linear(3, 2);
    await trainStep(new AdamW(other), { loss: () => other.forward(x).mean(), trains: ["body.**"] })();
    expect(said()).toEqual([]);
  });
});
