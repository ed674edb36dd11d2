import { ArgumentError } from "../../base/errors.ts";
import { flag, refuseOptions } from "../../base/options.ts";
import type { Text } from "../text/text-tokenizer.ts";
import type { TextModel } from "../text-model.ts";
import { kindOf } from "./objectives/kind-of.ts";
import { predictionsOf } from "./objectives/objective-of.ts";
import { refuseOptionsOfOtherKinds } from "./objectives/options-of-kinds.ts";
import type { Predicting } from "./objectives/predicting.ts";
import { textBatches } from "./text-batches.ts";

/** Options of `predict`. */
export interface PredictOptions {
  /** How many texts go through the model at once; 32. */
  readonly batch?: number;
  /** The most tokens of a text; as many as tokenizer and model have unless given. */
  readonly maxLength?: number;
  /** From which probability on a label holds, where a text may have several; 0.5. */
  readonly threshold?: number;
  /** Whether texts with one label or several are given the probability of each label too, as `scores`; false. */
  readonly allScores?: boolean;
  /** How many tokens are given for a mask; 5. */
  readonly top?: number;
  /**
   * "simple": of "tag", entities in strings with the places where they stand, `{ entity, score, word, start, end }`, in place of
   * a label for each word; neighbouring tokens with labels of one kind are one.
   */
  readonly aggregationStrategy?: "simple";
}

/** What a model finds for texts, in their order: what `PretrainedModel.predict` does. */
export async function predict(
  model: TextModel,
  texts: readonly Text[],
  options: PredictOptions,
): Promise<unknown[]> {
  refuseOptions("predict", options, {
    batch: null,
    maxLength: null,
    threshold: null,
    allScores: flag,
    top: null,
    aggregationStrategy: null,
  });
  const { batch = 32, maxLength, threshold = 0.5, allScores = false, top = 5, aggregationStrategy } = options;
  const kind = kindOf("predict", model);
  if (!Array.isArray(texts))
    throw new ArgumentError(`predict: the texts are ${typeof texts}; give an array of them`);
  for (const [name, value] of Object.entries({ batch, top }))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`predict: ${name} is ${value}; it must be a whole number of at least 1`);
  requireThreshold("predict", threshold);
  if (aggregationStrategy !== undefined && aggregationStrategy !== "simple")
    throw new ArgumentError(
      `predict: aggregationStrategy is ${JSON.stringify(aggregationStrategy)}; it may be "simple"`,
    );
  refuseOptionsOfOtherKinds("predict", kind, options);
  const batches = textBatches("predict", model, maxLength);
  return predictionsOf({
    model: model as Predicting["model"],
    texts,
    batches,
    batch,
    threshold,
    allScores,
    top,
    aggregates: aggregationStrategy !== undefined,
  });
}

/** Throws `ArgumentError` for what is no probability. */
export function requireThreshold(op: string, threshold: number): void {
  if (!(threshold >= 0 && threshold <= 1))
    throw new ArgumentError(`${op}: threshold is ${threshold}; it must be a probability, from 0 to 1`);
}
