import { AdapterError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { freeze, unfreeze } from "../freeze/freeze.ts";
import { rows } from "../freeze/selector.ts";
import type { Module } from "../nn/module.ts";
import { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";
import { type AdaptedLayer, layerState, partsOf, removeParts } from "./lora-layer.ts";
import type { LoraConfig } from "./lora-options.ts";
import { put, type Replacement } from "./replacement.ts";

/** A layer of an adapter. */
export interface LayerOfAdapter {
  readonly path: string;
  readonly layer: AdaptedLayer;
  /** Of a layer whose weight is that of another: the path of that, which has the parts. */
  readonly tiedTo: string | null;
}

/** An adapter of a model: low-rank parts in layers, and what stands in the places of the base's own while it is active. */
export interface Adapter {
  readonly config: LoraConfig;
  readonly layers: readonly LayerOfAdapter[];
  readonly replaced: readonly Replacement[];
  /** The modules that are trained whole, by path. */
  readonly modules: readonly string[];
  /** The tables of which rows are trained, by the path of their module. */
  readonly tables: Readonly<Record<string, Replacement>>;
}

/** The adapters of a model. `clone` copies it with the model, as all in it is plain, or part of the model. */
interface ModelAdapters {
  readonly byName: Record<string, Adapter>;
  active: string | null;
  /** What stands in the places of the base's own while the active adapter is merged. */
  merged: readonly Replacement[] | null;
  /** What was frozen before there were adapters; of a region, or (null) altogether. */
  readonly frozenBefore: readonly (readonly [Parameter, Region | null])[];
}

/** In a field that is no part of the tree of modules. */
const adapters = Symbol("adapters");
type Held = Module & { [adapters]?: ModelAdapters };

/** The adapters of a model; null where it has none. */
export const adaptersOf = (model: Module): ModelAdapters | null => (model as Held)[adapters] ?? null;

/** The adapters of a model, which may be none yet. */
export function openAdapters(model: Module): ModelAdapters {
  const found = adaptersOf(model);
  if (found !== null) return found;
  const frozenBefore = model
    .parameters()
    .filter((p) => p.frozen || p.frozenRegion !== null)
    .map((p) => [p, p.frozenRegion] as const);
  const value: ModelAdapters = { byName: {}, active: null, merged: null, frozenBefore };
  Object.defineProperty(model, adapters, { value, configurable: true });
  return value;
}

/** The adapters of a model, or an error that names the operation. */
export function requireAdapters(op: string, model: Module): ModelAdapters {
  const found = adaptersOf(model);
  if (found === null)
    throw new AdapterError(
      `${op}: ${model.constructor.name} has no adapter; lora(model, …) adds one, and loadAdapter(model, folder) reads one`,
    );
  return found;
}

/** An adapter by its name, or an error that names the operation. */
export function requireAdapter(op: string, model: Module, name: string): Adapter {
  const { byName } = requireAdapters(op, model);
  if (typeof name === "string" && Object.hasOwn(byName, name)) return byName[name]!;
  const names = nearest(String(name), Object.keys(byName), 8).map((one) => JSON.stringify(one));
  throw new AdapterError(
    `${op}: ${model.constructor.name} has no adapter ${JSON.stringify(name)}; it has ${names.join(", ")}`,
  );
}

/** Has one adapter count, or none, and be all of the model that is not frozen. */
export function show(model: Module, name: string | null): void {
  const held = adaptersOf(model)!;
  if (held.active !== null) for (const one of held.byName[held.active]!.replaced) put(one, "original");
  held.active = name;
  if (name !== null) for (const one of held.byName[name]!.replaced) put(one, "other");
  const inUse = new Set(name === null ? [] : held.byName[name]!.layers.map(({ layer }) => layer));
  for (const { layers } of Object.values(held.byName))
    for (const { layer } of layers) layerState(layer)!.active = inUse.has(layer) ? name : null;
  freezeAllBut(model, name === null ? null : held.byName[name]!, name);
}

/** What is trained of an adapter. */
function trainedOf(adapter: Adapter, name: string): Map<Parameter, readonly number[] | null> {
  const trained = new Map<Parameter, readonly number[] | null>();
  for (const { layer } of adapter.layers)
    for (const [, part] of partsOf(layer, name)) trained.set(part, null);
  for (const { other, rows: some } of adapter.replaced)
    if (other instanceof Parameter) trained.set(other, some);
  return trained;
}

/** Freezes all of a model but what an adapter trains. */
export function freezeAllBut(model: Module, adapter: Adapter | null, name: string | null): void {
  const trained = adapter === null ? new Map<Parameter, null>() : trainedOf(adapter, name!);
  const all = model.parameters();
  const moving = all.filter((p) => trained.has(p));
  if (moving.length > 0) unfreeze(model, moving);
  const outsideTheAdapter = (_: string, p: Parameter): boolean => !trained.has(p);
  if (moving.length < all.length) freeze(model, outsideTheAdapter);
  for (const p of moving) {
    const some = trained.get(p) ?? null;
    if (some === null || some.length === p.shape[0]) continue;
    const taken = new Set(some);
    const others = Array.from({ length: p.shape[0]! }, (_, row) => row).filter((row) => !taken.has(row));
    freeze(model, rows(p, others));
  }
}

/** Takes an adapter's parts off the layers; of the last adapter, all that is left of adapters. */
export function forget(model: Module, name: string): void {
  const held = adaptersOf(model)!;
  for (const { layer } of held.byName[name]!.layers) removeParts(layer, name);
  delete held.byName[name];
  if (Object.keys(held.byName).length > 0) return;
  delete (model as Held)[adapters];
  unfreeze(model, "**");
  for (const [p, region] of held.frozenBefore) {
    if (region === null) p.frozen = true;
    else p.frozenRegion = region;
  }
}
