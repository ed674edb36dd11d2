import * as nn from "thaw/nn";
import { manualSeed, type Tensor, tensor } from "thaw/tensor";

/** The two kinds of input of the article. */
export type Task = "task1" | "task2";

/** The article's network: a first layer for each task, an output layer that both share. */
export class Network extends nn.Module {
  hiddenTask1 = new nn.Linear(3, 3, { bias: false });
  hiddenTask2 = new nn.Linear(2, 3, { bias: false });
  output = new nn.Linear(3, 4, { bias: false });

  forward(x: Tensor, task: Task): Tensor {
    const hidden = task === "task1" ? this.hiddenTask1 : this.hiddenTask2;
    return this.output.forward(hidden.forward(x).sigmoid());
  }
}

/** The network, always from the same start. */
export function makeNetwork(): Network {
  manualSeed(1);
  return new Network();
}

/** A batch for each task. */
export const inputs: Record<Task, Tensor> = {
  task1: tensor([
    [0.1, -0.2, 0.3],
    [1, 2, -1],
    [0.5, 0.5, 0],
  ]),
  task2: tensor([
    [0.4, -0.6],
    [1, 1],
    [-1, 0.3],
  ]),
};

/** The classes of their rows. */
export const targets = tensor([1, 3, 0], { dtype: "i32" });

/** The bits of every parameter, by path. */
export const bitsOf = (net: nn.Module): Record<string, string> =>
  Object.fromEntries(
    net.namedParameters().map(([path, p]) => [path, Buffer.from(p.dataSync().buffer).toString("hex")]),
  );
