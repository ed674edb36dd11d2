import { ArgumentError, ConfigError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";

/** `config.json` of a folder, as it is there: names and values are those of Hugging Face. */
export type Config = Readonly<Record<string, unknown>>;

/** Reads values of a config, each of which must be of its kind; a `ConfigError` names the key and what was expected. */
export class ConfigReader {
  readonly config: Config;
  /** What the config is called in errors. */
  readonly name: string;

  constructor(config: Config, name = "The config") {
    if (typeof config !== "object" || config === null || Array.isArray(config))
      throw new ConfigError(`${name} is no JSON object, as a config.json is`);
    this.config = config;
    this.name = name;
  }

  /** Throws an error about a key. */
  refuse(key: string, must: string): never {
    const value = printable(JSON.stringify(this.config[key]) ?? "nothing").slice(0, 80);
    throw new ConfigError(`${this.name}: ${key} is ${value}; ${must}`);
  }

  /** A number of things: 1 or more, or from `least` on. */
  count(key: string, otherwise?: number, least = 1): number {
    const value = this.config[key] ?? otherwise;
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > 2 ** 31)
      this.refuse(key, `it must be a whole number from ${least} on`);
    return value as number;
  }

  /** A number in a range; null where the config says null and that stands for something. */
  number(key: string, otherwise: number, [least, most]: readonly [number, number]): number {
    const value = this.config[key] ?? otherwise;
    if (typeof value !== "number" || !(value >= least && value <= most))
      this.refuse(key, `it must be a number from ${least} to ${most}`);
    return value;
  }

  probability(key: string, otherwise: number): number {
    return this.number(key, otherwise, [0, 1]);
  }

  flag(key: string, otherwise: boolean): boolean {
    const value = this.config[key] ?? otherwise;
    if (typeof value !== "boolean") this.refuse(key, "it must be true or false");
    return value;
  }

  /** Throws where a key has another value than those that are known; one that is not there has the first. */
  only(key: string, known: readonly unknown[], because: string): void {
    const value = this.config[key];
    if (value === undefined || value === null || known.includes(value)) return;
    this.refuse(key, `${because}; only ${known.map((v) => JSON.stringify(v)).join(" or ")} is there`);
  }
}

/** What every config of a text encoder says, and thaw has nothing for. */
export function refuseUnknown(config: ConfigReader): void {
  config.only("is_decoder", [false], "decoders are not there yet");
  config.only("add_cross_attention", [false], "cross attention is not there yet");
  config.only("position_embedding_type", ["absolute"], "relative positions are not there yet");
  const { pruned_heads: pruned, quantization_config: quantized } = config.config;
  if (typeof pruned === "object" && pruned !== null && Object.keys(pruned).length > 0)
    config.refuse("pruned_heads", "weights of pruned heads are not read; save the model without pruning");
  if (quantized !== undefined && quantized !== null)
    config.refuse(
      "quantization_config",
      "quantized weights are not read; take the folder that holds full ones",
    );
}

/** The names of classes, in the order of their numbers: of `id2label`, or as many as `num_labels` says; 2 unless said. */
export function labelsOf(config: ConfigReader): readonly string[] {
  const { id2label, num_labels: count } = config.config;
  if (id2label === undefined || id2label === null)
    return numbered(count === undefined || count === null ? 2 : config.count("num_labels"));
  if (typeof id2label !== "object") config.refuse("id2label", "it must name a label for each number");
  const names = new Map(Object.entries(id2label as Record<string, unknown>));
  return Array.from(names, (_, i) => {
    const name = names.get(String(i));
    if (typeof name !== "string") config.refuse("id2label", `it must have a name under "${i}"`);
    return name;
  });
}

/** Names of classes that have none, as transformers has them. */
const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `LABEL_${i}`);

/** A config with other classes. */
export function withLabels(config: Config, labels: readonly string[]): Config {
  if (labels.length === 0) throw new ArgumentError("labels: none are given; a classifier has at least one");
  const twice = labels.find((label, i) => labels.indexOf(label) !== i);
  if (twice !== undefined) throw new ArgumentError(`labels: ${JSON.stringify(twice)} is given twice`);
  const { num_labels: _, ...rest } = config;
  return {
    ...rest,
    id2label: Object.fromEntries(labels.map((label, i) => [i, label])),
    label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
  };
}

/** A config of a head that is trained for a kind of targets: `problem_type`. What finds a number has one output. */
export function withProblem(config: Config, problem: string): Config {
  const { num_labels: _, ...rest } = config;
  const { id2label } = config;
  const hasOne = typeof id2label === "object" && id2label !== null && Object.keys(id2label).length === 1;
  if (problem !== "regression" || hasOne) return { ...config, problem_type: problem };
  return { ...rest, id2label: { 0: "LABEL_0" }, label2id: { LABEL_0: 0 }, problem_type: problem };
}
