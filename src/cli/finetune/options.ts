import { ArgumentError } from "../../base/errors.ts";
import type { Criterion, FitOptions } from "../../models/fit/fit-options.ts";
import type { FrozenMode } from "../../models/fit/frozen-mode.ts";
import type { Rates } from "../../models/fit/rates.ts";
import type { OnnxPrecision } from "../../models/folder/save-onnx.ts";
import type { taskNames } from "./task-names.ts";

/** Options of `thaw finetune`, as they are given. */
export interface FinetuneOptions {
  readonly data: string;
  readonly eval?: string;
  readonly valSplit?: number;
  readonly text?: readonly string[];
  readonly label?: string;
  readonly task?: keyof typeof taskNames;
  readonly maxLength?: number;
  readonly trains?: readonly string[];
  readonly lr?: readonly string[];
  readonly gradualUnfreezing?: number | true;
  readonly headFirst?: number;
  readonly lora?: number | true;
  readonly loraAlpha?: number;
  readonly targetModules?: readonly string[];
  readonly frozenMode?: FrozenMode;
  /** False where it is turned off. */
  readonly keepPrefix?: boolean;
  readonly epochs?: number;
  readonly steps?: number;
  readonly batch?: number;
  readonly accumulate?: number;
  readonly bucket?: boolean;
  readonly warmup?: number;
  readonly weightDecay?: number;
  readonly classWeights?: string;
  readonly labelSmoothing?: number;
  readonly threshold?: number;
  readonly ema?: number;
  readonly metric?: string;
  readonly patience?: number;
  readonly seed?: number;
  readonly out?: string;
  readonly resume?: boolean;
  readonly saveEvery?: number;
  readonly onnx?: string;
  readonly baseModel?: string;
  readonly dryRun?: boolean;
}

/** Options that `fit` has under the same names. */
const same = [
  "maxLength",
  "trains",
  "frozenMode",
  "keepPrefix",
  "epochs",
  "steps",
  "batch",
  "accumulate",
  "bucket",
  "warmup",
  "weightDecay",
  "labelSmoothing",
  "threshold",
  "ema",
  "patience",
  "seed",
  "out",
  "resume",
  "saveEvery",
] as const satisfies readonly (keyof FinetuneOptions & keyof FitOptions)[];

/** What `fit` is given, but for the data. */
export function fitOptionsOf(options: FinetuneOptions): Omit<FitOptions, "train"> {
  const { lr, metric, classWeights } = options;
  return {
    ...Object.fromEntries(
      same.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
    ),
    ...(lr === undefined ? {} : { lr: ratesOf(lr) }),
    ...(metric === undefined ? {} : { best: camelCase(metric) as Criterion }),
    ...(classWeights === undefined ? {} : { classWeights: weightsOf(classWeights) }),
  };
}

/** `macro-f1` as `macroF1`. */
const camelCase = (name: string): string =>
  name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** `macroF1` as `macro-f1`. */
export const kebabCase = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function ratesOf(given: readonly string[]): Rates {
  const entries = given.map((text): readonly [string, number] => {
    const at = text.lastIndexOf("=");
    const rate = Number(text.slice(at + 1));
    if (text.slice(at + 1).trim() === "" || !(rate >= 0 && rate < Number.POSITIVE_INFINITY))
      throw new ArgumentError(
        `--lr ${text}: give a rate, as 2e-5, or a selector with its rate, as 'classifier.**=1e-3'`,
      );
    return [at < 0 ? "**" : text.slice(0, at), rate];
  });
  const [first] = entries;
  if (entries.length === 1 && first![0] === "**") return first![1];
  // The first that fits holds: one without a selector is for the rest.
  return Object.fromEntries([
    ...entries.filter(([selector]) => selector !== "**"),
    ...entries.filter(([selector]) => selector === "**").slice(0, 1),
  ]);
}

function weightsOf(text: string): "balanced" | readonly number[] {
  if (text === "balanced") return text;
  const weights = text.split(",").map(Number);
  if (!weights.every((weight) => weight > 0 && Number.isFinite(weight)))
    throw new ArgumentError(
      `--class-weights ${text}: give "balanced", or a number above 0 for each label, as 1,2.5,1`,
    );
  return weights;
}

/** The files for other programs that are asked for. */
export function onnxOf({ onnx }: FinetuneOptions): readonly OnnxPrecision[] {
  if (onnx === undefined) return [];
  const names = onnx.split(",");
  if (!names.every((name): name is OnnxPrecision => name === "fp32" || name === "q8"))
    throw new ArgumentError(`--onnx ${onnx}: give fp32, q8, or both as fp32,q8`);
  return [...new Set(names)];
}

/** What options of functions are called at a terminal, for remedies in errors. */
export function inWordsOfOptions(text: string): string {
  return text
    .replace("give resume: true", "give --resume")
    .replace('say text: "…"', "say --text COLUMN")
    .replace(/readData with regression: true reads whole numbers so/, "--task regress reads whole numbers so")
    .replace(
      /\b(?:the model|make it) with autoModel\(folder, \{ task: "(\w+)"[^}]*\}\)/g,
      (_, task: string) => `--task ${kebabCase(task)}`,
    )
    .replace(
      /(?<!-)\b(maxLength|saveEvery|classWeights|labelSmoothing|targetModules|allScores|threshold)\b/g,
      (name) => `--${kebabCase(name)}`,
    )
    .replace(
      /best is "(\w+)", and no texts to measure with; give eval/,
      (_, name: string) =>
        `--metric is ${kebabCase(name)}, and no texts to measure with; give --eval or --val-split`,
    )
    .replace(
      'give autoModel the labels that there are, or task "regress"',
      "give texts of at least two labels, or --task regress where they are numbers",
    )
    .replace(
      /best is "(\w+)"; it must be (.*)$/,
      (_, name: string, names: string) => `--metric is ${kebabCase(name)}; it must be ${kebabCase(names)}`,
    );
}
