import { currentBackend } from "../backends/registry.ts";
import { grouped, percent, table } from "../base/table.ts";
import { digitsOf, tasks } from "./digits/network.ts";
import { leaky, trains } from "./digits/recipes.ts";
import { type RunOptions, type RunResult, run } from "./digits/run.ts";

/** `thaw digits`: two tasks on real handwriting that share a trunk; then the same with the recipe that leaks. */
export async function digits(
  options: RunOptions,
  print: (line: string) => void,
): Promise<{ ours: RunResult; theirs: RunResult }> {
  const { readFileSync } = process.getBuiltinModule("node:fs");
  const data = digitsOf(readFileSync(new URL("../../data/digits.csv", import.meta.url), "utf8"));
  const backend = currentBackend();
  print(
    `${grouped(data.train.length + data.test.length)} handwritten digits, a quarter of them for the test.`,
  );
  print(
    "Two kinds of input, 64 pixels or the 16 means of their 2×2 blocks, each with a first layer of its own,",
  );
  print(
    "then a trunk that both share. The tasks take turns: each trains its own layer and the trunk, with AdamW.",
  );
  print("At the end the layer of blocks is trained alone, while all else rests.");
  print(`Backend ${backend.name}: ${backend.describe()}.`);

  print("\nThe step says what it trains: trainStep(optimizer, { loss, trains }).\n");
  const ours = await run(trains, data, options);
  for (const line of ["", ...fates(ours)]) print(line);

  print(
    "\nBeside it the usual recipe: requiresGrad = false on what rests, zeroGrad({ setToNone: false }), step().\n",
  );
  const theirs = await run(leaky, data, options);
  for (const line of ["", ...fates(theirs)]) print(line);

  print(
    "\nAccuracy on the test set when the tasks had taken turns, and of pixels when blocks had then trained alone:\n",
  );
  for (const line of comparison([ours, theirs])) print(line);
  print(
    "\nNothing that pixels needs was trained in that last part. Whatever its accuracy changed by, leaked.",
  );
  return { ours, theirs };
}

const fates = ({ parameters }: RunResult): string[] =>
  table(
    ["parameter", "trained by", "steps", "moved", "moved while frozen", "bits changed while frozen"],
    parameters.map((p) => [
      p.path,
      p.trainedBy.join(", "),
      grouped(p.steps),
      p.moved.toFixed(4),
      p.movedFrozen.toFixed(4),
      grouped(p.bitsFrozen),
    ]),
  );

const comparison = (results: readonly RunResult[]): string[] =>
  table(
    ["recipe", "pixels", "blocks", "pixels, later", "bits changed while frozen"],
    results.map(({ recipe, accuracy, accuracyLater, parameters }) => [
      recipe,
      ...tasks.map((task) => percent(accuracy[task])),
      percent(accuracyLater.pixels),
      grouped(parameters.reduce((sum, p) => sum + p.bitsFrozen, 0)),
    ]),
  );
