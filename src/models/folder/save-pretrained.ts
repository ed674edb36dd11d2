import { putAdapter } from "../../adapters/save-adapter.ts";
import { listAdapters } from "../../adapters/switch-adapters.ts";
import { jsonPieces, localSink, type Sink } from "../../checkpoint/places/sink.ts";
import { safetensorsPieces } from "../../checkpoint/write.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { TextTokenizer } from "../text/text-tokenizer.ts";
import type { TextModel } from "../text-model.ts";

/** What PEFT calls what a head is for. */
const taskTypes = { SequenceClassification: "SEQ_CLS", TokenClassification: "TOKEN_CLS" };

/** Writes a model into a folder of this machine, as `putModel`. */
export const savePretrained = (model: TextModel, folder: string): void => putModel(model, localSink(folder));

/**
 * Puts a model where files are taken, with its tokenizer where it has one: what `PretrainedModel.savePretrained` does. Of a model
 * with adapters the active one is written, as PEFT has it, and no weight of the base.
 */
export function putModel(model: TextModel, sink: Sink): void {
  if (listAdapters(model).names.length > 0) {
    const task = Object.entries(taskTypes).find(([end]) => model.architecture.endsWith(end));
    putAdapter(model, sink, {
      ...(model.folder === null ? {} : { baseModelName: model.folder }),
      ...(task === undefined ? {} : { taskType: task[1] }),
    });
  } else {
    const tensors = new Map<string, Tensor>([...model.namedParameters(), ...model.namedBuffers()]);
    sink.put("model.safetensors", safetensorsPieces(tensors, { metadata: { format: "pt" } }));
  }
  sink.put("config.json", jsonPieces({ ...model.config, architectures: [model.architecture] }));
  if (model.tokenizer !== null) putTokenizer(model.tokenizer, sink);
}

/** Puts a tokenizer's files there. */
export function putTokenizer({ files, settings }: TextTokenizer, sink: Sink): void {
  sink.put("tokenizer.json", jsonPieces(files.json));
  const { tokenizer_class: name } = files.config as { tokenizer_class?: unknown };
  const config = {
    ...files.config,
    // transformers 5 has another name for a tokenizer of no model's own, and reads the old one, as 4 does.
    ...(name === "TokenizersBackend" ? { tokenizer_class: "PreTrainedTokenizerFast" } : {}),
    // Other files may have said what the length is, which are not written.
    model_max_length: settings.maxLength,
  };
  sink.put("tokenizer_config.json", jsonPieces(config));
}
