import { AdapterError } from "../base/errors.ts";
import { refuseChangeWhileRecording } from "../engine/trace.ts";
import type { Module } from "../nn/module.ts";
import { noGrad } from "../tensor/autograd.ts";
import { Parameter } from "../tensor/parameter.ts";
import { layerState, mergedWeight } from "./lora-layer.ts";
import { type Adapter, forget, freezeAllBut, requireAdapters } from "./model-adapters.ts";
import { placesOf, put, type Replacement } from "./replacement.ts";

/**
 * Puts weights with the active adapter in them in the places of those without, so that the model runs as fast as the base;
 * what is trained whole stands in its place already. The weights without are kept, and `unmergeAdapters` brings them back.
 * Meanwhile all is frozen, and a forward pass in training mode is an error.
 *
 * Throws `AdapterError` where no adapter is active, where one is merged already, where a weight is tied to a layer that
 * the adapter leaves as it is, and where a merged weight would not be finite. Then nothing has changed.
 * Source: `LoraModel.merge_adapter`.
 */
export function mergeAdapters(model: Module): void {
  const op = "mergeAdapters";
  refuseChangeWhileRecording(op);
  const held = requireAdapters(op, model);
  if (held.active === null)
    throw new AdapterError(`${op}: no adapter is active; choose one with setAdapter(model, name)`);
  if (held.merged !== null)
    throw new AdapterError(`${op}: an adapter is merged already; call unmergeAdapters(model) before another`);
  const name = held.active;
  const adapter = held.byName[name]!;
  const merged = mergedWeights(op, model, adapter, name);
  for (const one of merged) put(one, "other");
  held.merged = merged;
  setMerged(adapter, null);
  freezeAllBut(model, null, null);
}

/** The weights of an adapter's layers with it in them. */
function mergedWeights(op: string, model: Module, { layers }: Adapter, name: string): Replacement[] {
  return layers
    .filter(({ tiedTo }) => tiedTo === null)
    .map(({ path, layer }) => {
      const original = layer.weight;
      const places = placesOf(model, original);
      const followers = layers.filter((one) => one.path === path || one.tiedTo === path);
      const apart = places.find(({ owner }) => !followers.some((one) => one.layer === owner));
      if (apart !== undefined)
        throw new AdapterError(
          `${op}: the weight of ${path} is also ${apart.path}, which the adapter ${JSON.stringify(name)} leaves as it is; merged, it would change there too. ` +
            "Run it unmerged, or make it with ensureWeightTying: true",
        );
      const value = noGrad(() => mergedWeight(layer, name));
      if (!Number.isFinite(value.abs().max().itemSync()))
        throw new AdapterError(
          `${op}: the weight of ${path} with the adapter ${JSON.stringify(name)} in it is not finite; the adapter is broken`,
        );
      const other = new Parameter(value, { requiresGrad: original.requiresGrad });
      return { places, original, other, rows: null };
    });
}

/** Says to an adapter's layers that it is in their weights (null), or that it counts beside them. */
function setMerged({ layers }: Adapter, active: string | null): void {
  for (const { layer } of layers) {
    const held = layerState(layer)!;
    held.active = active;
    held.isMerged = active === null;
  }
}

/**
 * Takes a merged adapter out of the weights again: they are the ones that there were, bit for bit, and what the adapter
 * trains is trained again.
 *
 * Throws `AdapterError` where none is merged.
 * Source: `LoraModel.unmerge_adapter`.
 */
export function unmergeAdapters(model: Module): void {
  const op = "unmergeAdapters";
  refuseChangeWhileRecording(op);
  const held = requireAdapters(op, model);
  if (held.merged === null) throw new AdapterError(`${op}: no adapter is merged`);
  for (const one of held.merged) put(one, "original");
  held.merged = null;
  const adapter = held.byName[held.active!]!;
  setMerged(adapter, held.active);
  freezeAllBut(model, adapter, held.active);
}

/**
 * Makes a model with an adapter a plain one that gives the same: the active adapter is in its weights, the head, biases and
 * rows that were trained are its own, and no adapter is left, nor what froze the base. Gives the model.
 *
 * Throws `AdapterError` as `mergeAdapters`; one that is merged already stays so.
 * Source: `LoraModel.merge_and_unload`.
 */
export function mergeAndUnload<M extends Module>(model: M): M {
  const held = requireAdapters("mergeAndUnload", model);
  if (held.merged === null) mergeAdapters(model);
  setMerged(held.byName[held.active!]!, held.active);
  held.merged = null;
  for (const name of Object.keys(held.byName)) forget(model, name);
  return model;
}
