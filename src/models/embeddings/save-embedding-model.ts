import { listAdapters } from "../../adapters/switch-adapters.ts";
import { AdapterError } from "../../base/errors.ts";
import { jsonPieces, type Sink } from "../../checkpoint/places/sink.ts";
import { safetensorsPieces } from "../../checkpoint/write.ts";
import type { Module } from "../../nn/module.ts";
import type { Config } from "../config.ts";
import { putModel, putTokenizer } from "../folder/save-pretrained.ts";
import type { TextTokenizer } from "../text/text-tokenizer.ts";
import type { TextModel } from "../text-model.ts";
import type { Dense } from "./dense.ts";
import type { PoolingMode } from "./pooling.ts";
import { poolingConfig } from "./sentence-folder.ts";

/** The version whose folders are written: all later ones read them. */
const version = "2.0.0";

/** What is saved of an `EmbeddingModel`. */
interface Saved extends Module {
  readonly model: TextModel;
  readonly pooling: readonly PoolingMode[];
  readonly pooledSize: number;
  readonly dense: Iterable<Dense>;
  readonly normalizes: boolean;
  readonly sentenceConfig: Config;
  readonly tokenizer: TextTokenizer | null;
}

/** What `EmbeddingModel.savePretrained` does. */
export function putEmbeddingModel(saved: Saved, sink: Sink): void {
  const { pooling, pooledSize, dense, normalizes, sentenceConfig, tokenizer } = saved;
  const { names } = listAdapters(saved);
  if (names.length > 0)
    throw new AdapterError(
      `savePretrained: the model has the adapters ${names.map((name) => JSON.stringify(name)).join(", ")}, which a folder of sentence-transformers has no place for; ` +
        "write them with saveAdapter(model, folder), or put the active one into the weights with mergeAndUnload(model)",
    );
  putModel(saved.model, sink);
  if (tokenizer !== null) putTokenizer(tokenizer, sink);
  const modules = [{ type: "Transformer", path: "" }];
  const put = (file: string, value: object): void => sink.put(file, jsonPieces(value));
  /** Adds a module with a folder of its own; gives the path of that. */
  const added = (type: string): string => {
    const path = `${modules.length}_${type}`;
    modules.push({ type, path });
    return path;
  };
  put(`${added("Pooling")}/config.json`, poolingConfig(pooledSize / pooling.length, pooling));
  for (const { settings, linear } of dense) {
    const at = added("Dense");
    const tensors = new Map(linear.namedParameters().map(([path, p]) => [`linear.${path}`, p]));
    sink.put(`${at}/model.safetensors`, safetensorsPieces(tensors, { metadata: { format: "pt" } }));
    put(`${at}/config.json`, {
      in_features: settings.inFeatures,
      out_features: settings.outFeatures,
      bias: settings.bias,
      activation_function: settings.activation,
    });
  }
  if (normalizes) put(`${added("Normalize")}/config.json`, {});
  const length = tokenizer?.settings.maxLength ?? saved.model.maxLength;
  put("sentence_bert_config.json", { max_seq_length: length, do_lower_case: false });
  put("config_sentence_transformers.json", {
    prompts: {},
    default_prompt_name: null,
    similarity_fn_name: "cosine",
    ...sentenceConfig,
    __version__: { sentence_transformers: version },
  });
  put(
    "modules.json",
    modules.map(({ type, path }, idx) => ({
      idx,
      name: String(idx),
      path,
      type: `sentence_transformers.models.${type}`,
    })),
  );
}
