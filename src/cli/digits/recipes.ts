import { crossEntropy } from "../../nn/index.ts";
import type { AdamW } from "../../optim/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { trainStep } from "../../train/index.ts";
import { type Lesson, lessons, restingIn, type TwoInputs } from "./network.ts";

/** One step of a lesson: gives the loss. */
export type Step = (lesson: Lesson, x: Tensor, y: Tensor) => Promise<number>;

/** A way to train some parts of a network while others rest. */
export interface Recipe {
  readonly name: string;
  readonly makeStep: (net: TwoInputs, optimizer: AdamW) => Step;
}

/** thaw's way: the step says what it trains. */
export const trains: Recipe = {
  name: "trains",
  makeStep: (net, optimizer) =>
    trainStep(optimizer, {
      loss: (lesson: Lesson, x: Tensor, y: Tensor) => crossEntropy(net.forward(x, lessons[lesson].input), y),
      trains: (lesson) => lessons[lesson].trains.map((part) => `${part}.**`),
    }),
};

/** The article's: flags on parameters, and gradients of zeros, which the optimizer takes for gradients. */
export const leaky: Recipe = {
  name: "requiresGrad",
  makeStep: (net, optimizer) => {
    // What it would warn of is what is being shown.
    optimizer.warnOfLeaks = false;
    return async (lesson, x, y) => {
      net.requiresGrad_(true);
      for (const part of restingIn(lesson)) net[part].requiresGrad_(false);
      optimizer.zeroGrad({ setToNone: false });
      const loss = crossEntropy(net.forward(x, lessons[lesson].input), y);
      loss.backward();
      optimizer.step();
      return Number(await loss.item());
    };
  },
};
