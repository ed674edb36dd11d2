import { ConfigError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
import type { Folder } from "../../checkpoint/places/folder.ts";
import { type Config, ConfigReader } from "../config.ts";
import { readConfig } from "../folder/read-config.ts";
import { type DenseSettings, denseActivations } from "./dense.ts";
import { type PoolingMode, poolingModes } from "./pooling.ts";

/** What a folder of sentence-transformers says beside its weights. */
export interface SentenceFolder {
  /** The folder of the encoder and of its tokenizer: the folder itself, or one in it. */
  readonly encoder: Folder;
  readonly pooling: readonly PoolingMode[];
  /** Layers behind pooling, each with the folder that has its weights. */
  readonly dense: readonly (DenseSettings & { readonly folder: Folder })[];
  /** Whether embeddings are brought to length 1 at the end. */
  readonly normalizes: boolean;
  /** `config_sentence_transformers.json`; empty where there is none. */
  readonly config: Config;
}

/** Modules by the last part of the name that `modules.json` has for their class, and what may be put after what. */
const order = ["Transformer", "Pooling", "Dense", "Normalize"];

/** What modes are called in the configs of old versions. */
const oldKeys: { readonly [M in PoolingMode]: string } = {
  cls: "pooling_mode_cls_token",
  max: "pooling_mode_max_tokens",
  mean: "pooling_mode_mean_tokens",
  mean_sqrt_len_tokens: "pooling_mode_mean_sqrt_len_tokens",
  weightedmean: "pooling_mode_weightedmean_tokens",
  lasttoken: "pooling_mode_lasttoken",
};

/**
 * Reads what a folder of sentence-transformers is made of. A folder without `modules.json`, of an encoder alone, has the
 * mean of its tokens, as there. Throws `ConfigError` for modules and settings that are not there.
 */
export async function readSentenceFolder(folder: Folder): Promise<SentenceFolder> {
  const has = await folder.which(["config_sentence_transformers.json", "modules.json"]);
  const config = has.has("config_sentence_transformers.json")
    ? await readConfig(folder, "config_sentence_transformers.json")
    : {};
  if (!has.has("modules.json"))
    return { encoder: folder, pooling: ["mean"], dense: [], normalizes: false, config };
  const modules = await modulesOf(folder);
  const [encoder, pooling, ...others] = modules;
  if (encoder?.kind !== "Transformer" || pooling?.kind !== "Pooling")
    throw new ConfigError(
      `${folder.nameOf("modules.json")}: the modules are ${kindsOf(modules)}; they must begin with Transformer and Pooling`,
    );
  const isOrdered = others.every(
    ({ kind }, i) => order.indexOf(kind) >= 2 && (i === 0 || others[i - 1]!.kind === "Dense"),
  );
  if (!isOrdered)
    throw new ConfigError(
      `${folder.nameOf("modules.json")}: the modules are ${kindsOf(modules)}; behind Pooling there may be Dense, and Normalize at the end`,
    );
  return {
    encoder: encoder.folder,
    pooling: await poolingOf(pooling.folder),
    dense: await Promise.all(
      others.filter(({ kind }) => kind === "Dense").map((module) => denseOf(module.folder)),
    ),
    normalizes: others.at(-1)?.kind === "Normalize",
    config,
  };
}

interface SentenceModule {
  readonly kind: string;
  readonly folder: Folder;
}

const kindsOf = (modules: readonly SentenceModule[]): string =>
  modules.map(({ kind }) => printable(kind)).join(", ");

async function modulesOf(folder: Folder): Promise<SentenceModule[]> {
  const name = folder.nameOf("modules.json");
  const list: unknown = await readConfig(folder, "modules.json");
  if (!Array.isArray(list)) throw new ConfigError(`${name} is no list of modules`);
  return list.map((module: unknown) => {
    const { path, type } = (module ?? {}) as Record<string, unknown>;
    if (typeof path !== "string" || typeof type !== "string")
      throw new ConfigError(`${name}: a module has no path or no type`);
    // What is read lies within the folder.
    if (/^[/\\]|[:\0]|(^|[/\\])\.\.([/\\]|$)/.test(path))
      throw new ConfigError(`${name}: the path ${JSON.stringify(printable(path))} leads out of the folder`);
    return { kind: type.split(".").at(-1)!, folder: path === "" ? folder : folder.folder(path) };
  });
}

async function poolingOf(folder: Folder): Promise<PoolingMode[]> {
  const config = new ConfigReader(await readConfig(folder), folder.nameOf("config.json"));
  config.only("include_prompt", [true], "a prompt always counts as a part of its text");
  const { pooling_mode: mode } = config.config;
  const given: unknown[] =
    mode === undefined || mode === null
      ? poolingModes.filter((old) => config.flag(oldKeys[old], false))
      : [mode].flat();
  if (given.some((one) => !(poolingModes as readonly unknown[]).includes(one)))
    config.refuse("pooling_mode", `it must be one or several of ${poolingModes.join(", ")}`);
  return given.length === 0 ? ["mean"] : (given as PoolingMode[]);
}

/** Keys of `1_Pooling/config.json` for some modes: those that every version reads, unless modes are in another order. */
export function poolingConfig(size: number, modes: readonly PoolingMode[]): Config {
  if (modes.some((mode, i) => i > 0 && poolingModes.indexOf(mode) <= poolingModes.indexOf(modes[i - 1]!)))
    return { embedding_dimension: size, pooling_mode: modes, include_prompt: true };
  // The first versions know four keys, and refuse others.
  const written = poolingModes.filter(
    (mode) => modes.includes(mode) || !["weightedmean", "lasttoken"].includes(mode),
  );
  return {
    word_embedding_dimension: size,
    ...Object.fromEntries(written.map((mode) => [oldKeys[mode], modes.includes(mode)])),
  };
}

async function denseOf(folder: Folder): Promise<SentenceFolder["dense"][number]> {
  const config = new ConfigReader(await readConfig(folder), folder.nameOf("config.json"));
  config.only("use_residual", [false], "residual connections are not there yet");
  for (const key of ["module_input_name", "module_output_name"])
    config.only(key, ["sentence_embedding"], "only embeddings of texts are made others");
  const { activation_function: activation = denseActivations[0] } = config.config;
  if (!denseActivations.includes(activation as string))
    config.refuse("activation_function", `it must be one of ${denseActivations.join(", ")}`);
  return {
    inFeatures: config.count("in_features"),
    outFeatures: config.count("out_features"),
    bias: config.flag("bias", true),
    activation: activation as string,
    folder,
  };
}
