import { mseLoss } from "../../../nn/losses/distance.ts";
import { tensor } from "../../../tensor/create.ts";
import { type NumberMetrics, numberMetrics } from "../../metrics/number-metrics.ts";
import type { TextDataset } from "../../text-data/text-dataset.ts";
import { textRows } from "./inputs.ts";
import { type LabelledTexts, labelledTexts } from "./labelled-texts.ts";
import { measuredByLogits } from "./measured.ts";
import type { Objective, ObjectiveSettings } from "./objective.ts";
import { logitsOfTexts, type Predicting } from "./predicting.ts";
import type { NumberPrediction } from "./predictions.ts";

/** A number for each text, or pair of texts: the squared difference. */
export function numberObjective(settings: ObjectiveSettings): Objective<NumberMetrics> {
  const { batches, entry } = settings;
  const train = labelled("train", settings.train);
  const measured = settings.eval && labelled("eval", settings.eval);
  const rows = textRows(train.texts, batches);
  return {
    length: train.texts.length,
    criteria: { loss: "less", mse: "less", pearson: "more", spearman: "more" },
    notKept: null,
    lengthOf: (i) => rows.row(i).ids.length,
    batch: async (indices) => ({
      inputs: [
        ...(await entry.inputsOf(rows, indices)).inputs,
        tensor(indices.map((i) => train.targets[i]!)),
      ],
      weight: indices.length,
    }),
    loss: (...inputs) =>
      mseLoss(entry.logits(inputs.slice(0, -1)).squeeze(1), inputs.at(-1)!, {
        reduction: "sum",
      }),
    evaluate: measuredByLogits(settings, measured, (targets, found) =>
      numberMetrics(
        targets,
        found.map(([value]) => value!),
      ),
    ),
  };
}

const labelled = (name: string, dataset: TextDataset): LabelledTexts<number> =>
  labelledTexts(name, dataset, "number", (target) => target as number);

/** The number of each text. */
export async function predictNumber(predicting: Predicting): Promise<NumberPrediction[]> {
  const found = await logitsOfTexts("predict", predicting);
  return found.map(([value]) => ({ value: value! }));
}
