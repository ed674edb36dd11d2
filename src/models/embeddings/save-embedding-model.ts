import { listAdapters } from "../../adapters/switch-adapters.ts";
import { AdapterError } from "../../base/errors.ts";
import { joinPath, makeFolder } from "../../base/storage/index.ts";
import { writeSafetensors } from "../../checkpoint/write.ts";
import type { Module } from "../../nn/module.ts";
import type { Config } from "../config.ts";
import { savePretrained, saveTokenizer } from "../folder/save-pretrained.ts";
import { writeConfig } from "../folder/write-config.ts";
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
export function saveEmbeddingModel(saved: Saved, folder: string): void {
  const { pooling, pooledSize, dense, normalizes, sentenceConfig, tokenizer } = saved;
  const { names } = listAdapters(saved);
  if (names.length > 0)
    throw new AdapterError(
      `savePretrained: the model has the adapters ${names.map((name) => JSON.stringify(name)).join(", ")}, which a folder of sentence-transformers has no place for; ` +
        "write them with saveAdapter(model, folder), or put the active one into the weights with mergeAndUnload(model)",
    );
  savePretrained(saved.model, folder);
  if (tokenizer !== null) saveTokenizer(tokenizer, folder);
  const modules = [{ type: "Transformer", path: "" }];
  /** Adds a module with a folder of its own; gives that folder. */
  const added = (type: string): string => {
    const path = `${modules.length}_${type}`;
    modules.push({ type, path });
    makeFolder(joinPath(folder, path));
    return joinPath(folder, path);
  };
  writeConfig(added("Pooling"), "config.json", poolingConfig(pooledSize / pooling.length, pooling));
  for (const { settings, linear } of dense) {
    const at = added("Dense");
    const tensors = new Map(linear.namedParameters().map(([path, p]) => [`linear.${path}`, p]));
    writeSafetensors(joinPath(at, "model.safetensors"), tensors, { metadata: { format: "pt" } });
    writeConfig(at, "config.json", {
      in_features: settings.inFeatures,
      out_features: settings.outFeatures,
      bias: settings.bias,
      activation_function: settings.activation,
    });
  }
  if (normalizes) writeConfig(added("Normalize"), "config.json", {});
  const length = tokenizer?.settings.maxLength ?? saved.model.maxLength;
  writeConfig(folder, "sentence_bert_config.json", { max_seq_length: length, do_lower_case: false });
  writeConfig(folder, "config_sentence_transformers.json", {
    prompts: {},
    default_prompt_name: null,
    similarity_fn_name: "cosine",
    ...sentenceConfig,
    __version__: { sentence_transformers: version },
  });
  writeConfig(
    folder,
    "modules.json",
    modules.map(({ type, path }, idx) => ({
      idx,
      name: String(idx),
      path,
      type: `sentence_transformers.models.${type}`,
    })),
  );
}
