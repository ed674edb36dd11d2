import { expect } from "vitest";
import { StaleTensorError } from "../../../src/base/errors.ts";
import * as nn from "../../../src/nn/index.ts";
import { EMA, SGD } from "../../../src/optim/index.ts";
import { StateTensor } from "../../../src/optim/state-tensor.ts";
import { Buffer, capture, noGrad, Parameter, type Tensor, tensor } from "../../../src/tensor/index.ts";
import { trainStep } from "../../../src/train/index.ts";

/**
 * Random programs that hold values, write over what these were made of, and read them again, beside the same in plain
 * arrays. All numbers are whole, so that there is one right answer on every backend: a value as it was when it was held,
 * or `StaleTensorError` where nothing was done to keep it.
 */

type Values = readonly number[];

class Net extends nn.Module {
  weight = new Parameter(tensor([1, 2, 3]));
  seen = new Buffer(tensor([0, 0, 0]));

  /** A loss whose gradient by the weight is x, and which adds x to a running statistic. */
  forward(x: Tensor): Tensor {
    noGrad(() => this.seen.update(this.seen.add(x)));
    return this.weight.mul(x).sum();
  }
}

/** What there is, as plain numbers. */
interface Model {
  weight: Values;
  seen: Values;
  /** The momentum; null before the first step. */
  momentum: Values | null;
  gradient: Values | null;
  /** The weight when the average last followed it. */
  average: Values;
}

interface Held {
  readonly what: string;
  readonly tensor: Tensor;
  readonly values: Values;
  /** Whether it may be gone when what it was made of has been written over. */
  readonly mayBeStale: boolean;
}

const isNow = (tensor: Tensor): boolean =>
  tensor instanceof Parameter || tensor instanceof Buffer || tensor instanceof StateTensor;

const plus = (a: Values, b: Values, times = 1): Values => a.map((x, i) => x + times * b[i]!);

/** One program: its choices are numbers, each of which picks among what can be done next. */
export async function runProgram(choices: readonly number[]): Promise<void> {
  let next = 0;
  const below = (n: number): number => choices[next++ % choices.length]! % n;
  const pick = <T>(of: readonly T[]): T => of[below(of.length)]!;
  const numbers = (): Values => [below(7) - 3, below(7) - 3, below(7) - 3];

  const net = new Net();
  const optimizer = new SGD(net, { lr: 1, momentum: 1 });
  const step = trainStep(optimizer, { loss: (x: Tensor) => net.forward(x), trains: "weight" });
  const ema = new EMA(net, { decay: 0 });
  const model: Model = {
    weight: [1, 2, 3],
    seen: [0, 0, 0],
    momentum: null,
    gradient: null,
    average: [1, 2, 3],
  };
  const held: Held[] = [];
  const done: string[] = [];

  const stepped = (gradient: Values): void => {
    model.momentum = model.momentum === null ? gradient : plus(model.momentum, gradient);
    model.weight = plus(model.weight, model.momentum, -1);
    model.seen = plus(model.seen, gradient);
  };
  const raise = capture((by: Tensor) => {
    net.weight.assign(net.weight.detach().add(by));
    return net.weight.mul(2);
  });

  const writes: Readonly<Record<string, () => Promise<void> | void>> = {
    async "captured step"() {
      const x = numbers();
      await step(tensor([...x]));
      stepped(x);
      model.gradient = null;
    },
    "step by hand"() {
      const x = numbers();
      optimizer.zeroGrad();
      net.forward(tensor([...x])).backward();
      model.gradient = x;
      optimizer.step();
      stepped(x);
    },
    copy_() {
      const x = numbers();
      noGrad(() => net.weight.copy_(net.weight.add(tensor([...x]))));
      model.weight = plus(model.weight, x);
    },
    async "captured write"() {
      const x = numbers();
      const twice = raise(tensor([...x]));
      model.weight = plus(model.weight, x);
      expect([...(await twice.data())]).toEqual(model.weight.map((w) => 2 * w));
    },
    loadStateDict() {
      const [weight, seen] = [numbers(), numbers()];
      net.loadStateDict({ weight: tensor([...weight]), seen: tensor([...seen]) });
      Object.assign(model, { weight, seen });
    },
    "load what is held"() {
      const one = held.length === 0 ? undefined : pick(held);
      if (one === undefined || one.mayBeStale) return;
      net.loadStateDict({ weight: one.tensor, seen: net.seen.clone() });
      model.weight = one.values;
    },
    "load of the optimizer"() {
      const state = optimizer.stateDict();
      optimizer.loadStateDict(state);
    },
    average() {
      ema.update();
      model.average = model.weight;
    },
    "running statistic"() {
      const x = numbers();
      net.seen.update(net.seen.add(tensor([...x])));
      model.seen = plus(model.seen, x);
    },
  };

  /** What can be held: its name, the tensor now, and its values. */
  const sources = (): [string, Tensor, Values][] => {
    const found: [string, Tensor, Values][] = [
      ["weight", net.weight, model.weight],
      ["seen", net.seen, model.seen],
      ["average", ema.average.get(net.weight)!, model.average],
      ["twice the weight", noGrad(() => net.weight.mul(2)), model.weight.map((w) => 2 * w)],
      ["weight with a gradient", net.weight.add(1), model.weight.map((w) => w + 1)],
    ];
    const momentum = optimizer.state.get(net.weight)?.momentumBuffer;
    if (momentum && model.momentum) found.push(["momentum", momentum, model.momentum]);
    if (net.weight.grad && model.gradient) found.push(["gradient", net.weight.grad, model.gradient]);
    for (const { what, tensor, values, mayBeStale } of held)
      if (!mayBeStale) found.push([`held ${what}`, tensor, values]);
    return found;
  };
  const hold = (): void => {
    const [what, source, values] = pick(sources());
    const [how, tensor, mayBeStale] = pick<[string, Tensor, boolean]>([
      ["clone", source.clone(), false],
      ["clone without gradient", noGrad(() => source.clone()), false],
      ["keep", source.keep(), false],
      ["detach", source.detach(), true],
      // A parameter, a buffer and an average are what they are now.
      ["as it is", isNow(source) ? source.detach() : source, true],
      ["kept detach", source.detach().keep(), false],
      ["clone of detach", source.detach().clone(), false],
      ["reshaped", source.reshape([3, 1]).reshape([3]), true],
    ]);
    held.push({ what: `${how} of ${what}`, tensor, values, mayBeStale });
    done.push(`hold ${how} of ${what}`);
  };
  const read = async (one: Held): Promise<void> => {
    let values: number[];
    try {
      values = [...(await one.tensor.data())];
    } catch (error) {
      if (error instanceof StaleTensorError && one.mayBeStale) return;
      throw new Error(`${one.what} after ${done.join(", ")}: ${String(error)}`);
    }
    expect(values, `${one.what} after ${done.join(", ")}`).toEqual(one.values.map((x) => x + 0));
  };

  const count = 4 + below(10);
  for (let i = 0; i < count; i++) {
    const kind = below(3);
    if (kind === 0 || held.length === 0) hold();
    else if (kind === 1) {
      const [name, write] = pick(Object.entries(writes));
      done.push(name);
      await write();
    } else await read(pick(held));
  }
  for (const one of held) await read(one);
  expect([...(await net.weight.data())]).toEqual(model.weight.map((x) => x + 0));
  expect([...(await net.seen.data())]).toEqual(model.seen.map((x) => x + 0));
}
