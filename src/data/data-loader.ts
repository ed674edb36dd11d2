import { ArgumentError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Dataset } from "./dataset.ts";
import { permutation } from "./shuffle.ts";

/** Options of `DataLoader`. */
export interface DataLoaderOptions {
  /** Rows a batch; the last one may have fewer. Default 1. */
  batchSize?: number;
  /** Whether each pass has a random order of its own. Default false. */
  shuffle?: boolean;
  /** Whether to leave out a last batch that is not full. Default false. */
  dropLast?: boolean;
  /** What the orders come from. Default 0. */
  seed?: number;
}

/** Goes through a dataset in batches, once per `for … of`: `torch.utils.data.DataLoader`. */
export class DataLoader<B extends readonly Tensor[]> implements Iterable<B> {
  readonly dataset: Dataset<B>;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly dropLast: boolean;
  readonly seed: number;
  /** Passes begun. Set it to come to the order of another pass. */
  epoch = 0;

  constructor(dataset: Dataset<B>, options: DataLoaderOptions = {}) {
    const { batchSize = 1, shuffle = false, dropLast = false, seed = 0 } = options;
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new ArgumentError(
        `DataLoader: batchSize is ${batchSize}; it must be a whole number of at least 1`,
      );
    this.dataset = dataset;
    this.batchSize = batchSize;
    this.shuffle = shuffle;
    this.dropLast = dropLast;
    this.seed = seed;
  }

  /** Batches a pass. */
  get length(): number {
    const batches = this.dataset.length / this.batchSize;
    return this.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  *[Symbol.iterator](): Iterator<B> {
    const rows = this.dataset.length;
    const epoch = this.epoch++;
    const order = this.shuffle
      ? permutation(rows, this.seed, epoch)
      : Int32Array.from({ length: rows }, (_, i) => i);
    for (let i = 0; i < this.length; i++)
      yield this.dataset.batch(order.subarray(i * this.batchSize, (i + 1) * this.batchSize));
  }
}
