import { DataLoader } from "../../data/data-loader.ts";
import type { Subset } from "../../data/dataset.ts";
import { AdamW, CosineAnnealingLR } from "../../optim/index.ts";
import { manualSeed } from "../../tensor/index.ts";
import { Progress } from "../../train/index.ts";
import { accuracies, type Digits, restsDuring, type Task, TwoInputs, tasks } from "./network.ts";
import type { Recipe } from "./recipes.ts";
import { distance, Watch } from "./watch.ts";

/** How long, with what batches, from which seed. */
export interface RunOptions {
  readonly epochs: number;
  readonly batchSize: number;
  readonly seed: number;
}

/** What a run did to one parameter. */
export interface ParameterFate {
  readonly path: string;
  readonly trainedBy: string;
  /** Steps that the optimizer counts for it. */
  readonly steps: number;
  /** From where it began to where it ended. */
  readonly moved: number;
  readonly movedWhileFrozen: number;
  readonly bitsWhileFrozen: number;
}

/** What came of a run. */
export interface RunResult {
  readonly recipe: string;
  readonly accuracy: Readonly<Record<Task, number>>;
  readonly parameters: readonly ParameterFate[];
}

/** Trains both tasks in turn by a recipe, watching what is meant to rest; the same start and order for each recipe. */
export async function run(
  recipe: Recipe,
  { train, test }: { train: Subset<Digits>; test: Subset<Digits> },
  { epochs, batchSize, seed }: RunOptions,
): Promise<RunResult> {
  manualSeed(seed);
  const net = new TwoInputs();
  const named = net.namedParameters();
  const start = new Map(named.map(([path, p]) => [path, p.dataSync()]));
  const optimizer = new AdamW(net, { lr: 5e-3, weightDecay: 0.1 });
  const schedule = new CosineAnnealingLR(optimizer, { tMax: epochs });
  const step = recipe.makeStep(net, optimizer);
  const batches = new DataLoader(train, { batchSize, shuffle: true, seed });
  const resting = {
    pixels: net[restsDuring("pixels")].parameters(),
    blocks: net[restsDuring("blocks")].parameters(),
  };
  const watch = new Watch();
  const progress = new Progress(epochs * batches.length * tasks.length, { label: recipe.name });

  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const [pixels, blocks, labels] of batches)
      for (const [task, x] of [["pixels", pixels], ["blocks", blocks]] as const)
        progress.step({ loss: await watch.around(resting[task], () => step(task, x, labels)) });
    schedule.step();
    const { pixels, blocks } = await accuracies(net, test);
    progress.note({ accuracy: (pixels + blocks) / 2 });
  }
  progress.end();

  const accuracy = await accuracies(net, test);
  const parameters = named.map(([path, p]) => ({
    path,
    trainedBy: tasks.filter((task) => !resting[task].includes(p)).join(" and "),
    steps: optimizer.state.get(p)?.step ?? 0,
    moved: distance(start.get(path)!, p.dataSync()),
    movedWhileFrozen: watch.unrest.get(p)?.distance ?? 0,
    bitsWhileFrozen: watch.unrest.get(p)?.bits ?? 0,
  }));
  return { recipe: recipe.name, accuracy, parameters };
}
