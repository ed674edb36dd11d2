import { loadTensors } from "../../checkpoint/load.ts";
import type { Folder } from "../../checkpoint/places/folder.ts";
import type { EncoderOutput } from "../encoder-inputs.ts";
import type { PretrainedModel } from "../pretrained-model.ts";
import { EmbeddingModel } from "./embedding-model.ts";
import { readSentenceFolder } from "./sentence-folder.ts";

/** What `autoModel` does for "embed"; `openEncoder` opens the folder of an encoder. */
export async function openEmbeddingModel(
  folder: Folder,
  openEncoder: (folder: Folder) => Promise<PretrainedModel<EncoderOutput>>,
): Promise<EmbeddingModel> {
  const { encoder, dense, pooling, normalizes, config } = await readSentenceFolder(folder);
  const model = new EmbeddingModel(await openEncoder(encoder), {
    pooling,
    dense,
    normalizes,
    sentenceConfig: config,
  });
  for (const [i, layer] of [...model.dense].entries()) {
    const { folder: at } = dense[i]!;
    loadTensors(await at.tensors(), { module: layer }, at.name);
  }
  model.eval();
  return model;
}
