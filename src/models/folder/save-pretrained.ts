import { putAdapter } from "../../adapters/save-adapter.ts";
import { listAdapters } from "../../adapters/switch-adapters.ts";
import { dtypes } from "../../base/dtype.ts";
import { jsonPieces, localSink, type Sink } from "../../checkpoint/places/sink.ts";
import { safetensorsPieces } from "../../checkpoint/write.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Config } from "../config.ts";
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
      drawn: modulesThatHold(model, model.drawn),
    });
  } else {
    const tensors = new Map<string, Tensor>([...model.namedParameters(), ...model.namedBuffers()]);
    sink.put("model.safetensors", safetensorsPieces(tensors, { metadata: { format: "pt" } }));
  }
  sink.put(
    "config.json",
    jsonPieces({ ...model.config, ...dtypeOf(model), architectures: [model.architecture] }),
  );
  if (model.tokenizer !== null) putTokenizer(model.tokenizer, sink);
}

/** The modules, by path, that have some of the parameters, and none that stands in another place too. */
function modulesThatHold(model: TextModel, paths: readonly string[]): string[] {
  const all = model.namedParameters({ removeDuplicate: false });
  const isTied = (module: string): boolean =>
    all.some(
      ([path, p]) => path.startsWith(`${module}.`) && all.some(([other, q]) => p === q && other !== path),
    );
  const modules = new Set(paths.map((path) => path.slice(0, path.lastIndexOf("."))));
  return [...modules].filter((module) => !isTied(module));
}

/**
 * What a config says of the weights' dtype, where it says something: that of the weights that are written. A folder of f16
 * or bf16 is opened as f32, and transformers rounds weights to what the config says.
 */
function dtypeOf(model: TextModel): Config {
  const names = ["dtype", "torch_dtype"].filter((name) => typeof model.config[name] === "string");
  const [first] = model.parameters();
  return Object.fromEntries(names.map((name) => [name, dtypes[first!.dtype].torch]));
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
