import { binaryCrossEntropyWithLogits } from "../../../nn/losses/binary-cross-entropy.ts";
import { tensor } from "../../../tensor/create.ts";
import { type LabelsMetrics, labelsMetrics, sigmoid } from "../../metrics/labels-metrics.ts";
import { textRows } from "./inputs.ts";
import { labelLists } from "./labelled-texts.ts";
import { measuredByLogits } from "./measured.ts";
import type { Objective, ObjectiveSettings } from "./objective.ts";
import { logitsOfTexts, type Predicting } from "./predicting.ts";
import type { LabelsPrediction } from "./predictions.ts";

/** Several labels for each text, or pair of texts, or none: binary cross entropy of each. */
export function classesObjective(settings: ObjectiveSettings): Objective<LabelsMetrics> {
  const { model, batches, entry } = settings;
  const train = labelLists("train", settings.train, "classes", model.labels);
  const measured = settings.eval && labelLists("eval", settings.eval, "classes", model.labels);
  const rows = textRows(train.texts, batches);
  return {
    length: train.texts.length,
    criteria: { loss: "less", accuracy: "more", microF1: "more", macroF1: "more" },
    notKept: null,
    lengthOf: (i) => rows.row(i).ids.length,
    async batch(indices) {
      const hot = indices.map((i) => {
        const has = new Set(train.targets[i]);
        return model.labels.map((_, k) => (has.has(k) ? 1 : 0));
      });
      return {
        inputs: [...(await entry.inputsOf(rows, indices)).inputs, tensor(hot)],
        weight: indices.length * model.labels.length,
      };
    },
    loss: (...inputs) =>
      binaryCrossEntropyWithLogits(entry.logits(inputs.slice(0, -1)), inputs.at(-1)!, {
        reduction: "sum",
      }),
    evaluate: measuredByLogits(settings, measured, (targets, logits) =>
      labelsMetrics(model.labels, targets, logits, settings.threshold),
    ),
  };
}

/** The labels of each text whose probability is `threshold` or more, the likeliest first. */
export async function predictClasses(predicting: Predicting): Promise<LabelsPrediction[]> {
  const { model, threshold, allScores } = predicting;
  const logits = await logitsOfTexts("predict", predicting);
  return logits.map((row) => {
    const scores = model.labels
      .map((label, k) => ({ label, score: sigmoid(row[k]!) }))
      .sort((a, b) => b.score - a.score);
    const labels = scores.filter(({ score }) => score >= threshold);
    return allScores ? { labels, scores } : { labels };
  });
}
