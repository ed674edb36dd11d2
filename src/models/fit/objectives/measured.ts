import type { Metrics } from "../../metrics/metrics.ts";
import { logitsOf } from "../forward-rows.ts";
import { textRows } from "./inputs.ts";
import type { LabelledTexts } from "./labelled-texts.ts";
import type { Objective, ObjectiveSettings } from "./objective.ts";

/** Measures by the logits of each text; null where there are no texts to measure with. */
export const measuredByLogits = <T, M extends Metrics>(
  { model, batches, batch }: ObjectiveSettings,
  labelled: LabelledTexts<T> | undefined,
  metricsOf: (targets: readonly T[], logits: readonly Float32Array[]) => M,
): Objective<M>["evaluate"] =>
  labelled === undefined
    ? null
    : async () => {
        const logits = await logitsOf("fit", model, textRows(labelled.texts, batches), batches, batch);
        return metricsOf(labelled.targets, logits);
      };
