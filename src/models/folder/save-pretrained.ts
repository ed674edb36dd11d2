import { joinPath, makeFolder, writeAtomically } from "../../base/storage/index.ts";
import { writeSafetensors } from "../../checkpoint/write.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { PretrainedModel } from "../pretrained-model.ts";

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
  const config = { ...model.config, architectures: [model.architecture] };
  writeAtomically(joinPath(folder, "config.json"), (append) =>
    append(new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`)),
  );
}
