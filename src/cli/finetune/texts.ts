import { ArgumentError } from "../../base/errors.ts";
import { type Config, ConfigReader, labelsOf } from "../../models/config.ts";
import { type ReadDataOptions, readData } from "../../models/text-data/read-data.ts";
import { canStratify, splitTexts } from "../../models/text-data/split-texts.ts";
import type { TextDataset } from "../../models/text-data/text-dataset.ts";
import type { FinetuneOptions } from "./options.ts";
import { type TunedTask, taskNames } from "./task-names.ts";

/** Texts of a run, and what is to be found for them. */
export interface Texts {
  readonly train: TextDataset;
  readonly eval: TextDataset | null;
  readonly task: TunedTask;
  /** The labels that the model is to have, in their order; null where it has none. */
  readonly labels: readonly string[] | null;
}

/** Tasks by the kind of targets that texts have. */
const taskOfKind = { class: "classify", classes: "multiLabel", number: "regress", tags: "tag" } as const;

/** Reads the texts that a run learns from and is measured with. */
export async function readTexts(options: FinetuneOptions, config: Config): Promise<Texts> {
  const { data, eval: evalPath, valSplit, text, label, seed = 0 } = options;
  if (evalPath !== undefined && valSplit !== undefined)
    throw new ArgumentError(
      "--eval and --val-split are both given; texts to measure with are of one of them",
    );
  const wanted = options.task === undefined ? null : taskNames[options.task];
  const columns: ReadDataOptions = {
    ...(text === undefined ? {} : { text: text.length === 1 ? text[0]! : text }),
    ...(label === undefined ? (wanted === "maskedLM" ? { label: null } : {}) : { label }),
    // Labels of classes may look like numbers, as those of versions or ratings.
    ...(wanted === "classify" ? { regression: false } : {}),
    ...(wanted === "regress" || (wanted === "embed" && label !== undefined) ? { regression: true } : {}),
  };
  const all = await readData(data, columns);
  const task = wanted ?? taskOf(all);
  const hasLabels = all.labels.length > 0;
  const own = await readEval();
  const labels = hasLabels && task !== "embed" ? labelsFor(config, all.labels) : null;
  if (own !== null || valSplit === undefined) return { train: all, eval: own, task, labels };
  const split = splitTexts(all, { test: valSplit, stratify: canStratify(all), seed });
  return { train: split.train, eval: split.test, task, labels };

  async function readEval(): Promise<TextDataset | null> {
    if (evalPath === undefined) return null;
    const { text: texts, label: name } = all.columns;
    return readData(evalPath, {
      text: texts as string[],
      label: name,
      ...(hasLabels ? { labels: all.labels } : {}),
      ...(all.kind === "number" ? { regression: true } : {}),
    });
  }
}

function taskOf({ kind, columns }: TextDataset): TunedTask {
  if (kind !== "none") return taskOfKind[kind];
  if (columns.text.length > 1) return "embed";
  throw new ArgumentError(
    "What is to be found for the texts? No column has labels: name it with --label COLUMN, or say --task masked-lm, which needs none",
  );
}

/** Labels as the folder has them, where it has all of them, so that a head which knows them is kept. */
function labelsFor(config: Config, labels: readonly string[]): readonly string[] {
  if (config.id2label === undefined) return labels;
  const known = labelsOf(new ConfigReader(config));
  return labels.every((label) => known.includes(label)) ? known : labels;
}
