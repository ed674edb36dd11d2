import { ArgumentError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { localPath } from "../../base/storage/index.ts";
import type { Group } from "../../distributed/group.ts";
import type { EmbeddingLossOptions } from "../embeddings/loss-by-columns.ts";
import type { TextDataset } from "../text-data/text-dataset.ts";
import type { FrozenMode } from "./frozen-mode.ts";
import type { ClassWeights } from "./objectives/class-weights.ts";
import type { Trains } from "./phases/phase.ts";
import { requireThreshold } from "./predict.ts";
import type { Rates } from "./rates.ts";
import type { EpochEvent, StepEvent } from "./run-events.ts";

/** By what epochs are compared, of what the model's kind of targets is measured by. */
export type Criterion =
  | "loss"
  | "accuracy"
  | "macroF1"
  | "microF1"
  | "mse"
  | "pearson"
  | "spearman"
  | "entityF1"
  | "entityPrecision"
  | "entityRecall"
  | "perplexity"
  | "recall@1"
  | "recall@5"
  | "recall@10"
  | "mrr@10";

/** How what frozen layers give is kept. */
export interface KeepPrefixOptions {
  /** Bytes of memory that it may take; 1 GiB. */
  readonly memory?: number;
  /**
   * A folder in which later trainings find it, of the same frozen weights, texts and arithmetic. Unless given it is `out`,
   * for a training that goes on, until that has ended.
   */
  readonly folder?: string;
  /** Bytes that it may take there, the oldest going first; 8 GiB. 0: later trainings find nothing. */
  readonly disk?: number;
}

/** Options of `fit`. */
export interface FitOptions {
  /** Texts to learn from, with targets of the kind that the model is for. */
  readonly train: TextDataset;
  /** Texts to measure with after each epoch. */
  readonly eval?: TextDataset;
  /**
   * Which parameters are trained, by path; all unless given. All else stays as it is, bit for bit. A list of phases, or a
   * function of where the training stands, says what is trained when.
   */
  readonly trains?: Trains;
  /** The mode of modules of which nothing is trained: "train", in which their dropout drops, as in transformers; or "eval". */
  readonly frozenMode?: FrozenMode;
  /**
   * Whether the lowest layers, where they are frozen and give the same for a text each time, are run once a text; true. What
   * they give is in memory, and beyond `memory` bytes (1 GiB) in a file.
   */
  readonly keepPrefix?: boolean | KeepPrefixOptions;
  /** How often each text is seen; 3, unless `steps` is given. */
  readonly epochs?: number;
  /** How many updates are made, in place of `epochs`. */
  readonly steps?: number;
  /** How many texts go through the model at once; 16. */
  readonly batch?: number;
  /** How many batches an update is made of, in which each label counts the same; 1. */
  readonly accumulate?: number;
  /** Whether texts of like lengths share a batch, which pads less; false. */
  readonly bucket?: boolean;
  /** The most tokens of a text; as many as tokenizer and model have unless given. */
  readonly maxLength?: number;
  /**
   * One rate, or rates by selector, of which the first that fits holds; unless given 2e-4 for `lora_*`, 1e-3 for the head
   * and 2e-5 for the rest.
   */
  readonly lr?: Rates;
  /** How much of a matrix decays, times its rate, at each update; 0.01. */
  readonly weightDecay?: number;
  /** In what part of the updates rates rise to what they are; they fall in the rest; 0.1. */
  readonly warmup?: number;
  /** The most that the norm of all gradients may be; 1. Null: as large as they are. */
  readonly clipNorm?: number | null;
  /** How embeddings are trained, of a model that makes them. */
  readonly embeddings?: EmbeddingLossOptions;
  /** How much each label counts, in their order, or "balanced": the less the more have it. All alike unless given. */
  readonly classWeights?: ClassWeights;
  /** How much of a target is spread over all labels; 0. */
  readonly labelSmoothing?: number;
  /** From which probability on a label holds where texts have several, where they are measured; 0.5. */
  readonly threshold?: number;
  /** How much of an average of the weights stays at an update, such as 0.999: it is what is measured and kept. Null: none. */
  readonly ema?: number | null;
  /** Keeps the weights of the epoch that `eval` finds best by this; those of the last unless given. */
  readonly best?: Criterion;
  /** Ends after so many epochs in a row that were not better by `best` than all before. */
  readonly patience?: number;
  /** The same one gives the same order of texts and the same dropout; 0. */
  readonly seed?: number;
  /**
   * A folder for what comes of it: checkpoints, `metrics.jsonl`, and at the end the tuned model with its tokenizer. One
   * run at a time has it.
   */
  readonly out?: string;
  /** Whether it goes on from the last checkpoint in `out`, with the bits that it would have had; false. */
  readonly resume?: boolean;
  /** A checkpoint every so many updates, beside that at each epoch's end. */
  readonly saveEvery?: number;
  /** Told of each update. It may read the model, and `stop()`; what it throws ends the training, as does what it rejects with. */
  readonly onStep?: (event: StepEvent) => unknown;
  /** Told of each epoch, once it is measured. It may do what `onStep` may. */
  readonly onEpoch?: (event: EpochEvent) => unknown;
  /** Whether a terminal is told how it goes; true. Nothing is written where there is none. */
  readonly progress?: boolean;
  /** Aborted, it ends the training after the update under way: a checkpoint is saved in `out`, and the signal's reason is thrown. */
  readonly signal?: AbortSignal;
  /** Ranks that train together, `distributed.group()`, each with a part of every batch. All give the same options. */
  readonly group?: Group;
}

/** How often each text is seen unless something else is said. */
export const defaultEpochs = 3;

/** All options. */
const known: { readonly [O in keyof Required<FitOptions>]: true } = {
  ...{ train: true, eval: true, trains: true, frozenMode: true, keepPrefix: true, epochs: true, steps: true },
  ...{ batch: true, accumulate: true, bucket: true, maxLength: true, lr: true, weightDecay: true },
  ...{ warmup: true, clipNorm: true, embeddings: true, classWeights: true, labelSmoothing: true },
  ...{ threshold: true, ema: true, best: true, patience: true, seed: true, out: true, resume: true },
  ...{ saveEvery: true, onStep: true, onEpoch: true, progress: true, signal: true, group: true },
};

/** Options that have a value in any case. */
export type FitSettings = Required<
  Pick<
    FitOptions,
    | "trains"
    | "frozenMode"
    | "keepPrefix"
    | "epochs"
    | "batch"
    | "accumulate"
    | "bucket"
    | "weightDecay"
    | "warmup"
    | "clipNorm"
    | "labelSmoothing"
    | "threshold"
    | "ema"
    | "seed"
  >
> & {
  readonly steps: number | null;
  readonly best: Criterion | null;
  readonly patience: number | null;
  readonly saveEvery: number | null;
};

/** The options with their defaults. Throws `ArgumentError` for what cannot be. */
export function fitSettings(options: FitOptions): FitSettings {
  for (const name of Object.keys(options))
    if (!Object.hasOwn(known, name))
      throw new ArgumentError(
        `fit: there is no option ${name}; nearest: ${nearest(name, Object.keys(known), 3).join(", ")}`,
      );
  const { epochs, steps = null, best = null, patience = null, saveEvery = null } = options;
  const settings = {
    trains: options.trains ?? "**",
    frozenMode: options.frozenMode ?? "train",
    keepPrefix: options.keepPrefix ?? true,
    epochs: epochs ?? defaultEpochs,
    steps,
    batch: options.batch ?? 16,
    accumulate: options.accumulate ?? 1,
    bucket: options.bucket ?? false,
    weightDecay: options.weightDecay ?? 0.01,
    warmup: options.warmup ?? 0.1,
    clipNorm: options.clipNorm === undefined ? 1 : options.clipNorm,
    labelSmoothing: options.labelSmoothing ?? 0,
    threshold: options.threshold ?? 0.5,
    ema: options.ema ?? null,
    best,
    patience,
    saveEvery,
    seed: options.seed ?? 0,
  };
  const check = (name: keyof typeof settings, ok: (value: number) => boolean, must: string): void => {
    const value = settings[name];
    if (value !== null && !(typeof value === "number" && ok(value)))
      throw new ArgumentError(`fit: ${name} is ${JSON.stringify(value)}; it must be ${must}`);
  };
  const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 1;
  for (const name of ["epochs", "steps", "batch", "accumulate", "patience", "saveEvery"] as const)
    check(name, isCount, "a whole number of at least 1");
  check("weightDecay", (x) => x >= 0 && x < Infinity, "a number of at least 0");
  check("warmup", (x) => x >= 0 && x <= 1, "a part of the updates, from 0 to 1");
  check("clipNorm", (x) => x > 0, "a number above 0, or null");
  check("labelSmoothing", (x) => x >= 0 && x < 1, "a number from 0 on, below 1");
  check("ema", (x) => x >= 0 && x < 1, "a number from 0 on, below 1, or null");
  requireThreshold("fit", settings.threshold);
  const { frozenMode, keepPrefix } = settings;
  if (frozenMode !== "train" && frozenMode !== "eval")
    throw new ArgumentError(`fit: frozenMode is ${JSON.stringify(frozenMode)}; it must be "train" or "eval"`);
  if (!isKeepPrefix(keepPrefix))
    throw new ArgumentError(
      `fit: keepPrefix is ${JSON.stringify(keepPrefix)}; it must be true, false, or { memory, disk } with numbers of bytes, and { folder } with the path of a folder`,
    );
  check("seed", (n) => Number.isInteger(n) && n >= 0 && n < 2 ** 32, "a whole number from 0 on, below 2^32");
  if (epochs !== undefined && steps !== null)
    throw new ArgumentError(`fit: epochs is ${epochs} and steps is ${steps}; give one of them`);
  if (best !== null && options.eval === undefined)
    throw new ArgumentError(`fit: best is ${JSON.stringify(best)}, and no texts to measure with; give eval`);
  if (patience !== null && best === null)
    throw new ArgumentError(`fit: patience is ${patience}, and nothing says what is better; give best`);
  const { out } = options;
  if (out !== undefined && (typeof out !== "string" || localPath(out) === null))
    throw new ArgumentError(
      `fit: out is ${JSON.stringify(out)}, and checkpoints are written to a folder of this machine only, which a page has not; leave it out, and write the tuned model with savePretrained, which takes opfs:… and places for files too`,
    );
  if (out === undefined)
    for (const name of ["resume", "saveEvery"] as const)
      if (options[name])
        throw new ArgumentError(
          `fit: ${name} is ${options[name]}, and nowhere to keep checkpoints; give out`,
        );
  return settings;
}

function isKeepPrefix(given: unknown): boolean {
  if (typeof given !== "object") return typeof given === "boolean";
  const { memory = 0, disk = 0, folder = "." } = (given ?? { memory: null }) as Record<string, unknown>;
  const areBytes = [memory, disk].every((bytes) => typeof bytes === "number" && bytes >= 0);
  return areBytes && typeof folder === "string" && folder !== "";
}
