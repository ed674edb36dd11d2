import { ArgumentError, StateDictError } from "../base/errors.ts";
import { flag, type OptionCheck, refuseOptions, wholeNumber } from "../base/options.ts";
import type { Stateful } from "../base/stateful.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Dataset, requireSamples, type Samples } from "./dataset.ts";
import { batchesIn, type Ranks, requireRanks, type Sharding, shareOf } from "./sharding.ts";
import { permutation } from "./shuffle.ts";

/** Options of `DataLoader`. */
export interface DataLoaderOptions {
  /** Rows a batch; the last one may have fewer. Default 1. With a `group`, rows a batch of each rank. */
  batchSize?: number;
  /** Whether each pass has a random order of its own. Default false. */
  shuffle?: boolean;
  /** Whether to leave out a last batch that is not full, on every rank. Default false. */
  dropLast?: boolean;
  /** What the orders come from. Default 0. */
  seed?: number;
  /**
   * Shares each pass out among ranks, as PyTorch's `DistributedSampler` does, but with every row exactly once: all
   * have the order of the seed, which must be theirs all, and of each batch of all ranks rank r takes the rows r,
   * r + size, and so on. All have as many batches, none of them empty: a last one may be of a row less on some ranks
   * (see `samples` of `trainStep`), and where fewer rows than ranks are left over these go into the batch before.
   */
  group?: Ranks;
  /**
   * Whether `batchSize` is of all ranks together, which each batch is split among: then batches are made of the same
   * rows on any number of ranks, and a pass goes on from a checkpoint on another number. Default false.
   */
  splitBatches?: boolean;
  /** Once it is aborted a pass ends: asked for the next batch, it throws the signal's reason. */
  signal?: AbortSignal;
}

const loaderOptions: {
  readonly [K in keyof Required<DataLoaderOptions & Partial<Collating<never, never>>>]: OptionCheck | null;
} = {
  batchSize: null,
  shuffle: flag,
  dropLast: flag,
  seed: wholeNumber,
  group: null,
  splitBatches: flag,
  signal: null,
  collateFn: null,
};

/** What makes a batch of samples, such as texts of any length: whatever it gives is what a loop gets. */
export interface Collating<B, S> {
  collateFn: (samples: S[]) => B;
}

/** Where a loader stands, and what makes its orders. */
export interface DataLoaderStateDict {
  /** The pass that comes next; with `batch`, the one that is under way. */
  epoch: number;
  /** Batches of the pass that it has given; 0 between passes. */
  batch: number;
  /** What the pass after the one under way is, where `epoch` was set meanwhile. */
  next?: number;
  rows: number;
  /** Of all ranks together. */
  batchSize: number;
  /** Ranks that share it out, where there are several. */
  ranks?: number;
  shuffle: boolean;
  dropLast: boolean;
  seed: number;
}

/**
 * Goes through a dataset in batches, once per `for … of`: `torch.utils.data.DataLoader`. With a `collateFn`, through
 * what has samples (an array, `TensorDataset`, anything with `length` and `at(index)`), a batch being what that makes of
 * them: `new DataLoader(texts, { batchSize: 8, collateFn: (some) => tokenize(some) })`. It takes part in checkpoints:
 * after `loadStateDict` the next `for … of` goes on with the pass that was under way, after the last batch that it gave.
 */
export class DataLoader<B = readonly Tensor[], S = never>
  implements Iterable<B>, Stateful<DataLoaderStateDict>
{
  readonly dataset: Dataset<B> | Samples<S>;
  readonly collateFn: ((samples: S[]) => B) | null;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly dropLast: boolean;
  readonly seed: number;
  readonly splitBatches: boolean;
  /** The ranks that share each pass out; null where there is one. */
  readonly group: Ranks | null;
  readonly #sharding: Sharding;
  readonly #signal: AbortSignal | undefined;
  /** Passes begun. Set it to come to the order of another pass. */
  epoch = 0;
  /** The pass that was begun last, if it has not ended. */
  #pass: { readonly epoch: number; batch: number } | null = null;
  #loads = 0;
  /** Where the pass `epoch` is to be gone on with, and the pass that follows it. */
  #resume: { readonly epoch: number; readonly batch: number; readonly next: number } | null = null;

  readonly #batch: (rows: Int32Array) => B;

  constructor(dataset: Dataset<B>, options?: DataLoaderOptions & { collateFn?: undefined });
  constructor(dataset: Samples<S>, options: DataLoaderOptions & Collating<B, S>);
  constructor(dataset: Dataset<B> | Samples<S>, options: DataLoaderOptions & Partial<Collating<B, S>> = {}) {
    refuseOptions("DataLoader", options, loaderOptions);
    const { batchSize = 1, shuffle = false, dropLast = false, seed = 0, collateFn, signal } = options;
    const { group, splitBatches = false } = options;
    if (collateFn !== undefined && typeof collateFn !== "function")
      throw new ArgumentError(
        `DataLoader: collateFn is ${typeof collateFn}; it must be a function that makes a batch of an array of samples`,
      );
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new ArgumentError(
        `DataLoader: batchSize is ${batchSize}; it must be a whole number of at least 1`,
      );
    if (group !== undefined) requireRanks("DataLoader", group);
    const { rank, size } = group ?? { rank: 0, size: 1 };
    if (splitBatches && batchSize < size)
      throw new ArgumentError(
        `DataLoader: batchSize is ${batchSize}, which cannot be split among ${size} ranks; give at least a row for each`,
      );
    this.#batch = batchesOf(dataset, collateFn);
    this.dataset = dataset;
    this.collateFn = collateFn ?? null;
    this.batchSize = batchSize;
    this.shuffle = shuffle;
    this.dropLast = dropLast;
    this.seed = seed;
    this.splitBatches = splitBatches;
    this.group = size > 1 ? group! : null;
    this.#sharding = { rank, size, dropLast, together: splitBatches ? batchSize : batchSize * size };
    this.#signal = signal;
  }

  /** Batches a pass, as many on each rank. */
  get length(): number {
    return batchesIn(this.dataset.length, this.#sharding);
  }

  /** Another loader of the same, from the same pass on, that is shared out among ranks. */
  sharedOut(group: Ranks): DataLoader<B, S> {
    const { batchSize, shuffle, dropLast, seed, splitBatches } = this;
    const settings = { batchSize, shuffle, dropLast, seed, splitBatches, group };
    const more = { ...(this.#signal && { signal: this.#signal }), collateFn: this.collateFn ?? undefined };
    const other = new DataLoader<B, S>(
      this.dataset as Samples<S>,
      { ...settings, ...more } as DataLoaderOptions & Collating<B, S>,
    );
    other.epoch = this.epoch;
    return other;
  }

  [Symbol.iterator](): IterableIterator<B> {
    const rows = this.dataset.length;
    if (!Number.isSafeInteger(rows) || rows < 0)
      throw new ArgumentError(`DataLoader: the dataset's length is ${String(rows)}; it is a whole number`);
    const { size } = this.#sharding;
    if (rows > 0 && rows < size && !this.dropLast)
      throw new ArgumentError(
        `DataLoader: ${rows} rows cannot be shared out among ${size} ranks: one would have none, and all are to make the same calls; give more rows, or take fewer ranks`,
      );
    const epoch = this.epoch++;
    const pass = { epoch, batch: 0 };
    // One that was set to another pass has nothing to go on with.
    if (this.#resume?.epoch === epoch) ({ batch: pass.batch, next: this.epoch } = this.#resume);
    this.#resume = null;
    this.#pass = pass;
    const order = this.shuffle
      ? permutation(rows, this.seed, epoch)
      : Int32Array.from({ length: rows }, (_, i) => i);
    const count = batchesIn(rows, this.#sharding);
    const loads = this.#loads;
    let over = false;
    // No generator: one that is ended before its first batch would not end its pass.
    const end = (): { done: true; value: undefined } => {
      over = true;
      if (this.#pass === pass) this.#pass = null;
      return { done: true, value: undefined };
    };
    const batches: IterableIterator<B> = {
      next: () => {
        if (this.#signal?.aborted) end();
        this.#signal?.throwIfAborted();
        // A pass that another has been loaded over is over.
        if (over || loads !== this.#loads || pass.batch >= count) return end();
        // Rows that have come to it since then are of the next pass; those of this one have to be there.
        if (this.dataset.length < rows) {
          end();
          throw new ArgumentError(
            `DataLoader: the dataset had ${rows} rows when the pass began, and has ${this.dataset.length} now; take rows out between passes`,
          );
        }
        const own = shareOf(order, pass.batch++, this.#sharding);
        try {
          return { done: false, value: this.#batch(own) };
        } catch (error) {
          end();
          throw error;
        }
      },
      return: end,
      [Symbol.iterator]: () => batches,
    };
    return batches;
  }

  /** Where it stands: batches count as given from when the loop that takes them has them. */
  stateDict(): DataLoaderStateDict {
    const { shuffle, dropLast, seed } = this;
    const { together: batchSize, size } = this.#sharding;
    const ranks = size > 1 && { ranks: size };
    const settings = { rows: this.dataset.length, batchSize, ...ranks, shuffle, dropLast, seed };
    // One that was loaded, and then set to another pass, is between passes.
    const resume = this.#resume?.epoch === this.epoch ? this.#resume : null;
    const at = this.#pass === null ? resume : { ...this.#pass, next: this.epoch };
    if (at === null) return { epoch: this.epoch, batch: 0, ...settings };
    const { epoch, batch, next } = at;
    return { epoch, batch, ...(next !== epoch + 1 && { next }), ...settings };
  }

  /** Goes to where another of the same batches stood. A pass that is under way here ends. */
  loadStateDict(state: DataLoaderStateDict): void {
    this.prepareLoad(state)();
  }

  /** Checks what `loadStateDict` takes; gives what puts it in place, which cannot fail. */
  prepareLoad(state: DataLoaderStateDict): () => void {
    const { epoch, batch, next = epoch + 1, ranks = 1 } = state;
    if (![epoch, batch].every((n) => Number.isSafeInteger(n) && n >= 0) || !Number.isSafeInteger(next))
      throw new StateDictError(
        `DataLoader.loadStateDict: epoch is ${epoch}, batch is ${batch}; they are whole numbers of at least 0`,
      );
    const here = this.stateDict();
    const settings = [
      "rows",
      "batchSize",
      "dropLast",
      "shuffle",
      ...(this.shuffle ? ["seed" as const] : []),
    ] as const;
    const wrong = settings.filter((name) => state[name] !== here[name]);
    // Between passes there is no place in an order that could be another.
    if (batch > 0 && wrong.length > 0)
      throw new StateDictError(
        `DataLoader.loadStateDict: after ${batch} batches of a pass, other batches would follow: ${wrong
          .map((name) => `${name} was ${state[name]} and is ${here[name]}`)
          .join(
            ", ",
          )}${ranks > 1 || this.group !== null ? " (batchSize is that of all ranks together)" : ""}. Make the loader as it was, or leave it out to begin a pass.`,
      );
    // How many batches a pass has depends on the number of ranks, where few rows are left over.
    const ended = batch > 0 && batch >= batchesIn(state.rows, { ...this.#sharding, size: ranks });
    if (batch > 0 && !ended && batch >= this.length)
      throw new StateDictError(
        `DataLoader.loadStateDict: ${state.rows - batch * here.batchSize} rows of the pass are left, which cannot be shared out among ${this.#sharding.size} ranks. Go on with the ${ranks === 1 ? "one rank" : `${ranks} ranks`} that there were, or leave it out to begin a pass.`,
      );
    const given = ended ? Math.max(batch, this.length) : batch;
    return () => {
      this.epoch = epoch;
      this.#pass = null;
      this.#loads++;
      this.#resume = given > 0 ? { epoch, batch: given, next } : null;
    };
  }
}

/** What makes the batch of some rows. */
function batchesOf<B, S>(
  dataset: Dataset<B> | Samples<S>,
  collateFn: ((samples: S[]) => B) | undefined,
): (rows: Int32Array) => B {
  if (collateFn !== undefined) {
    const samples = requireSamples("DataLoader with a collateFn", dataset);
    return (rows) => collateFn(Array.from(rows, (row) => samples.at(row)!));
  }
  if ("batch" in dataset) return (rows) => dataset.batch(rows);
  throw new ArgumentError(
    "DataLoader: the dataset has no batch(indices); give a TensorDataset, or { collateFn }, which makes a batch of an array of its samples",
  );
}
