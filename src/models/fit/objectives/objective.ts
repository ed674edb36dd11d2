import type { Tensor } from "../../../tensor/tensor.ts";
import type { EmbeddingLossOptions } from "../../embeddings/loss-by-columns.ts";
import type { Metrics } from "../../metrics/metrics.ts";
import type { TextDataset } from "../../text-data/text-dataset.ts";
import type { TextModel } from "../../text-model.ts";
import type { Entry } from "../entry.ts";
import type { TextBatches } from "../text-batches.ts";
import type { ClassWeights } from "./class-weights.ts";

/** What some examples are to a loss. */
export interface ObjectiveBatch {
  /** What `loss` takes. */
  readonly inputs: readonly Tensor[];
  /** By how much the loss of these examples is divided, to be a mean: how many labels there are, each by its weight. */
  readonly weight: number;
}

/** What `fit` trains a model for, of the data and the options that it has. */
export interface Objective<M extends Metrics = Metrics> {
  /** How many examples there are to learn from. */
  readonly length: number;
  /** Metrics that `best` may name, and whether more of each is better. */
  readonly criteria: Readonly<Record<string, "more" | "less">>;
  /**
   * Why what frozen layers give cannot be kept from epoch to epoch. Null: an example is the same row in each, and all rows
   * go through `entry` of the settings.
   */
  readonly notKept: string | null;
  /** How long an example is, in tokens. */
  lengthOf(index: number): number;
  /** The batches of an epoch, from 0, where they are not any examples in a random order. */
  deal?(epoch: number): number[][];
  /** Whether the model is measured before the first update too. */
  readonly measuresBefore?: boolean;
  /** What examples are in an epoch, from 0, of a training with a seed. */
  batch(indices: readonly number[], epoch: number): ObjectiveBatch | Promise<ObjectiveBatch>;
  /** The sum of the losses of a batch's labels, of which the batch's `weight` makes a mean. */
  loss(...inputs: Tensor[]): Tensor;
  /** Measures the model as it is now, with the examples for that. It is null where there are none. */
  readonly evaluate: (() => Promise<M>) | null;
}

/** What an objective is made of. */
export interface ObjectiveSettings {
  readonly model: TextModel<Tensor> & { readonly labels: readonly string[] };
  readonly train: TextDataset;
  readonly eval: TextDataset | undefined;
  readonly batches: TextBatches;
  /** How rows go into the model. */
  readonly entry: Entry;
  /** How many texts go through the model at once where it is measured. */
  readonly batch: number;
  readonly seed: number;
  /** How many ranks train together, each with a part of a batch; and how many batches make an update. */
  readonly ranks: number;
  readonly accumulate: number;
  readonly bucket: boolean;
  readonly embeddings: EmbeddingLossOptions | undefined;
  readonly classWeights: ClassWeights | undefined;
  readonly labelSmoothing: number;
  readonly threshold: number;
}
