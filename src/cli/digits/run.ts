import { DataLoader } from "../../data/data-loader.ts";
import type { Subset } from "../../data/dataset.ts";
import { compareParameters, snapshot } from "../../freeze/index.ts";
import { AdamW, lrScheduler } from "../../optim/index.ts";
import { manualSeed } from "../../tensor/index.ts";
import { Progress } from "../../train/index.ts";
import {
  accuracies,
  type Digits,
  type Lesson,
  lessons,
  type Part,
  type Task,
  TwoInputs,
  tasks,
} from "./network.ts";
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
  /** On the test set, when the tasks had taken turns; and when the layer of blocks had then been trained alone. */
  readonly accuracy: Readonly<Record<Task, number>>;
  readonly accuracyLater: Readonly<Record<Task, number>>;
  readonly parameters: readonly ParameterFate[];
}

const lr = 5e-3;

/** Passes over the data in which the layer of blocks is trained alone, after `epochs` of taking turns. */
const epochsAlone = (epochs: number): number => Math.ceil(epochs / 8);

/** Trains by a recipe and watches what is meant to rest. Every recipe has the same start and the same order. */
export async function run(
  recipe: Recipe,
  { train, test }: { train: Subset<Digits>; test: Subset<Digits> },
  { epochs, batchSize, seed }: RunOptions,
): Promise<RunResult> {
  manualSeed(seed);
  const net = new TwoInputs();
  const start = snapshot(net);
  const optimizer = new AdamW(net, { lr, weightDecay: 0.1 });
  const step = recipe.makeStep(net, optimizer);
  const batches = new DataLoader(train, { batchSize, shuffle: true, seed });
  const watch = new Watch(net);
  const perEpoch = batches.length;
  const progress = new Progress((epochs * tasks.length + epochsAlone(epochs)) * perEpoch, {
    label: recipe.name,
  });

  const teach = async (passes: number, taught: readonly Lesson[]): Promise<Record<Task, number>> => {
    for (const group of optimizer.paramGroups) group.lr = lr;
    const schedule = new lrScheduler.CosineAnnealingLR(optimizer, { TMax: passes });
    for (let pass = 0; pass < passes; pass++) {
      for (const [pixels, blocks, labels] of batches)
        for (const lesson of taught) {
          const x = lessons[lesson].input === "pixels" ? pixels : blocks;
          progress.step({ loss: await watch.around(lesson, () => step(lesson, x, labels)) });
        }
      schedule.step();
      const now = await accuracies(net, test);
      progress.note({ accuracy: (now.pixels + now.blocks) / 2 });
    }
    return accuracies(net, test);
  };
  const accuracy = await teach(epochs, tasks);
  const accuracyLater = await teach(epochsAlone(epochs), ["blocks alone"]);
  progress.end();

  const moved = compareParameters(start, net);
  const parameters = net.namedParameters().map(([path, p]) => ({
    path,
    trainedBy: tasks.filter((task) => lessons[task].trains.some((part: Part) => path.startsWith(`${part}.`))),
    steps: optimizer.state.get(p)?.step ?? 0,
    moved: moved.get(path)!.meanChange,
    movedFrozen: watch.unrest.get(path)!.distance,
    bitsFrozen: watch.unrest.get(path)!.bits,
  }));
  return { recipe: recipe.name, accuracy, accuracyLater, parameters };
}
