import { listAdapters } from "../../adapters/switch-adapters.ts";
import { AdapterError } from "../../base/errors.ts";
import { joinPath, makeFolder, writeAtomically } from "../../base/storage/index.ts";
import { writeSafetensors } from "../../checkpoint/write.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { PretrainedModel } from "../pretrained-model.ts";

/**
 * Writes a model into a folder that `transformers` opens, and `autoModel`: `config.json` and `model.safetensors`, each of
 * them whole or as it was. A tied weight is written once.
 *
 * Takes the model and the path of the folder, which is made where there is none.
 * Throws `AdapterError` for a model with adapters, which such a folder has no place for; `FileError` for what cannot be
 * written, with the reason.
 * Source: `PreTrainedModel.save_pretrained` of transformers.
 */
export function savePretrained(model: PretrainedModel, folder: string): void {
  const { names } = listAdapters(model);
  if (names.length > 0)
    throw new AdapterError(
      `savePretrained: the model has the adapters ${names.map((name) => JSON.stringify(name)).join(", ")}, which such a folder has no place for; ` +
        "write them with saveAdapter(model, folder), or put the active one into the weights with mergeAndUnload(model)",
    );
  makeFolder(folder);
  const tensors = new Map<string, Tensor>([...model.namedParameters(), ...model.namedBuffers()]);
  writeSafetensors(joinPath(folder, "model.safetensors"), tensors, { metadata: { format: "pt" } });
  const config = { ...model.config, architectures: [model.architecture] };
  writeAtomically(joinPath(folder, "config.json"), (append) =>
    append(new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`)),
  );
}
