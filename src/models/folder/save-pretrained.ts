import { joinPath, makeFolder, writeAtomically } from "../../base/storage/index.ts";
import { writeSafetensors } from "../../checkpoint/write.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { TextModel } from "../text-model.ts";

/** Writes a model into a folder, with its tokenizer where it has one: what `PretrainedModel.savePretrained` does. */
export function savePretrained(model: TextModel, folder: string): void {
  makeFolder(folder);
  const tensors = new Map<string, Tensor>([...model.namedParameters(), ...model.namedBuffers()]);
  writeSafetensors(joinPath(folder, "model.safetensors"), tensors, { metadata: { format: "pt" } });
  writeJson(folder, "config.json", { ...model.config, architectures: [model.architecture] });
  if (model.tokenizer === null) return;
  const { files, settings } = model.tokenizer;
  writeJson(folder, "tokenizer.json", files.json);
  // Other files may have said what the length is, which are not written.
  writeJson(folder, "tokenizer_config.json", { ...files.config, model_max_length: settings.maxLength });
}

const writeJson = (folder: string, name: string, value: object): void =>
  writeAtomically(joinPath(folder, name), (append) =>
    append(new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)),
  );
