import { ConfigError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { type LoraConfig, type LoraOptions, loraConfig } from "./lora-options.ts";
import type { Adapter } from "./model-adapters.ts";

/** `adapter_config.json`, as PEFT writes it. */
export type PeftConfig = Readonly<Record<string, unknown>>;

/** Options by their names in PEFT, where the two differ by more than how they are spelt. */
const names = {
  target_modules: "targetModules",
  r: "rank",
  lora_alpha: "alpha",
  lora_dropout: "dropout",
  modules_to_save: "modulesToSave",
  bias: "bias",
  use_rslora: "useRslora",
  use_dora: "useDora",
  rank_pattern: "rankPattern",
  alpha_pattern: "alphaPattern",
  exclude_modules: "excludeModules",
  layers_to_transform: "layersToTransform",
  layers_pattern: "layersPattern",
  trainable_token_indices: "trainableTokenIndices",
  ensure_weight_tying: "ensureWeightTying",
  init_lora_weights: "initLoraWeights",
} as const satisfies Record<string, keyof LoraOptions>;

/** What says nothing of what an adapter computes. */
const silent = new Set([
  ...[
    "auto_mapping",
    "base_model_name_or_path",
    "base_model_class",
    "inference_mode",
    "peft_type",
    "peft_version",
  ],
  ...["revision", "task_type", "megatron_core", "runtime_config", "loftq_config", "qalora_group_size"],
]);

/** Ways to begin after which the base is as it was: others take from it what the parts add. */
const harmlessBeginnings: readonly unknown[] = [true, false, "gaussian", "eva", "orthogonal"];

/** Whether a value says nothing: null, false, nothing in it. */
const isNothing = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  value === false ||
  (typeof value === "object" && Object.keys(value).length === 0);

/**
 * Options that a config of PEFT's stands for. Throws `ConfigError` for one that is of another kind than LoRA, that asks
 * for what is not there, or that is broken.
 */
export function optionsOf(config: PeftConfig, where: string): LoraConfig {
  const refuse = (key: string, must: string): never => {
    const value = printable(JSON.stringify(config[key]) ?? "nothing").slice(0, 80);
    throw new ConfigError(`${where}: ${key} is ${value}; ${must}`);
  };
  if (typeof config !== "object" || config === null || Array.isArray(config))
    throw new ConfigError(`${where} is no JSON object, as an adapter_config.json is`);
  if (config.peft_type !== "LORA") refuse("peft_type", '"LORA" is there, which rsLoRA and DoRA are too');
  const options: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    const own = Object.hasOwn(names, key) ? names[key as keyof typeof names] : undefined;
    if (own !== undefined) {
      if (value !== null && value !== undefined) options[own] = value;
    } else if (!silent.has(key) && !isNothing(value)) refuse(key, "thaw does not have that");
  }
  const begins = options.initLoraWeights ?? true;
  if (!harmlessBeginnings.includes(begins))
    refuse(
      "init_lora_weights",
      "the base was changed for it; have PEFT save it with path_initial_model_for_weight_conversion",
    );
  if (begins !== "gaussian") options.initLoraWeights = begins !== false;
  if (options.bias === "lora_only") options.bias = "loraOnly";
  if (Array.isArray(options.trainableTokenIndices))
    options.trainableTokenIndices = { word_embeddings: options.trainableTokenIndices };
  options.ensureWeightTying ??= false;
  options.targetModules ??= [];
  try {
    return loraConfig(options as unknown as LoraOptions);
  } catch (error) {
    throw new ConfigError(`${where}: ${(error as Error).message.replace(/^lora: /, "")}`, { cause: error });
  }
}

/** The config of PEFT's that an adapter stands for, of which a file has some `modules` more whole. */
export function peftConfigOf(
  { config, layers, replaced }: Adapter,
  modules: readonly string[],
  about: { readonly baseModelName: string | null; readonly taskType: string | null },
): PeftConfig {
  const written: Record<string, unknown> = {
    peft_type: "LORA",
    base_model_name_or_path: about.baseModelName,
    task_type: about.taskType,
    inference_mode: true,
    fan_in_fan_out: false,
  };
  // Python writes the names of groups otherwise.
  const plain = (value: unknown): unknown =>
    value instanceof RegExp ? value.source.replace(/\(\?<(?![=!])/g, "(?P<") : value;
  for (const [key, own] of Object.entries(names)) written[key] = plain(config[own]);
  // Layers that share a weight with one that is named have parts in the file too, and PEFT looks for those that are named.
  if (config.targetModules === "all-linear" || layers.some(({ tiedTo }) => tiedTo !== null)) {
    written.target_modules = layers.map(({ path }) => path);
    written.layers_to_transform = null;
    written.layers_pattern = null;
    written.exclude_modules = null;
  }
  if (config.bias === "loraOnly") written.bias = "lora_only";
  written.modules_to_save = [...config.modulesToSave, ...modules];
  // PEFT warns of a tie that is asked for where the adapter has nothing that is tied.
  written.ensure_weight_tying =
    config.ensureWeightTying &&
    (layers.some(({ tiedTo }) => tiedTo !== null) ||
      replaced.some(({ places, rows }) => rows === null && places.length > 1));
  // PEFT takes what is empty for a choice.
  for (const key of ["modules_to_save", "exclude_modules", "layers_pattern", "trainable_token_indices"])
    if (isNothing(written[key])) written[key] = null;
  return written;
}
