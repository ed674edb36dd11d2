import { currentBackend } from "../backends/registry.ts";
import { loadDigits, tasks } from "./digits/network.ts";
import { leaky, trains } from "./digits/recipes.ts";
import { type RunOptions, type RunResult, run } from "./digits/run.ts";
import { grouped, percent, table } from "./table.ts";

/** `thaw digits`: two tasks on real handwriting, trained in turn; then the same with the recipe that leaks. */
export async function digits(
  options: RunOptions,
  print: (line: string) => void,
): Promise<{ trains: RunResult; leaky: RunResult }> {
  const data = loadDigits();
  const backend = currentBackend();
  print(`${grouped(data.train.length + data.test.length)} handwritten digits, a quarter of them for the test.`);
  print("Two kinds of input, 64 pixels or the 16 means of their 2×2 blocks, each with a first layer of its own,");
  print("then a trunk that both share. The tasks take turns: each trains its own layer and the trunk (AdamW).");
  print(`Backend ${backend.name}: ${backend.describe()}.`);
  print("");

  const ours = await run(trains, data, options);
  print("");
  for (const line of parameterTable(ours)) print(line);
  print("");
  print("Beside it the recipe of many tutorials: requiresGrad = false, zeroGrad({ setToNone: false }), step().");
  print("");
  const theirs = await run(leaky, data, options);
  print("");
  for (const line of parameterTable(theirs)) print(line);
  print("");
  for (const line of comparison(ours, theirs)) print(line);
  return { trains: ours, leaky: theirs };
}

const parameterTable = ({ parameters }: RunResult): string[] =>
  table(
    ["parameter", "trained by", "steps", "moved", "moved while frozen", "bits changed while frozen"],
    parameters.map((p) => [
      p.path,
      p.trainedBy.join(" and "),
      grouped(p.steps),
      p.moved.toFixed(4),
      ...(p.trainedBy.length < tasks.length ? [p.movedFrozen.toFixed(4), grouped(p.bitsFrozen)] : ["–", "–"]),
    ]),
  );

function comparison(ours: RunResult, theirs: RunResult): string[] {
  const row = ({ recipe, accuracy, parameters }: RunResult) => [
    recipe,
    ...tasks.map((task) => percent(accuracy[task])),
    grouped(parameters.reduce((sum, p) => sum + p.bitsFrozen, 0)),
  ];
  return table(
    ["recipe", ...tasks.map((task) => `test accuracy, ${task}`), "bits changed while frozen"],
    [row(ours), row(theirs)],
  );
}
