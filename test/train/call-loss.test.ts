import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ArgumentError, CaptureError } from "../../src/base/errors.ts";
import { changedParameters, snapshot } from "../../src/freeze/index.ts";
import { BatchNorm1d, Linear, Sequential } from "../../src/nn/index.ts";
import { Adam } from "../../src/optim/index.ts";
import { capture, randn, type Tensor } from "../../src/tensor/index.ts";
import { trainStep } from "../../src/train/index.ts";

const x = randn([4, 3]);

/** What nobody has handled; vitest would take it for a failure of its own, so its listeners rest meanwhile. */
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
let others: NodeJS.UnhandledRejectionListener[] = [];

beforeEach(() => {
  unhandled.length = 0;
  others = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", note);
});
afterEach(() => {
  process.off("unhandledRejection", note);
  for (const listener of others) process.on("unhandledRejection", listener);
});

/** Node tells of unhandled rejections once microtasks are done. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

const makeStep = (net: Sequential, loss: (...args: never[]) => unknown, trains: unknown = ["**"]) =>
  trainStep(new Adam(net), { loss: loss as () => Tensor, trains: trains as "**" }) as unknown as ((
    ...args: unknown[]
  ) => Promise<unknown>) & {
    together(calls: unknown): Promise<unknown>;
    explain(...args: unknown[]): unknown;
  };

const network = () => {
  const norm = new BatchNorm1d(3);
  return { norm, net: new Sequential(norm, new Linear(3, 2)) };
};

describe("a loss that fails rejects once, and changes nothing", () => {
  const mine = new Error("mine");
  test.each<[string, (net: Sequential) => () => unknown, unknown]>([
    [
      "throws",
      () => () => {
        throw mine;
      },
      mine,
    ],
    [
      "throws after a forward pass",
      (net) => () => {
        net.forward(x);
        throw mine;
      },
      mine,
    ],
    [
      "is asynchronous",
      () => async () => {
        throw mine;
      },
      ArgumentError,
    ],
    ["gives a promise that is rejected", () => () => Promise.reject(mine), ArgumentError],
    ["gives one as its loss", () => () => ({ loss: Promise.reject(mine) }), ArgumentError],
    [
      "gives one beside it",
      (net) => () => ({ loss: net.forward(x).sum(), y: Promise.reject(mine) }),
      ArgumentError,
    ],
    [
      "reads a value",
      (net) => () => {
        const y = net.forward(x).sum();
        void y.item();
        return y;
      },
      CaptureError,
    ],
    [
      "reads values",
      (net) => () => {
        const y = net.forward(x);
        void y.data();
        void y.toArray();
        return y.sum();
      },
      CaptureError,
    ],
  ])("one that %s", async (_, make, expected) => {
    const { net, norm } = network();
    const step = makeStep(net, make(net));
    const before = snapshot(net);
    for (const call of [() => step(x), () => step.together([[x], [x]]), async () => step.explain(x)]) {
      const failure = await Promise.resolve()
        .then(call)
        .then(
          () => null,
          (error: unknown) => error,
        );
      if (typeof expected === "function") expect(failure).toBeInstanceOf(expected);
      else expect(failure).toBe(expected);
    }
    await settled();
    expect(unhandled).toEqual([]);
    expect(changedParameters(before, net).size).toBe(0);
    expect(norm.numBatchesTracked!.itemSync()).toBe(0);
  });

  test("an asynchronous one is not begun", async () => {
    let begun = false;
    const step = makeStep(network().net, async () => {
      begun = true;
    });
    await expect(step(x)).rejects.toThrow("loss gave a promise; it must give a tensor");
    expect(begun).toBe(false);
  });

  test("among calls that were made at once, only that one", async () => {
    const { net } = network();
    const step = makeStep(net, (x: Tensor) => {
      if (x.shape[0] === 5) throw mine;
      return net.forward(x).square().sum();
    });
    const results = await Promise.allSettled([step(x), step(randn([5, 3])), step(x)]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });

  test("one that calls a step", async () => {
    const { net } = network();
    const inner = makeStep(net, () => net.forward(x).sum());
    const outer = makeStep(net, () => {
      void inner(x);
      return net.forward(x).sum();
    });
    await expect(outer(x)).rejects.toThrow(CaptureError);
    await settled();
    expect(unhandled).toEqual([]);
  });
});

test("what trains gives, and the arguments, must be there already", async () => {
  const { net } = network();
  const loss = (): Tensor => net.forward(x).sum();
  const late = makeStep(net, loss, () => Promise.reject(new Error("mine")));
  await expect(late(x)).rejects.toThrow("trains gave a promise");
  await expect(makeStep(net, loss)(Promise.reject(new Error("mine")))).rejects.toThrow(
    "argument 1 is a promise",
  );
  await expect(makeStep(net, loss, null)(x)).rejects.toThrow("null is no selector");
  expect(() => makeStep(net, undefined as never)).toThrow("loss is undefined");
  for (const calls of [undefined, [x], "x"])
    await expect(makeStep(net, loss).together(calls)).rejects.toThrow("give an array of calls");
  await settled();
  expect(unhandled).toEqual([]);
});

test("a captured function that gives a promise throws, once", async () => {
  const captured = capture(async () => {
    throw new Error("mine");
  });
  expect(() => captured()).toThrow("not a promise");
  await settled();
  expect(unhandled).toEqual([]);
});
