import { ArgumentError } from "../../base/errors.ts";
import { EmbeddingModel } from "../../models/embeddings/embedding-model.ts";
import { type LoraOptions, lora } from "../../models/index.ts";
import type { PretrainedModel } from "../../models/pretrained-model.ts";
import type { FinetuneOptions } from "./options.ts";

/** The layers that get an adapter unless others are named: those that make queries and values, as PEFT chooses. */
const targets: Readonly<Record<string, readonly string[]>> = {
  distilbert: ["q_lin", "v_lin"],
  mpnet: ["q", "v"],
};
const usualTargets = ["query", "value"];

/** Throws `ArgumentError` for options that go with an adapter alone, or not with one. */
export function checkLora({ lora: asked, loraAlpha, targetModules }: FinetuneOptions): void {
  if (asked !== undefined) return;
  for (const [name, value] of Object.entries({
    "--lora-alpha": loraAlpha,
    "--target-modules": targetModules,
  }))
    if (value !== undefined) throw new ArgumentError(`${name} is of adapters; give --lora too`);
}

/** Gives a model an adapter, where one is asked for: with it, what its folder had no weights for is trained and saved. */
export function addLora(model: PretrainedModel, options: FinetuneOptions): void {
  const { lora: asked, loraAlpha, targetModules } = options;
  if (asked === undefined) return;
  if (model instanceof EmbeddingModel)
    throw new ArgumentError(
      "--lora: a folder of sentence-transformers has no place for adapters; leave it out, or name what is trained with --trains",
    );
  const { model_type: kind } = model.config;
  const drawn = new Set(
    model.drawn.filter((path) => !isOfHead(model, path)).map((path) => path.slice(0, path.lastIndexOf("."))),
  );
  // A head that shares the encoder's table is the folder's, and stays.
  const heads =
    model.outputEmbeddings === null ? new Set(model.headPaths().map((path) => path.split(".")[0]!)) : [];
  const isAll = targetModules?.length === 1 && targetModules[0] === "all-linear";
  const settings: LoraOptions = {
    targetModules: isAll ? "all-linear" : (targetModules ?? targets[String(kind)] ?? usualTargets),
    ...(asked === true ? {} : { rank: asked }),
    ...(loraAlpha === undefined ? {} : { alpha: loraAlpha }),
    modulesToSave: [...heads, ...drawn],
  };
  lora(model, settings);
}

const isOfHead = (model: PretrainedModel, path: string): boolean => model.headPaths().includes(path);
