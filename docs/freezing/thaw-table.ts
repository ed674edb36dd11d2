// The column of thaw in the table of docs/freezing.md.
import {
  changedParameters,
  freeze,
  module,
  nn,
  ones,
  optim,
  type Selector,
  snapshot,
  trainStep,
  unfreeze,
  zerosLike,
} from "thaw";

const yes = (holds: boolean): string => (holds ? "yes" : "no");

/** A layer and an AdamW that has taken a step with it. */
function stepped(): { layer: nn.Linear; optimizer: optim.AdamW } {
  const layer = new nn.Linear(3, 3, { bias: false });
  const optimizer = new optim.AdamW(layer, { lr: 0.01 });
  layer
    .forward(ones([2, 3]))
    .square()
    .sum()
    .backward();
  optimizer.step();
  return { layer, optimizer };
}

/** Whether the layer stays through a step after this. */
function stays(change: (layer: nn.Linear) => void): boolean {
  const { layer, optimizer } = stepped();
  const before = snapshot(layer);
  change(layer);
  optimizer.step();
  return changedParameters(before, layer).size === 0;
}

async function rows(): Promise<boolean> {
  const { layer, optimizer } = stepped();
  const step = trainStep(optimizer, {
    loss: () =>
      layer
        .forward(ones([2, 3]))
        .square()
        .sum(),
    trains: ["weight[:1]"],
  });
  const before = snapshot(layer);
  await step();
  return changedParameters(before, layer).get("weight")!.changed === 3;
}

class Pair extends nn.Module {
  a = new nn.Linear(1, 1, { bias: false });
  b = new nn.Linear(1, 1, { bias: false });
}

async function late(): Promise<number> {
  const pair = new Pair();
  const step = trainStep(new optim.Adam(pair, { lr: 0.01 }), {
    loss: (which: "a" | "b") => pair[which].forward(ones([1, 1])).sum(),
    trains: (which) => [`${which}.**`],
  });
  for (let i = 0; i < 2000; i++) await step("a");
  const before = Number(await pair.b.weight.item());
  await step("b");
  return (before - Number(await pair.b.weight.item())) / 0.01;
}

function keepsMoments(): boolean {
  const { layer, optimizer } = stepped();
  const moment = (): string => optimizer.state.get(layer.weight)!.expAvg.dataSync().join();
  const before = moment();
  freeze(layer, "**", () => optimizer.step());
  return moment() === before;
}

/** Whether the captured step follows a layer that is frozen and thawed. */
async function freezesAndThaws(): Promise<boolean> {
  const pair = new Pair();
  const step = trainStep(new optim.AdamW(pair), {
    loss: () => pair.b.forward(pair.a.forward(ones([1, 1]))).sum(),
    trains: ["**"],
  });
  const moved: boolean[] = [];
  for (const change of [freeze, unfreeze]) {
    await step();
    change(pair, "a.**");
    const before = snapshot(pair);
    await step();
    moved.push(changedParameters(before, pair).has("a.weight"));
  }
  return moved.join() === "false,true";
}

/** Whether statistics stay where this is frozen. */
function statisticsStay(selector: Selector): boolean {
  const net = new nn.Sequential(new nn.BatchNorm1d(4));
  freeze(net as nn.Module, selector);
  net.forward(ones([8, 4]));
  return net
    .at(0)
    .runningMean!.dataSync()
    .every((mean) => mean === 0);
}

console.log(`skips a null gradient: ${yes(stays((layer) => void (layer.weight.grad = null)))}`);
const flagged = stays((layer) => {
  freeze(layer, "**");
  layer.weight.grad = zerosLike(layer.weight);
});
console.log(`a frozen flag is enough: ${yes(flagged)}`);
console.log(`can freeze some rows of a weight: ${yes(await rows())}`);
console.log(`counts steps per parameter: ${yes((await late()) < 1.01)}`);
console.log(`keeps moments over a freeze: ${yes(keepsMoments())}`);
console.log(`can freeze and thaw between any two steps: ${yes(await freezesAndThaws())}`);
const how = [[statisticsStay("**"), "yes"] as const, [statisticsStay(module("0")), "as a module"] as const];
console.log(`holds the statistics of a frozen BatchNorm: ${how.find(([holds]) => holds)?.[1] ?? "no"}`);
