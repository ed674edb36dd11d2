import { crossEntropy, distributed, manualSeed, nn, optim, rand, tensor } from "../../dist/index.js";

export const group = distributed.group();

/** The article's network: two tasks, each with a layer of its own below a shared one, which has a bias too. */
export class Network extends nn.Module {
  hiddenTask1 = new nn.Linear(3, 3, { bias: false });
  hiddenTask2 = new nn.Linear(2, 3, { bias: false });
  output = new nn.Linear(3, 4);
  forward(x, task) {
    const hidden = task === "task1" ? this.hiddenTask1 : this.hiddenTask2;
    return this.output.forward(hidden.forward(x).sigmoid());
  }
}

export function networkOf(seed) {
  manualSeed(seed);
  return new Network();
}

/** What rank `rank` is given at a step: the same wherever it is asked for. */
export function batchOf(rank, step, task) {
  manualSeed(1000 + 10 * step + rank);
  const x = rand([2, task === "task1" ? 3 : 2]);
  return [task, x, tensor([(rank + step) % 4, step % 4], { dtype: "i32" })];
}

export const lossOf = (net) => (task, x, y) => crossEntropy(net.forward(x, task), y);

/** All numbers of a network and of its optimizer's state, by name. */
export async function numbersOf(net, optimizer) {
  const numbers = {};
  for (const [path, p] of net.namedParameters()) {
    numbers[path] = [...(await p.data())];
    for (const [i, { state }] of optimizer.parts(p).entries())
      for (const [name, value] of Object.entries(state))
        numbers[`${path} ${i} ${name}`] = typeof value === "number" ? [value] : [...(await value.data())];
  }
  return numbers;
}

export const report = (value) => console.log(JSON.stringify(value));

export const optimizers = {
  SGD: (net) => new optim.SGD(net, { lr: 0.1, momentum: 0.9, weightDecay: 0.01 }),
  Adam: (net) => new optim.Adam(net, { lr: 0.01 }),
  AdamW: (net) => new optim.AdamW(net, { lr: 0.01, weightDecay: 0.1, amsgrad: true }),
  RMSprop: (net) => new optim.RMSprop(net, { lr: 0.01, centered: true }),
  Adagrad: (net) => new optim.Adagrad(net, { lr: 0.05 }),
  Adafactor: (net) => new optim.Adafactor(net, { lr: 0.05 }),
};
