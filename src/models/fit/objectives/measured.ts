import type { Metrics } from "../../metrics/metrics.ts";
import { logitsOf } from "../forward-rows.ts";
import { textRows } from "./inputs.ts";
import type { LabelledTexts } from "./labelled-texts.ts";
import type { Objective, ObjectiveSettings } from "./objective.ts";

/** Measures by the logits of each text; null where there are no texts to measure with. */
export function measuredByLogits<T, M extends Metrics>(
  { model, batches, entry, batch }: ObjectiveSettings,
  labelled: LabelledTexts<T> | undefined,
  metricsOf: (targets: readonly T[], logits: readonly Float32Array[]) => M,
): Objective<M>["evaluate"] {
  if (labelled === undefined) return null;
  const rows = textRows(labelled.texts, batches);
  return async () => metricsOf(labelled.targets, await logitsOf("fit", model, entry, rows, batch));
}
