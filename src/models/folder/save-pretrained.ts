import { saveAdapter } from "../../adapters/save-adapter.ts";
import { listAdapters } from "../../adapters/switch-adapters.ts";
import { joinPath, makeFolder } from "../../base/storage/index.ts";
import { writeSafetensors } from "../../checkpoint/write.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { TextTokenizer } from "../text/text-tokenizer.ts";
import type { TextModel } from "../text-model.ts";
import { writeConfig } from "./write-config.ts";

/** What PEFT calls what a head is for. */
const taskTypes = { SequenceClassification: "SEQ_CLS", TokenClassification: "TOKEN_CLS" };

/**
 * Writes a model into a folder, with its tokenizer where it has one: what `PretrainedModel.savePretrained` does. Of a model
 * with adapters the active one is written, as PEFT has it, and no weight of the base.
 */
export function savePretrained(model: TextModel, folder: string): void {
  makeFolder(folder);
  if (listAdapters(model).names.length > 0) {
    const task = Object.entries(taskTypes).find(([end]) => model.architecture.endsWith(end));
    saveAdapter(model, folder, {
      ...(model.folder === null ? {} : { baseModelName: model.folder }),
      ...(task === undefined ? {} : { taskType: task[1] }),
    });
  } else {
    const tensors = new Map<string, Tensor>([...model.namedParameters(), ...model.namedBuffers()]);
    writeSafetensors(joinPath(folder, "model.safetensors"), tensors, { metadata: { format: "pt" } });
  }
  writeConfig(folder, "config.json", { ...model.config, architectures: [model.architecture] });
  if (model.tokenizer !== null) saveTokenizer(model.tokenizer, folder);
}

/** Writes a tokenizer into a folder. */
export function saveTokenizer({ files, settings }: TextTokenizer, folder: string): void {
  writeConfig(folder, "tokenizer.json", files.json);
  const { tokenizer_class: name } = files.config as { tokenizer_class?: unknown };
  writeConfig(folder, "tokenizer_config.json", {
    ...files.config,
    // transformers 5 has another name for a tokenizer of no model's own, and reads the old one, as 4 does.
    ...(name === "TokenizersBackend" ? { tokenizer_class: "PreTrainedTokenizerFast" } : {}),
    // Other files may have said what the length is, which are not written.
    model_max_length: settings.maxLength,
  });
}
