import { AdapterError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { printable } from "../base/printable.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import type { Folder } from "../checkpoint/places/folder.ts";
import { folderAt } from "../checkpoint/places/folder-at.ts";
import { readJson } from "../checkpoint/places/read-json.ts";
import { readTensors } from "../checkpoint/read.ts";
import { bitsOf } from "../nn/bits.ts";
import type { Module } from "../nn/module.ts";
import { noGrad } from "../tensor/autograd.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Adapted } from "./adapted.ts";
import { addAdapter } from "./lora.ts";
import type { LoraConfig } from "./lora-options.ts";
import { adaptersOf, forget, requireAdapter, show } from "./model-adapters.ts";
import { optionsOf, type PeftConfig } from "./peft-config.ts";
import { type Entry, entriesOf, prefix } from "./peft-names.ts";
import { isNamedByPeft } from "./peft-whole.ts";

/** Options of `loadAdapter`. */
export interface LoadAdapterOptions<N extends string = string> {
  /** What the adapter is called from then on; "default". */
  readonly adapterName?: N;
  /** What the model is called: an adapter whose config names another base is refused. Unless given, the name is not compared. */
  readonly baseModelName?: string;
}

/**
 * Adds an adapter from a folder of PEFT's to a model, as `lora` does, with the values of the file; gives the model. The
 * adapter is the active one.
 *
 * Takes the model that the adapter was made for, the path or the URL of a folder with `adapter_config.json` and
 * `adapter_model.safetensors`, and options.
 * Throws `ConfigError` for a config that is broken or asks for what is not there; `AdapterError` for an adapter of another
 * base, by its name, its layers, their shapes or their embeddings, and for a name that is taken; `SafetensorsError` for a
 * file that is broken, or where there are only pickles; `FileError`. Then nothing has changed.
 * Source: `PeftModel.from_pretrained`, `PeftModel.load_adapter`.
 */
export async function loadAdapter<M extends Module, const N extends string = "default">(
  model: M,
  folder: string | URL,
  options: LoadAdapterOptions<N> = {},
): Promise<Adapted<M, N>> {
  refuseOptions("loadAdapter", options, { adapterName: null, baseModelName: null });
  await adapterIn(model, folderAt(folder), options);
  return model as Adapted<M, N>;
}

/** As `loadAdapter`, of a folder that is open. */
export async function adapterIn(
  model: Module,
  at: Folder,
  { adapterName, baseModelName }: LoadAdapterOptions = {},
): Promise<void> {
  const op = "loadAdapter";
  const name: string = adapterName ?? "default";
  const folder = at.name;
  const where = at.nameOf("adapter_config.json");
  const config: PeftConfig = await readJson(
    at,
    "adapter_config.json",
    "give a folder that an adapter was saved to, by PEFT or saveAdapter",
  );
  const base = config.base_model_name_or_path;
  if (baseModelName !== undefined && base !== baseModelName)
    throw new AdapterError(
      `${op}: ${folder} is an adapter of ${printable(JSON.stringify(base) ?? "no base that it names")}, not of ${JSON.stringify(baseModelName)}; load it into that, or leave baseModelName out`,
    );
  // Which of the folder's files have tensors, and what is wrong where none has, is known there.
  const found = withoutPrefix(readTensors(await at.tensors()));
  const before = adaptersOf(model)?.active ?? null;
  addAsPeft(model, name, optionsOf(config, where), folder, found);
  try {
    const entries = entriesOf(requireAdapter(op, model, name), name);
    const values = match(model, folder, entries, found);
    noGrad(() => {
      for (const [entry, value] of values) entry.write?.(value);
    });
    refuseDrift(folder, entries, found);
  } catch (error) {
    show(model, null);
    forget(model, name);
    if (before !== null) show(model, before);
    throw error;
  }
}

/** Adds an adapter for the values of a file, of the kind that PEFT would have made for its config. */
function addAsPeft(
  model: Module,
  name: string,
  config: LoraConfig,
  folder: string,
  found: ReadonlyMap<string, Tensor>,
): void {
  const modulesToSave = modulesOf(model, config, found);
  // PEFT ties layers that it knows by name, as embed_tokens, and no others, whatever the config says.
  const ensureWeightTying = config.ensureWeightTying && !hasSomeOfTied(model, found);
  try {
    addAdapter(model, name, { ...config, modulesToSave, ensureWeightTying });
  } catch (error) {
    if (!(error instanceof AdapterError)) throw error;
    throw new AdapterError(
      `loadAdapter: ${folder} does not fit ${model.constructor.name}: ${error.message.replace(/^lora: /, "")}`,
      { cause: error },
    );
  }
}

/**
 * The modules that are trained whole: those that are named, of which PEFT names some that the model does not have, and those
 * that PEFT has taken for named, as a file has them.
 */
function modulesOf(
  model: Module,
  { modulesToSave }: LoraConfig,
  found: ReadonlyMap<string, Tensor>,
): string[] {
  const paths = model.namedModules().map(([path]) => path);
  const isNamed = (path: string, name: string): boolean => `.${path}`.endsWith(`.${name}`);
  const named = modulesToSave.filter((name) => paths.some((path) => isNamed(path, name)));
  const taken = paths.filter(
    (path) =>
      isNamedByPeft(path, modulesToSave) &&
      !named.some((name) => isNamed(path, name)) &&
      [...found.keys()].some((key) => key.startsWith(`${path}.`) && !key.includes(".lora_")),
  );
  return [...named, ...taken];
}

/** Whether a file has something for one place of a tied weight, and nothing for another. */
function hasSomeOfTied(model: Module, found: ReadonlyMap<string, Tensor>): boolean {
  const names = [...found.keys()];
  const places = new Map<Parameter, boolean[]>();
  for (const [path, parameter] of model.namedParameters({ removeDuplicate: false })) {
    const ofLayer = path.endsWith(".weight") ? path.replace(/weight$/, "lora_") : path;
    const isThere = names.some((one) => one === path || one.startsWith(ofLayer));
    places.set(parameter, [...(places.get(parameter) ?? []), isThere]);
  }
  return [...places.values()].some((all) => all.includes(true) && all.includes(false));
}

const withoutPrefix = (tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
  new Map(
    [...tensors].map(([name, value]) => [name.startsWith(prefix) ? name.slice(prefix.length) : name, value]),
  );

/** The value of each entry, once all of a file has been found to fit. */
function match(model: Module, folder: string, entries: readonly Entry[], found: ReadonlyMap<string, Tensor>) {
  const wrong: string[] = [];
  const left = new Set(found.keys());
  const values: [Entry, Tensor][] = [];
  for (const entry of entries) {
    const names = [...entry.names, ...entry.also].filter((name) => found.has(name));
    for (const name of names) left.delete(name);
    const here = entry.read();
    if (names.length === 0 && entry.write !== null) wrong.push(`${entry.names[0]} is missing`);
    for (const name of names) {
      const value = found.get(name)!;
      if (!sameShape(value.shape, here.shape))
        wrong.push(
          `${printable(name)} is ${shapeText(value.shape)}, and here it is ${shapeText(here.shape)}`,
        );
    }
    const first = names[0];
    if (first !== undefined) {
      const value = found.get(first)!;
      values.push([entry, value.dtype === here.dtype ? value : value.to(here.dtype)]);
    }
  }
  const parameters = new Map(left.size === 0 ? [] : model.namedParameters({ removeDuplicate: false }));
  for (const name of left) {
    const own = ownName(name);
    if (own === null) continue;
    const base = parameters.get(own);
    if (base === undefined) wrong.push(`${printable(name)} has no place`);
    else if (!sameBits(found.get(name)!, base))
      wrong.push(`${printable(name)}, which is of the base, has other values than the model`);
  }
  if (wrong.length > 0) {
    const shown = wrong.slice(0, 8).map((line) => `  ${line}`);
    if (wrong.length > shown.length) shown.push(`  and ${wrong.length - shown.length} more`);
    throw new AdapterError(
      `loadAdapter: ${folder} does not fit ${model.constructor.name}; nothing was loaded. It must be an adapter of this very base.\n${shown.join("\n")}`,
    );
  }
  return values;
}

/** The path of a parameter of the base that a file has besides; null of what a module that is trained whole was before. */
function ownName(name: string): string | null {
  if (name.includes(".original_module.")) return null;
  return name.replace(".base_layer.", ".");
}

const sameBits = (a: Tensor, b: Tensor): boolean => {
  if (!sameShape(a.shape, b.shape) || a.dtype !== b.dtype) return false;
  const [left, right] = [bitsOf(a, "loadAdapter"), bitsOf(b, "loadAdapter")];
  return left.every((x, i) => Object.is(x, right[i]));
};

/** Throws where a file has a value several times, as that of a tied weight, and not alike. */
function refuseDrift(folder: string, entries: readonly Entry[], found: ReadonlyMap<string, Tensor>): void {
  for (const { names, also, read } of entries)
    for (const name of [...names, ...also]) {
      const value = found.get(name);
      if (value === undefined) continue;
      const here = read();
      if (!sameBits(value.dtype === here.dtype ? value : value.to(here.dtype), here))
        throw new AdapterError(
          `loadAdapter: ${folder} has ${printable(name)} for a tied weight, and other values where that stands too: the two have drifted apart. ` +
            "To load them as they are, set ensure_weight_tying to false in adapter_config.json",
        );
    }
}
