import { AdapterError, ArgumentError } from "../base/errors.ts";
import { refuseChangeWhileRecording } from "../engine/trace.ts";
import { Embedding } from "../nn/embedding.ts";
import { Linear } from "../nn/linear.ts";
import { Module } from "../nn/module.ts";
import type { Buffer } from "../tensor/buffer.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Adapted } from "./adapted.ts";
import { type AdaptedLayer, addParts, layerState, removeParts, tieTo } from "./lora-layer.ts";
import { type LoraConfig, type LoraOptions, loraConfig } from "./lora-options.ts";
import { adaptersOf, type LayerOfAdapter, openAdapters, show } from "./model-adapters.ts";
import { copyOfMember, placesOf, type Replacement } from "./replacement.ts";
import { byPath, namedModules, targetLayers } from "./target-modules.ts";

/**
 * Adds an adapter to a model, in place, and gives the model: layers that `targetModules` names get low-rank parts, whose
 * product is added to their weight as they run, and these are what is trained from then on. All else is frozen, whatever
 * an optimizer or `trains` names. Paths stay as they are; the parts are below the layers' (`"**.lora_*.**"`). What is
 * trained whole (`modulesToSave`, biases, rows of tables) is a copy in the place of the base's own, which comes back when
 * the adapter is switched off, bit for bit.
 *
 * Takes a module with `nn.Linear` and `nn.Embedding` in it, of any class, and options. The new adapter is the active one;
 * an optimizer does not know it: make it after this. The parts are f32, or f64 where a weight is.
 * Throws `ArgumentError` for options that cannot be; `AdapterError` for targets that name nothing, or what can have no
 * parts, for a name that is taken, and while an adapter is merged. Then nothing has changed.
 * Source: `peft.LoraConfig` and `get_peft_model`.
 */
export function lora<M extends Module, const N extends string = "default">(
  model: M,
  options: LoraOptions<N>,
): Adapted<M, N> {
  if (!(model instanceof Module))
    throw new ArgumentError(`lora: the model is ${typeof model}; it must be a module`);
  const name = options?.adapterName ?? "default";
  addAdapter(model, name, loraConfig(options));
  return model as Adapted<M, N>;
}

/** Adds an adapter and makes it the active one. */
export function addAdapter(model: Module, name: string, config: LoraConfig): void {
  refuseChangeWhileRecording("lora");
  if (typeof name !== "string" || name === "" || name.includes("."))
    throw new ArgumentError(`lora: adapterName is ${JSON.stringify(name)}; it must be a name without dots`);
  const held = adaptersOf(model);
  if (held !== null && Object.hasOwn(held.byName, name))
    throw new AdapterError(
      `lora: ${model.constructor.name} has an adapter ${JSON.stringify(name)}; give another adapterName, or take that off with deleteAdapter(model, ${JSON.stringify(name)})`,
    );
  if (held !== null && held.merged !== null)
    throw new AdapterError("lora: an adapter is merged into the model; call unmergeAdapters(model) first");
  const active = held?.active ?? null;
  if (active !== null) show(model, null);
  const layers: LayerOfAdapter[] = [];
  try {
    const targets = targetLayers(model, config);
    for (const [path, layer] of targets)
      if (layerState(layer) !== null && held === null)
        throw new AdapterError(
          `lora: ${path} has an adapter of another model that it is part of; adapt that one`,
        );
    const replaced = replacements(model, config, targets);
    if (targets.length === 0 && replaced.all.length === 0)
      throw new AdapterError(
        "lora: there is nothing to train: name targetModules, modulesToSave, bias or trainableTokenIndices",
      );
    refuseBoth(targets, replaced.all);
    addLayers(model, name, config, targets, layers);
    const { all, modules, tables } = replaced;
    openAdapters(model).byName[name] = { config, layers, replaced: all, modules, tables };
  } catch (error) {
    for (const { layer } of layers) removeParts(layer, name);
    if (active !== null) show(model, active);
    throw error;
  }
  show(model, name);
}

/** Gives layers their parts, and those whose weight is tied to one of them too. */
function addLayers(
  model: Module,
  name: string,
  config: LoraConfig,
  targets: readonly [string, AdaptedLayer][],
  into: LayerOfAdapter[],
): void {
  const { dropout, useDora, useRslora, initLoraWeights } = config;
  const done = new Map<Parameter, LayerOfAdapter>();
  const tie = (path: string, layer: AdaptedLayer, first: LayerOfAdapter): void => {
    if (useDora)
      throw new AdapterError(
        `lora: the weight of ${path} is that of ${first.path}, and useDora scales the one by rows and the other by columns; leave useDora out, or that layer`,
      );
    tieTo(layer, first.layer, name, dropout);
    into.push({ path, layer, tiedTo: first.path });
  };
  for (const [path, layer] of targets) {
    const first = done.get(layer.weight);
    if (config.ensureWeightTying && first !== undefined) {
      tie(path, layer, first);
      continue;
    }
    const rank = byPath(config.rankPattern, path, config.rank);
    const alpha = byPath(config.alphaPattern, path, config.alpha);
    const scaling = alpha / (useRslora ? Math.sqrt(rank) : rank);
    addParts(layer, { name, rank, scaling, dropout, useDora, initLoraWeights });
    const added: LayerOfAdapter = { path, layer, tiedTo: null };
    into.push(added);
    done.set(layer.weight, added);
  }
  if (!config.ensureWeightTying) return;
  for (const [weight, first] of done)
    for (const { path, owner, name: field } of placesOf(model, weight)) {
      if (into.some(({ layer }) => layer === owner)) continue;
      if (field !== "weight" || !(owner instanceof Linear || owner instanceof Embedding))
        throw new AdapterError(
          `lora: the weight of ${first.path} is also ${path}, of ${owner.constructor.name}, which can have no low-rank parts, so that they would ` +
            "drift apart; leave that layer out, or say ensureWeightTying: false",
        );
      tie(path.slice(0, -".weight".length), owner, first);
    }
}

/** Copies of what is trained whole, or in some rows. */
function replacements(model: Module, config: LoraConfig, targets: readonly [string, AdaptedLayer][]) {
  const all: Replacement[] = [];
  const find = (member: Parameter | Buffer, path: string): Replacement | undefined =>
    all.find(({ original, places }) => original === member && places.some((place) => place.path === path));
  const replace = (path: string, member: Parameter | Buffer, rows: Replacement["rows"], within = "") => {
    const before = find(member, path);
    if (before !== undefined) return before;
    const places = placesOf(model, member).filter(
      (place) => within === "" || place.path.startsWith(`${within}.`),
    );
    const made: Replacement = { places, original: member, other: copyOfMember(member), rows };
    all.push(made);
    return made;
  };

  const tables: Record<string, Replacement> = {};
  for (const [name, rows] of Object.entries(config.trainableTokenIndices))
    for (const [path, module] of namedModules(model, "trainableTokenIndices", [name])) {
      if (!(module instanceof Embedding || module instanceof Linear))
        throw new AdapterError(
          `lora: trainableTokenIndices names ${path}, which is ${module.constructor.name}; rows are trained of nn.Embedding and nn.Linear`,
        );
      const count = module.weight.shape[0]!;
      const wrong = rows.find((row) => !Number.isInteger(row) || row < 0 || row >= count);
      if (wrong !== undefined)
        throw new AdapterError(
          `lora: trainableTokenIndices of ${path} has ${String(wrong)}; its table has rows 0 to ${count - 1}`,
        );
      const before = find(module.weight, `${path}.weight`);
      if (before !== undefined && JSON.stringify(before.rows) !== JSON.stringify(rows))
        throw new AdapterError(
          `lora: trainableTokenIndices of ${path} are ${JSON.stringify(rows)}, and its table is that of ${before.places[0]!.path}, with ${JSON.stringify(before.rows)}; give the same rows for both, or for one`,
        );
      tables[path] = replace(`${path}.weight`, module.weight, rows);
    }
  const modules = namedModules(model, "modulesToSave", config.modulesToSave);
  const inModules = (path: string): boolean => modules.some(([outer]) => path.startsWith(`${outer}.`));
  for (const [outer, module] of modules)
    for (const [inner, member] of [...module.namedParameters(), ...module.namedBuffers()]) {
      const path = `${outer}.${inner}`;
      if (find(member, path)?.rows)
        throw new AdapterError(
          `lora: ${outer} is in modulesToSave, and trainableTokenIndices names rows of a table in it; choose one`,
        );
      const { places } = replace(path, member, null, config.ensureWeightTying ? "" : outer);
      const apart = places.find((place) => !inModules(place.path));
      if (apart !== undefined)
        throw new AdapterError(
          `lora: modulesToSave names ${outer}, and ${path} is also ${apart.path}, so that they would drift apart; name both, which ` +
            "keeps them tied, or say ensureWeightTying: false",
        );
    }
  if (config.bias === "all")
    for (const [path, parameter] of model.namedParameters())
      if (/(^|\.)bias$/.test(path) && !isPart(path)) replace(path, parameter, null);
  if (config.bias === "loraOnly")
    for (const [path, layer] of targets)
      if (layer instanceof Linear && layer.bias !== null) replace(`${path}.bias`, layer.bias, null);
  return { all, modules: modules.map(([path]) => path), tables };
}

/** Whether a path is that of a part of another adapter. */
const isPart = (path: string): boolean => /(^|\.)lora_/.test(path);

/** Throws where a layer would get low-rank parts for a weight that is trained itself. */
function refuseBoth(targets: readonly [string, AdaptedLayer][], replaced: readonly Replacement[]): void {
  for (const [path, layer] of targets) {
    const both = replaced.find(({ original }) => original === layer.weight);
    if (both !== undefined)
      throw new AdapterError(
        `lora: ${path} is among targetModules, and its weight is trained itself, as ${both.places[0]!.path}; leave it out of one: excludeModules does that`,
      );
  }
}
