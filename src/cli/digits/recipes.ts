import { crossEntropy } from "../../nn/index.ts";
import type { AdamW } from "../../optim/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { trainStep } from "../../train/index.ts";
import { restsDuring, type Task, type TwoInputs } from "./network.ts";

/** One step of a task: gives the loss. */
export type Step = (task: Task, x: Tensor, y: Tensor) => Promise<number>;

/** A way to train one task at a time. */
export interface Recipe {
  readonly name: string;
  readonly makeStep: (net: TwoInputs, optimizer: AdamW) => Step;
}

/** thaw's way: the step says what it trains. */
export const trains: Recipe = {
  name: "trains",
  makeStep: (net, optimizer) =>
    trainStep(optimizer, {
      loss: (task: Task, x: Tensor, y: Tensor) => crossEntropy(net.forward(x, task), y),
      trains: (task) => [`${task}.**`, "trunk.**"],
    }),
};

/** The article's: flags on parameters, and gradients of zeros, which the optimizer takes for gradients. */
export const leaky: Recipe = {
  name: "requiresGrad and zeros",
  makeStep: (net, optimizer) => {
    // What it would warn of is what is being shown.
    optimizer.warnOfLeaks = false;
    return async (task, x, y) => {
      net[task].requiresGrad_(true);
      net[restsDuring(task)].requiresGrad_(false);
      optimizer.zeroGrad({ setToNone: false });
      const loss = crossEntropy(net.forward(x, task), y);
      loss.backward();
      optimizer.step();
      return Number(await loss.item());
    };
  },
};
