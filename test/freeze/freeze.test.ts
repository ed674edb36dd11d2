import { changedParameters, freeze, snapshot, unfreeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import { AdamW } from "thaw/optim";
import { capture, manualSeed, randn, type Tensor, tensor } from "thaw/tensor";
import { beforeEach, describe, expect, test } from "vitest";
import { ArgumentError, SelectorError } from "../../src/base/errors.ts";

class Network extends nn.Module {
  first = new nn.Linear(3, 4);
  second = new nn.Linear(4, 2);
  forward(x: Tensor): Tensor {
    return this.second.forward(this.first.forward(x).tanh());
  }
}

let net: Network;
beforeEach(() => {
  manualSeed(1);
  net = new Network();
});

const frozen = (): string[] => net.namedParameters().flatMap(([path, p]) => (p.frozen ? [path] : []));
const first = ["first.weight", "first.bias"];
const second = ["second.weight", "second.bias"];

describe("freeze", () => {
  test("without a scope lasts until unfreeze", () => {
    freeze(net, "first.**");
    expect(frozen()).toEqual(first);
    unfreeze(net, "first.bias");
    expect(frozen()).toEqual(["first.weight"]);
    freeze(net, "**");
    unfreeze(net, "**");
    expect(frozen()).toEqual([]);
  });

  test("with a function lasts while it runs, and gives its result", () => {
    const seen = freeze(net, net.first, () => frozen());
    expect(seen).toEqual(first);
    expect(frozen()).toEqual([]);
  });

  test("with a function that throws ends all the same", () => {
    expect(() =>
      freeze(net, "**", () => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(frozen()).toEqual([]);
  });

  test("with an asynchronous function lasts until its promise settles", async () => {
    const running = freeze(net, "first.**", async () => {
      await Promise.resolve();
      return frozen();
    });
    expect(frozen()).toEqual(first);
    expect(await running).toEqual(first);
    expect(frozen()).toEqual([]);
    await expect(freeze(net, "**", () => Promise.reject(new Error("late")))).rejects.toThrow("late");
    expect(frozen()).toEqual([]);
  });

  test("with using lasts until the end of the block", () => {
    {
      using scope = freeze(net, "second.**");
      expect([...scope.parameters.keys()]).toEqual(second);
      expect(frozen()).toEqual(second);
    }
    expect(frozen()).toEqual([]);
  });

  test("that selects nothing changes nothing", () => {
    const wrong: string[] = ["first.**", "third.**"];
    expect(() => freeze(net, wrong)).toThrow(SelectorError);
    expect(frozen()).toEqual([]);
  });
});

describe("scopes nest", () => {
  test("each restoring what it found, frozen or not", () => {
    freeze(net, "first.bias");
    freeze(net, "**", () => {
      unfreeze(net, "first.**", () => {
        expect(frozen()).toEqual(second);
        freeze(net, "first.weight", () => expect(frozen()).toEqual(["first.weight", ...second]));
        expect(frozen()).toEqual(second);
      });
      expect(frozen()).toEqual([...first, ...second]);
    });
    expect(frozen()).toEqual(["first.bias"]);
  });

  test("with using and functions mixed", () => {
    {
      using _outer = freeze(net, "first.**");
      using _inner = unfreeze(net, "first.bias");
      freeze(net, "**", () => expect(frozen()).toEqual([...first, ...second]));
      expect(frozen()).toEqual(["first.weight"]);
    }
    expect(frozen()).toEqual([]);
  });

  test("closed out of order they err, and nothing is thawed behind the inner one's back", () => {
    const outer = freeze(net, "**");
    const inner = unfreeze(net, "first.bias");
    expect(() => outer[Symbol.dispose]()).toThrow(ArgumentError);
    expect(() => outer[Symbol.dispose]()).toThrow(
      'The scope of freeze(Network, "**") was closed out of order: unfreeze(Network, "first.bias"), opened after it, still holds first.bias.',
    );
    expect(frozen()).toEqual(["first.weight", ...second]);
    inner[Symbol.dispose]();
    outer[Symbol.dispose]();
    expect(frozen()).toEqual([]);
  });

  test("of other parameters may end in any order", () => {
    const a = freeze(net, "first.**");
    const b = freeze(net, "second.**");
    a[Symbol.dispose]();
    expect(frozen()).toEqual(second);
    b[Symbol.dispose]();
    expect(frozen()).toEqual([]);
  });

  test("closed twice they change nothing more", () => {
    const scope = freeze(net, "first.**");
    scope[Symbol.dispose]();
    freeze(net, "first.**");
    scope[Symbol.dispose]();
    expect(frozen()).toEqual(first);
  });

  test("asynchronous ones that overlap out of order err instead of thawing what still runs", async () => {
    let finish = (): void => {};
    const waiting = new Promise<void>((resolve) => (finish = resolve));
    const outer = freeze(net, "first.**", () => Promise.resolve());
    const inner = freeze(net, "first.weight", () => waiting);
    await expect(outer).rejects.toThrow(/closed out of order/);
    expect(frozen()).toEqual(first);
    finish();
    await inner;
    expect(frozen()).toEqual(first);
  });

  test("an error inside is the cause of the one that closing gives", () => {
    const failed = (): void => {
      freeze(net, "**", () => {
        freeze(net, "first.**");
        throw new Error("inside");
      });
    };
    expect(failed).toThrow(
      expect.objectContaining({ cause: expect.objectContaining({ message: "inside" }) }),
    );
  });
});

describe("frozen parameters", () => {
  const [x, y] = [
    tensor([
      [1, 2, 3],
      [-1, 0, 2],
    ]),
    tensor([0, 1], { dtype: "i32" }),
  ];

  test("get no gradient, and what is below them is not reached for nothing", () => {
    freeze(net, "first.**");
    nn.crossEntropy(net.forward(x), y).backward();
    expect(net.namedParameters().map(([path, p]) => [path, p.grad !== null])).toEqual([
      ["first.weight", false],
      ["first.bias", false],
      ["second.weight", true],
      ["second.bias", true],
    ]);
  });

  test("do not move by a bit under AdamW, its momentum and its decay; the others do", () => {
    const optimizer = new AdamW(net, { lr: 0.1, weightDecay: 0.1 });
    const step = (): void => {
      optimizer.zeroGrad();
      nn.crossEntropy(net.forward(x), y).backward();
      optimizer.step();
    };
    step();
    const before = snapshot(net);
    freeze(net, "first.**", () => {
      for (let i = 0; i < 5; i++) step();
    });
    expect([...changedParameters(before, net).keys()]).toEqual(second);
    step();
    expect([...changedParameters(before, net).keys()]).toEqual([...first, ...second]);
  });

  test("are frozen in a captured step too, which records again when the set changes", () => {
    const optimizer = new AdamW(net, { lr: 0.1 });
    const step = capture((input: Tensor) => {
      optimizer.zeroGrad();
      const loss = nn.crossEntropy(net.forward(input), y);
      loss.backward();
      optimizer.step();
      return loss;
    });
    const steps = (): void => {
      for (let i = 0; i < 3; i++) step(randn([2, 3]));
    };
    steps();
    let before = snapshot(net);
    freeze(net, "second.**", steps);
    expect([...changedParameters(before, net).keys()]).toEqual(first);
    before = snapshot(net);
    steps();
    expect([...changedParameters(before, net).keys()]).toEqual([...first, ...second]);
  });
});
