import { AdapterError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { jsonPieces, localSink, type Sink } from "../checkpoint/places/sink.ts";
import { safetensorsPieces } from "../checkpoint/write.ts";
import type { Module } from "../nn/module.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { requireAdapter, requireAdapters } from "./model-adapters.ts";
import { peftConfigOf } from "./peft-config.ts";
import { entriesOf, prefix } from "./peft-names.ts";
import { wholeForPeft } from "./peft-whole.ts";

/** Options of `saveAdapter`. */
export interface SaveAdapterOptions {
  /** Which adapter; the active one. */
  readonly adapterName?: string;
  /** What the base is called, for those who load the adapter: a folder, or a name on a hub. */
  readonly baseModelName?: string;
  /**
   * What PEFT calls the task, as "SEQ_CLS"; unless given, it is not said. Of a classifier PEFT opens no adapter without the
   * head, which is then written too, as one of `modulesToSave`.
   */
  readonly taskType?: string;
}

/** What `putAdapter` writes beside the adapter itself. */
interface PutAdapterOptions extends SaveAdapterOptions {
  /** Modules of the base that are written whole, as those of `modulesToSave`: nobody could find their values elsewhere. */
  readonly drawn?: readonly string[];
}

/**
 * Writes an adapter into a folder that PEFT opens, and `loadAdapter`: `adapter_model.safetensors` and
 * `adapter_config.json`, each of them whole or as it was. Nothing of the base is in it but a head that PEFT asks for.
 *
 * Takes the model, the path of the folder, which is made where there is none, and options.
 * Throws `AdapterError` where there is no such adapter, `FileError` for what cannot be written.
 * Source: `PeftModel.save_pretrained`.
 */
export function saveAdapter(model: Module, folder: string, options: SaveAdapterOptions = {}): void {
  refuseOptions("saveAdapter", options, { adapterName: null, baseModelName: null, taskType: null });
  // What is wrong with the model is said before there is a folder.
  requireAdapters("saveAdapter", model);
  putAdapter(model, localSink(folder), options);
}

/** As `saveAdapter`, into whatever takes files. */
export function putAdapter(
  model: Module,
  sink: Sink,
  { adapterName, baseModelName, taskType, drawn = [] }: PutAdapterOptions = {},
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
  const whole = wholeForPeft(model, adapter, taskType ?? null, drawn);
  for (const [path, member] of whole.members)
    if (!tensors.has(prefix + path)) tensors.set(prefix + path, member);
  const config = peftConfigOf(adapter, whole.modules, {
    baseModelName: baseModelName ?? null,
    taskType: whole.taskType,
  });
  sink.put("adapter_model.safetensors", safetensorsPieces(tensors, { metadata: { format: "pt" } }));
  sink.put("adapter_config.json", jsonPieces(config));
}
