import { DataError } from "../../../base/errors.ts";
import { crossEntropy } from "../../../nn/losses/cross-entropy.ts";
import { tensor } from "../../../tensor/create.ts";
import { type ClassMetrics, classMetrics, largest, logSumExp } from "../../metrics/class-metrics.ts";
import type { TextDataset } from "../../text-data/text-dataset.ts";
import { classWeightsOf } from "./class-weights.ts";
import { textRows } from "./inputs.ts";
import { type LabelledTexts, labelledTexts, numbersFor } from "./labelled-texts.ts";
import { measuredByLogits } from "./measured.ts";
import type { Objective, ObjectiveSettings } from "./objective.ts";
import { logitsOfTexts, type Predicting } from "./predicting.ts";
import type { Prediction } from "./predictions.ts";

/** One of several labels for each text, or pair of texts: cross entropy. */
export function classObjective(settings: ObjectiveSettings): Objective<ClassMetrics> {
  const { model, batches, entry, labelSmoothing } = settings;
  const train = labelled("train", settings.train, model.labels);
  requireTwoLabels(train, model.labels);
  const weights = classWeightsOf(settings.classWeights, train.targets, model.labels);
  const weight = weights && tensor([...weights]);
  const measured = settings.eval && labelled("eval", settings.eval, model.labels);
  const rows = textRows(train.texts, batches);
  return {
    length: train.texts.length,
    criteria: { loss: "less", accuracy: "more", macroF1: "more" },
    notKept: null,
    lengthOf: (i) => rows.row(i).ids.length,
    async batch(indices) {
      const targets = indices.map((i) => train.targets[i]!);
      return {
        inputs: [...(await entry.inputsOf(rows, indices)).inputs, tensor(targets, { dtype: "i32" })],
        weight: targets.reduce((sum, target) => sum + (weights?.[target] ?? 1), 0),
      };
    },
    loss: (...inputs) =>
      crossEntropy(entry.logits(inputs.slice(0, -1)), inputs.at(-1)!, {
        weight,
        labelSmoothing,
        reduction: "sum",
      }),
    evaluate: measuredByLogits(settings, measured, (targets, logits) =>
      classMetrics(model.labels, targets, logits),
    ),
  };
}

const labelled = (name: string, dataset: TextDataset, labels: readonly string[]): LabelledTexts<number> => {
  const numberOf = numbersFor(name, dataset, labels);
  return labelledTexts(name, dataset, "class", (target, i) => numberOf(target as number, i));
};

/** Throws `DataError` for texts that have all the same label, of which nothing can be learned. */
function requireTwoLabels({ targets }: LabelledTexts<number>, labels: readonly string[]): void {
  if (targets.every((target) => target === targets[0]))
    throw new DataError(
      `fit: all ${targets.length} texts of train have the label ${JSON.stringify(labels[targets[0]!])}; give texts of at least two`,
    );
}

/** The likeliest label of each text. */
export async function predictClass(predicting: Predicting): Promise<Prediction[]> {
  const { model, allScores } = predicting;
  const logits = await logitsOfTexts("predict", predicting);
  return logits.map((row) => {
    const total = logSumExp(row);
    const of = (k: number) => ({ label: model.labels[k]!, score: Math.exp(row[k]! - total) });
    const best = of(largest(row));
    if (!allScores) return best;
    return { ...best, scores: model.labels.map((_, k) => of(k)).sort((a, b) => b.score - a.score) };
  });
}
