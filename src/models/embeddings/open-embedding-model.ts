import { namesIn } from "../../base/storage/index.ts";
import { load } from "../../checkpoint/load.ts";
import type { EncoderOutput, PretrainedModel } from "../pretrained-model.ts";
import { readTokenizer } from "../text/read-tokenizer.ts";
import { EmbeddingModel } from "./embedding-model.ts";
import { readSentenceFolder } from "./sentence-folder.ts";

/** What `autoModel` does for "embed"; `openEncoder` opens the folder of an encoder. */
export async function openEmbeddingModel(
  folder: string,
  openEncoder: (folder: string) => Promise<PretrainedModel<EncoderOutput>>,
): Promise<EmbeddingModel> {
  const { encoder, dense, pooling, normalizes, config } = readSentenceFolder(folder);
  const model = new EmbeddingModel(await openEncoder(encoder), {
    pooling,
    dense,
    normalizes,
    sentenceConfig: config,
    tokenizer: namesIn(encoder).includes("tokenizer.json") ? readTokenizer(encoder) : null,
  });
  for (const [i, layer] of [...model.dense].entries()) load(dense[i]!.folder, { module: layer });
  model.eval();
  return model;
}
