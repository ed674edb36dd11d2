import { AdapterError } from "../base/errors.ts";
import { joinPath, makeFolder, writeAtomically } from "../base/storage/index.ts";
import { writeSafetensors } from "../checkpoint/write.ts";
import type { Module } from "../nn/module.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { requireAdapter, requireAdapters } from "./model-adapters.ts";
import { peftConfigOf } from "./peft-config.ts";
import { entriesOf, prefix } from "./peft-names.ts";

/** Options of `saveAdapter`. */
export interface SaveAdapterOptions {
  /** Which adapter; the active one. */
  readonly adapterName?: string;
  /** What the base is called, for those who load the adapter: a folder, or a name on a hub. */
  readonly baseModelName?: string;
  /** What PEFT calls the task, as "SEQ_CLS"; unless given, it is not said. */
  readonly taskType?: string;
}

/**
 * Writes an adapter into a folder that PEFT opens, and `loadAdapter`: `adapter_model.safetensors` and
 * `adapter_config.json`, each of them whole or as it was. Nothing of the base is in it.
 *
 * Takes the model, the path of the folder, which is made where there is none, and options.
 * Throws `AdapterError` where there is no such adapter, `FileError` for what cannot be written.
 * Source: `PeftModel.save_pretrained`.
 */
export function saveAdapter(
  model: Module,
  folder: string,
  { adapterName, baseModelName, taskType }: SaveAdapterOptions = {},
): void {
  const op = "saveAdapter";
  const name = adapterName ?? requireAdapters(op, model).active;
  if (name === null)
    throw new AdapterError(
      `${op}: no adapter is active; say which one by adapterName, or call setAdapter(model, name)`,
    );
  const adapter = requireAdapter(op, model, name);
  const tensors = new Map<string, Tensor>();
  for (const { names, read } of entriesOf(adapter, name))
    for (const one of names) tensors.set(prefix + one, read());
  const config = peftConfigOf(adapter.config, adapter.layers, {
    baseModelName: baseModelName ?? null,
    taskType: taskType ?? null,
  });
  makeFolder(folder);
  writeSafetensors(joinPath(folder, "adapter_model.safetensors"), tensors, { metadata: { format: "pt" } });
  writeAtomically(joinPath(folder, "adapter_config.json"), (append) =>
    append(new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`)),
  );
}
