import type { Tensor } from "../../../tensor/tensor.ts";
import type { Text } from "../../text/text-tokenizer.ts";
import type { TextModel } from "../../text-model.ts";
import type { TextBatches } from "../text-batches.ts";

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
}
