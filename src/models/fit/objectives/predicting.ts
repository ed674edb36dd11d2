import type { Tensor } from "../../../tensor/tensor.ts";
import type { Text } from "../../text/text-tokenizer.ts";
import type { TextModel } from "../../text-model.ts";
import { Entry } from "../entry.ts";
import { logitsOf } from "../forward-rows.ts";
import type { TextBatches } from "../text-batches.ts";
import { textRows } from "./inputs.ts";

/** What predictions are made of. */
export interface Predicting {
  readonly model: TextModel<Tensor> & { readonly labels: readonly string[] };
  readonly texts: readonly Text[];
  readonly batches: TextBatches;
  readonly batch: number;
  readonly threshold: number;
  /** Whether each label is given with its probability, beside those that hold. */
  readonly allScores: boolean;
  readonly top: number;
  /** Whether labels of tokens are put together to entities. */
  readonly aggregates: boolean;
}

/** The logits of texts, in their order, of a model that gives some for each text. */
export const logitsOfTexts = (
  op: string,
  {
    model,
    texts,
    batches,
    batch,
  }: Pick<Predicting, "texts" | "batches" | "batch"> & { readonly model: TextModel<Tensor> },
): Promise<Float32Array[]> => logitsOf(op, model, new Entry(model, batches), textRows(texts, batches), batch);
