import { ArgumentError } from "../../base/errors.ts";
import type { Classifier } from "../auto-model.ts";
import { largest, logSumExp } from "../metrics/class-metrics.ts";
import type { Text, TextTokenizer } from "../text/text-tokenizer.ts";
import { requireClassifier } from "./classifier.ts";
import { logitsOf } from "./logits-of.ts";
import { textBatches } from "./text-batches.ts";

/** Options of `predict`. */
export interface PredictOptions {
  /** That of the model's folder: `readTokenizer(folder)`. */
  readonly tokenizer: TextTokenizer;
  /** How many texts go through the model at once; 32. */
  readonly batch?: number;
  /** The most tokens of a text; as many as tokenizer and model have unless given. */
  readonly maxLength?: number;
}

/** The label of a text, and how probable the model holds it, from 0 to 1. */
export interface Prediction {
  readonly label: string;
  readonly score: number;
}

/**
 * Says for each text, or pair of texts, which label a model gives it.
 *
 * Takes a model of `autoModel(folder, { task: "classify" })`, texts, and options. The model computes in eval mode, and has
 * the modes afterwards that it had before.
 * Throws `ArgumentError` for a model that does not choose one of several labels, and for a tokenizer or a length that does
 * not fit it; `NonFiniteError` where logits are no numbers.
 * Source: `TextClassificationPipeline` of transformers.
 */
export async function predict(
  model: Classifier,
  texts: readonly Text[],
  { tokenizer, batch = 32, maxLength }: PredictOptions,
): Promise<Prediction[]> {
  requireClassifier("predict", model);
  if (!Array.isArray(texts))
    throw new ArgumentError(`predict: the texts are ${typeof texts}; give an array of them`);
  if (!Number.isInteger(batch) || batch < 1)
    throw new ArgumentError(`predict: batch is ${batch}; it must be a whole number of at least 1`);
  const rows = await logitsOf(
    "predict",
    model,
    texts,
    textBatches("predict", model, tokenizer, maxLength),
    batch,
  );
  return rows.map((row) => {
    const k = largest(row);
    return { label: model.labels[k]!, score: Math.exp(row[k]! - logSumExp(row)) };
  });
}
