import { ArgumentError } from "../../base/errors.ts";
import { flag, refuseOptions } from "../../base/options.ts";
import { normalize as toLengthOne } from "../../nn/normalize.ts";
import { fromArray } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Config } from "../config.ts";
import { logitsOfTexts } from "../fit/objectives/predicting.ts";
import { textBatches } from "../fit/text-batches.ts";
import type { TextModel } from "../text-model.ts";

/** Options of `encode`. */
export interface EncodeTextsOptions {
  /** How many texts go through the model at once; 32. */
  readonly batch?: number;
  /** Whether embeddings are brought to length 1, where the model does not do so itself; false. */
  readonly normalize?: boolean;
  /** What is put in front of each text; that of `promptName` unless given. */
  readonly prompt?: string;
  /** Which of the model's prompts is put in front of each text; the folder's `default_prompt_name` unless given, or none. */
  readonly promptName?: string;
  /** The most tokens of a text; as many as tokenizer and model have unless given. */
  readonly maxLength?: number;
}

/** What `encode` needs of an `EmbeddingModel`. */
interface Encoding extends TextModel<Tensor> {
  readonly size: number;
  readonly sentenceConfig: Config;
}

/** What `EmbeddingModel.encode` does. */
export async function encodeTexts(
  model: Encoding,
  texts: readonly string[],
  options: EncodeTextsOptions,
): Promise<Tensor> {
  refuseOptions("encode", options, {
    batch: null,
    normalize: flag,
    prompt: null,
    promptName: null,
    maxLength: null,
  });
  const { batch = 32, normalize = false, prompt, promptName, maxLength } = options;
  const wrong = Array.isArray(texts) ? texts.findIndex((text) => typeof text !== "string") : 0;
  if (!Array.isArray(texts) || wrong >= 0)
    throw new ArgumentError(
      `encode: ${Array.isArray(texts) ? `text ${wrong} is ${typeof texts[wrong]}` : `the texts are ${typeof texts}`}; give a list of strings`,
    );
  if (!Number.isInteger(batch) || batch < 1)
    throw new ArgumentError(`encode: batch is ${batch}; it must be a whole number of at least 1`);
  const before = prompt ?? promptOf(model, promptName);
  const batches = textBatches("encode", model, maxLength);
  const prompted = texts.map((text) => before + text);
  const embeddings = await logitsOfTexts("encode", { model, texts: prompted, batches, batch });
  const { truncate_dim: kept } = model.sentenceConfig;
  const size = typeof kept === "number" ? Math.min(kept, model.size) : model.size;
  const values = new Float32Array(texts.length * size);
  for (const [i, embedding] of embeddings.entries()) values.set(embedding.subarray(0, size), i * size);
  const all = fromArray(values, [texts.length, size]);
  return normalize ? toLengthOne(all) : all;
}

/** The prompt of a name. */
function promptOf({ sentenceConfig }: Encoding, name: string | undefined): string {
  const prompts = (sentenceConfig.prompts ?? {}) as Readonly<Record<string, unknown>>;
  const wanted = name ?? sentenceConfig.default_prompt_name;
  if (wanted === undefined || wanted === null) return "";
  const prompt = Object.hasOwn(prompts, wanted as string) ? prompts[wanted as string] : undefined;
  if (typeof prompt !== "string")
    throw new ArgumentError(
      `encode: the model has no prompt ${JSON.stringify(wanted)}; it has ${Object.keys(prompts).join(", ") || "none"}`,
    );
  return prompt;
}
