import { AdapterError } from "../base/errors.ts";
import { runThen } from "../base/run-then.ts";
import { refuseChangeWhileRecording } from "../engine/trace.ts";
import type { Module } from "../nn/module.ts";
import { adaptersOf, forget, requireAdapter, requireAdapters, show } from "./model-adapters.ts";

/** The adapters that a model has, by name, and which of them counts. */
export interface AdapterList {
  readonly names: readonly string[];
  /** The one that is added as the model runs, and trained; null: none. */
  readonly active: string | null;
  /** Whether the active one is merged into the weights. */
  readonly merged: boolean;
}

/** The adapters of a model. Gives empty lists where it has none. Source: `PeftModel.peft_config`. */
export function listAdapters(model: Module): AdapterList {
  const held = adaptersOf(model);
  if (held === null) return { names: [], active: null, merged: false };
  return { names: Object.keys(held.byName), active: held.active, merged: held.merged !== null };
}

function requireUnmerged(op: string, model: Module): void {
  if (requireAdapters(op, model).merged !== null)
    throw new AdapterError(`${op}: an adapter is merged into the model; call unmergeAdapters(model) first`);
}

/**
 * Has another adapter of a model count, and be what is trained; the others are frozen, and wait.
 *
 * Takes a model with adapters and the name of one. An optimizer that was made for another adapter does not know it.
 * Throws `AdapterError` for a name that is not there, and while an adapter is merged.
 * Source: `PeftModel.set_adapter`.
 */
export function setAdapter(model: Module, name: string): void {
  refuseChangeWhileRecording("setAdapter");
  requireAdapter("setAdapter", model, name);
  requireUnmerged("setAdapter", model);
  show(model, name);
}

/**
 * Runs a function, which may be async, while the model is the base that it was without adapters: its own head and biases
 * too, bit for bit. Gives what the function gives; then the adapter that was active is so again.
 *
 * Throws `AdapterError` where the model has no adapters, and while one is merged.
 * Source: `PeftModel.disable_adapter`.
 */
export function disableAdapters<T>(model: Module, fn: () => T): T {
  refuseChangeWhileRecording("disableAdapters");
  requireUnmerged("disableAdapters", model);
  const { active } = adaptersOf(model)!;
  show(model, null);
  return runThen(fn, () => {
    // The function may have chosen another, or taken this one off.
    const held = adaptersOf(model);
    if (held?.active === null && (active === null || Object.hasOwn(held.byName, active))) show(model, active);
  });
}

/**
 * Takes an adapter off a model. If it was the active one, none is; with the last, the model is as it was before `lora`,
 * and frozen as it was then.
 *
 * Throws `AdapterError` for a name that is not there, and while an adapter is merged.
 * Source: `PeftModel.delete_adapter`.
 */
export function deleteAdapter(model: Module, name: string): void {
  refuseChangeWhileRecording("deleteAdapter");
  requireAdapter("deleteAdapter", model, name);
  requireUnmerged("deleteAdapter", model);
  if (adaptersOf(model)!.active === name) show(model, null);
  forget(model, name);
}
