import { joinPath, makeFolder } from "../../base/storage/index.ts";
import { writeSafetensors } from "../../checkpoint/write.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { PretrainedModel } from "../pretrained-model.ts";
import { writeConfig } from "./write-config.ts";

/**
 * Writes a model into a folder that `transformers` opens, and `autoModel`: `config.json` and `model.safetensors`, each of
 * them whole or as it was. A tied weight is written once.
 *
 * Takes the model and the path of the folder, which is made where there is none.
 * Throws `FileError` for what cannot be written, with the reason.
 * Source: `PreTrainedModel.save_pretrained` of transformers.
 */
export function savePretrained(model: PretrainedModel, folder: string): void {
  makeFolder(folder);
  const tensors = new Map<string, Tensor>([...model.namedParameters(), ...model.namedBuffers()]);
  writeSafetensors(joinPath(folder, "model.safetensors"), tensors, { metadata: { format: "pt" } });
  writeConfig(folder, "config.json", { ...model.config, architectures: [model.architecture] });
}
