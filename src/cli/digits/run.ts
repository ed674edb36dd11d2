import { DataLoader } from "../../data/data-loader.ts";
import type { Subset } from "../../data/dataset.ts";
import { compareParameters, snapshot } from "../../freeze/index.ts";
import { AdamW, lrScheduler } from "../../optim/index.ts";
import { manualSeed } from "../../tensor/index.ts";
import { Progress } from "../../train/index.ts";
import { accuracies, type Digits, restsDuring, type Task, TwoInputs, tasks } from "./network.ts";
import type { Recipe } from "./recipes.ts";
import { Watch } from "./watch.ts";

/** How long, with what batches, from which seed. */
export interface RunOptions {
  readonly epochs: number;
  readonly batchSize: number;
  readonly seed: number;
}

/** What a run did to one parameter. Distances are averages over its elements. */
export interface ParameterFate {
  readonly path: string;
  readonly trainedBy: readonly Task[];
  /** Steps that the optimizer counts for it. */
  readonly steps: number;
  /** From where it began to where it ended. */
  readonly moved: number;
  /** The way it went in steps in which it was meant to rest, and how many of its bits those changed. */
  readonly movedFrozen: number;
  readonly bitsFrozen: number;
}

/** What came of a run. */
export interface RunResult {
  readonly recipe: string;
  readonly accuracy: Readonly<Record<Task, number>>;
  readonly parameters: readonly ParameterFate[];
}

/** Trains both tasks in turn by a recipe and watches what is meant to rest. Every recipe has the same start and order. */
export async function run(
  recipe: Recipe,
  { train, test }: { train: Subset<Digits>; test: Subset<Digits> },
  { epochs, batchSize, seed }: RunOptions,
): Promise<RunResult> {
  manualSeed(seed);
  const net = new TwoInputs();
  const start = snapshot(net);
  const optimizer = new AdamW(net, { lr: 5e-3, weightDecay: 0.1 });
  const schedule = new lrScheduler.CosineAnnealingLR(optimizer, { tMax: epochs });
  const step = recipe.makeStep(net, optimizer);
  const batches = new DataLoader(train, { batchSize, shuffle: true, seed });
  const watch = new Watch();
  const progress = new Progress(epochs * batches.length * tasks.length, { label: recipe.name });

  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const [pixels, blocks, labels] of batches)
      for (const [task, x] of [["pixels", pixels], ["blocks", blocks]] as const) {
        const other = restsDuring(task);
        progress.step({ loss: await watch.around(other, net[other], () => step(task, x, labels)) });
      }
    schedule.step();
    const { pixels, blocks } = await accuracies(net, test);
    progress.note({ accuracy: (pixels + blocks) / 2 });
  }
  progress.end();

  const moved = compareParameters(start, net);
  const parameters = net.namedParameters().map(([path, p]) => ({
    path,
    trainedBy: tasks.filter((task) => !path.startsWith(`${restsDuring(task)}.`)),
    steps: optimizer.state.get(p)?.step ?? 0,
    moved: moved.get(path)!.meanChange,
    movedFrozen: watch.unrest.get(path)?.distance ?? 0,
    bitsFrozen: watch.unrest.get(path)?.bits ?? 0,
  }));
  return { recipe: recipe.name, accuracy: await accuracies(net, test), parameters };
}
