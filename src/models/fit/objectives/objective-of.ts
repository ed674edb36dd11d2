import { classObjective, predictClass } from "./class.ts";
import { classesObjective, predictClasses } from "./classes.ts";
import { embeddingsObjective, predictNoEmbeddings } from "./embeddings.ts";
import { kindOf, type ModelKind } from "./kind-of.ts";
import { maskedObjective, predictTokens } from "./masked.ts";
import { numberObjective, predictNumber } from "./number.ts";
import type { Objective, ObjectiveSettings } from "./objective.ts";
import type { Predicting } from "./predicting.ts";
import { predictTags, tagsObjective } from "./tags.ts";

interface KindOfObjective {
  readonly train: (settings: ObjectiveSettings) => Objective;
  readonly predict: (predicting: Predicting) => Promise<unknown[]>;
}

/** How models are trained, and what they give, by what they find. */
const objectives: Readonly<Record<ModelKind, KindOfObjective>> = {
  class: { train: classObjective, predict: predictClass },
  classes: { train: classesObjective, predict: predictClasses },
  number: { train: numberObjective, predict: predictNumber },
  tags: { train: tagsObjective, predict: predictTags },
  embeddings: { train: embeddingsObjective, predict: predictNoEmbeddings },
  masked: { train: maskedObjective, predict: predictTokens },
};

/** What `fit` trains a model for. */
export const objectiveOf = (settings: ObjectiveSettings): Objective =>
  objectives[kindOf("fit", settings.model)].train(settings);

/** What a model finds for texts. */
export const predictionsOf = (predicting: Predicting): Promise<unknown[]> =>
  objectives[kindOf("predict", predicting.model)].predict(predicting);
