import { ArgumentError } from "../../../base/errors.ts";
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
  /** Whether each target is one of several labels, which can have weights and be smoothed. */
  readonly isOneOfSeveral: boolean;
  readonly predict: (predicting: Predicting) => Promise<unknown[]>;
}

/** How models are trained, and what they give, by what they find. */
const objectives: Readonly<Record<ModelKind, KindOfObjective>> = {
  class: { isOneOfSeveral: true, train: classObjective, predict: predictClass },
  classes: { isOneOfSeveral: false, train: classesObjective, predict: predictClasses },
  number: { isOneOfSeveral: false, train: numberObjective, predict: predictNumber },
  tags: { isOneOfSeveral: true, train: tagsObjective, predict: predictTags },
  embeddings: { isOneOfSeveral: false, train: embeddingsObjective, predict: predictNoEmbeddings },
  masked: { isOneOfSeveral: false, train: maskedObjective, predict: predictTokens },
};

/** What `fit` trains a model for. Throws `ArgumentError` for options that go with other kinds of targets alone. */
export function objectiveOf(settings: ObjectiveSettings): Objective {
  const kind = kindOf("fit", settings.model);
  const { train, isOneOfSeveral } = objectives[kind];
  if (settings.embeddings !== undefined && kind !== "embeddings")
    throw new ArgumentError(
      'fit: embeddings is given, and the model makes none; leave it out, or make the model with autoModel(folder, { task: "embed" })',
    );
  const { classWeights, labelSmoothing } = settings;
  if (!isOneOfSeveral && (classWeights !== undefined || labelSmoothing > 0))
    throw new ArgumentError(
      `fit: ${classWeights === undefined ? "labelSmoothing" : "classWeights"} is given, and the model does not choose one of several labels; leave it out`,
    );
  return train(settings);
}

/** What a model finds for texts. */
export const predictionsOf = (predicting: Predicting): Promise<unknown[]> =>
  objectives[kindOf("predict", predicting.model)].predict(predicting);
