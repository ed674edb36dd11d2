import { ArgumentError } from "../../base/errors.ts";
import type { TextTokenizer } from "../text/text-tokenizer.ts";
import type { TextDataset } from "../text-data/text-dataset.ts";
import type { ClassWeights } from "./labelled-texts.ts";
import type { Rates } from "./rates.ts";

/** By what epochs are compared: the higher the better, but for "loss". */
export type Criterion = "macroF1" | "accuracy" | "loss";

/** Options of `fit`. */
export interface FitOptions {
  /** Texts to learn from, with one label each. */
  readonly train: TextDataset;
  /** Texts to measure with after each epoch. */
  readonly eval?: TextDataset;
  /** That of the model's folder: `readTokenizer(folder)`. */
  readonly tokenizer: TextTokenizer;
  /** Which parameters are trained, by path; all unless given. All else stays as it is, bit for bit. */
  readonly trains?: string | readonly string[];
  /** How often each text is seen; 3, unless `steps` is given. */
  readonly epochs?: number;
  /** How many updates are made, in place of `epochs`. */
  readonly steps?: number;
  /** How many texts an update is made of; 16. */
  readonly batch?: number;
  /** The most tokens of a text; as many as tokenizer and model have unless given. */
  readonly maxLength?: number;
  /** One rate, or rates by selector, of which the first that fits holds; 1e-3 for the head and 2e-5 for the rest unless given. */
  readonly lr?: Rates;
  /** How much of a matrix decays, times its rate, at each update; 0.01. */
  readonly weightDecay?: number;
  /** In what part of the updates rates rise to what they are; they fall in the rest; 0.1. */
  readonly warmup?: number;
  /** The most that the norm of all gradients may be; 1. Null: as large as they are. */
  readonly clipNorm?: number | null;
  /** How much each label counts, in their order, or "balanced": the less the more texts have it. All alike unless given. */
  readonly classWeights?: ClassWeights;
  /** How much of a target is spread over all labels; 0. */
  readonly labelSmoothing?: number;
  /** Keeps the weights of the epoch that `eval` finds best by this; those of the last unless given. */
  readonly best?: Criterion;
  /** Ends after so many epochs in a row that were not better by `best` than all before. */
  readonly patience?: number;
  /** The same one gives the same order of texts and the same dropout; 0. */
  readonly seed?: number;
  /** Aborted, it ends the training before the next update: what has been learned stays, and the signal's reason is thrown. */
  readonly signal?: AbortSignal;
}

/** Options that have a value in any case. */
export type FitSettings = Required<
  Pick<
    FitOptions,
    "trains" | "epochs" | "batch" | "weightDecay" | "warmup" | "clipNorm" | "labelSmoothing" | "seed"
  >
> & { readonly steps: number | null; readonly best: Criterion | null; readonly patience: number | null };

const criteria: readonly unknown[] = ["macroF1", "accuracy", "loss"];

/** The options with their defaults. Throws `ArgumentError` for what cannot be. */
export function fitSettings(options: FitOptions): FitSettings {
  const { epochs, steps = null, best = null, patience = null } = options;
  const settings = {
    trains: options.trains ?? "**",
    epochs: epochs ?? 3,
    steps,
    batch: options.batch ?? 16,
    weightDecay: options.weightDecay ?? 0.01,
    warmup: options.warmup ?? 0.1,
    clipNorm: options.clipNorm === undefined ? 1 : options.clipNorm,
    labelSmoothing: options.labelSmoothing ?? 0,
    best,
    patience,
    seed: options.seed ?? 0,
  };
  const check = (name: keyof typeof settings, ok: (value: number) => boolean, must: string): void => {
    const value = settings[name];
    if (value !== null && !(typeof value === "number" && ok(value)))
      throw new ArgumentError(`fit: ${name} is ${JSON.stringify(value)}; it must be ${must}`);
  };
  const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 1;
  for (const name of ["epochs", "steps", "batch", "patience"] as const)
    check(name, isCount, "a whole number of at least 1");
  check("weightDecay", (x) => x >= 0 && x < Infinity, "a number of at least 0");
  check("warmup", (x) => x >= 0 && x <= 1, "a part of the updates, from 0 to 1");
  check("clipNorm", (x) => x > 0, "a number above 0, or null");
  check("labelSmoothing", (x) => x >= 0 && x < 1, "a number from 0 on, below 1");
  check("seed", (n) => Number.isInteger(n) && n >= 0 && n < 2 ** 32, "a whole number from 0 on, below 2^32");
  if (epochs !== undefined && steps !== null)
    throw new ArgumentError(`fit: epochs is ${epochs} and steps is ${steps}; give one of them`);
  if (best !== null && !criteria.includes(best))
    throw new ArgumentError(`fit: best is ${JSON.stringify(best)}; it must be ${criteria.join(", ")}`);
  if (best !== null && options.eval === undefined)
    throw new ArgumentError(`fit: best is ${JSON.stringify(best)}, and no texts to measure with; give eval`);
  if (patience !== null && best === null)
    throw new ArgumentError(`fit: patience is ${patience}, and nothing says what is better; give best`);
  return settings;
}
