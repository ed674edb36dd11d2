import { mseLoss } from "../../../nn/losses/distance.ts";
import { tensor } from "../../../tensor/create.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { type NumberMetrics, numberMetrics } from "../../metrics/number-metrics.ts";
import type { TextDataset } from "../../text-data/text-dataset.ts";
import { logitsOf } from "../forward-rows.ts";
import { inputsOf, textRows } from "./inputs.ts";
import { type LabelledTexts, labelledTexts } from "./labelled-texts.ts";
import { measuredByLogits } from "./measured.ts";
import type { Objective, ObjectiveSettings } from "./objective.ts";
import type { Predicting } from "./predicting.ts";
import type { NumberPrediction } from "./predictions.ts";

/** A number for each text, or pair of texts: the squared difference. */
export function numberObjective(settings: ObjectiveSettings): Objective<NumberMetrics> {
  const { model, batches } = settings;
  const train = labelled("train", settings.train);
  const measured = settings.eval && labelled("eval", settings.eval);
  const rows = textRows(train.texts, batches);
  return {
    length: train.texts.length,
    criteria: { loss: "less", mse: "less", pearson: "more", spearman: "more" },
    lengthOf: (i) => rows.row(i).ids.length,
    batch: (indices) => ({
      inputs: [...inputsOf(batches, indices.map(rows.row)), tensor(indices.map((i) => train.targets[i]!))],
      weight: indices.length,
    }),
    loss: (inputIds: Tensor, attentionMask: Tensor, tokenTypeIds: Tensor, y: Tensor) =>
      mseLoss(model.forward({ inputIds, attentionMask, tokenTypeIds }).to("f32").squeeze(1), y, {
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
export async function predictNumber({
  model,
  texts,
  batches,
  batch,
}: Predicting): Promise<NumberPrediction[]> {
  const found = await logitsOf("predict", model, textRows(texts, batches), batches, batch);
  return found.map(([value]) => ({ value: value! }));
}
