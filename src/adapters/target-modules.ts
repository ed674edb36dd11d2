import { AdapterError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { Embedding } from "../nn/embedding.ts";
import { Linear } from "../nn/linear.ts";
import type { Module } from "../nn/module.ts";
import type { AdaptedLayer } from "./lora-layer.ts";
import { expression, type LoraConfig } from "./lora-options.ts";

/** Whether a path is a name, or ends with it. */
const endsWith = (path: string, name: string): boolean => path === name || path.endsWith(`.${name}`);

/** Modules by path, under each of their paths. */
const modulesOf = (model: Module): [string, Module][] =>
  model.namedModules({ removeDuplicate: false }).filter(([path]) => path !== "");

/** Each module once, under the first of the paths that are given. */
function once(named: readonly [string, Module][]): [string, Module][] {
  const seen = new Set<Module>();
  return named.filter(([, module]) => !seen.has(module) && seen.add(module) !== undefined);
}

/**
 * The layers that get low-rank parts, by path. Throws `AdapterError` where a target names nothing, or what can have none.
 * Source: `check_target_module_exists` of PEFT.
 */
export function targetLayers(model: Module, config: LoraConfig): [string, AdaptedLayer][] {
  const { targetModules } = config;
  if (Array.isArray(targetModules) && targetModules.length === 0) return [];
  const head = targetModules === "all-linear" ? headOf(model) : null;
  const named = namedBy(config);
  const matching = modulesOf(model).filter(([path, module]) => {
    if (isExcluded(config, path)) return false;
    return head === null ? named(path) : module instanceof Linear && !head(path);
  });
  const found = once(matching);
  if (found.length === 0)
    throw new AdapterError(
      `lora: targetModules ${shown(targetModules)} names no layer of ${model.constructor.name}${excludes(config)}. ${offered(model, targetModules)}`,
    );
  for (const [path, module] of found) requireAdaptable(path, module);
  return found as [string, AdaptedLayer][];
}

const shown = (targets: LoraConfig["targetModules"]): string =>
  targets instanceof RegExp ? String(targets) : JSON.stringify(targets);

const excludes = ({ excludeModules, modulesToSave, layersToTransform }: LoraConfig): string => {
  const given = Object.entries({ excludeModules, modulesToSave, layersToTransform }).filter(
    ([, value]) => value !== null && !(Array.isArray(value) && value.length === 0),
  );
  return given.length === 0 ? "" : ` that ${given.map(([name]) => name).join(" and ")} leave`;
};

/** What there is to name. */
function offered(model: Module, targets: LoraConfig["targetModules"]): string {
  const layers = modulesOf(model).filter(([, m]) => m instanceof Linear || m instanceof Embedding);
  if (layers.length === 0) return "It has no nn.Linear and no nn.Embedding.";
  const ends = [...new Set(layers.map(([path]) => path.slice(path.lastIndexOf(".") + 1)))];
  const wanted = Array.isArray(targets) ? targets : [];
  const first = [...new Set(wanted.flatMap((name: string) => nearest(name, ends, 1)))];
  return `Its layers end with ${[...first, ...ends.filter((end) => !first.includes(end))].slice(0, 12).join(", ")}.`;
}

function namedBy(config: LoraConfig): (path: string) => boolean {
  const { targetModules, layersToTransform } = config;
  if (!Array.isArray(targetModules)) {
    const pattern = expression("targetModules", targetModules as string | RegExp);
    return (path) => pattern.test(path);
  }
  return (path) => {
    if (targetModules.includes(path)) return true;
    if (!targetModules.some((name: string) => endsWith(path, name))) return false;
    if (layersToTransform === null || layersToTransform.length === 0) return true;
    const number = layerNumber(path, config.layersPattern);
    return number !== null && layersToTransform.includes(number);
  };
}

/** The number of the layer that a path is in. */
function layerNumber(path: string, patterns: readonly string[]): number | null {
  const all = patterns.length === 0 ? null : patterns;
  const found =
    all === null
      ? /^.*?\.[^.]*\.(\d+)\./.exec(path)
      : all
          .map((pattern) => new RegExp(`^(?:.*?\\.)?(?:${pattern})\\.(\\d+)\\.`).exec(path))
          .find((m) => m !== null);
  return found == null ? null : Number(found[1]);
}

function isExcluded({ excludeModules, modulesToSave }: LoraConfig, path: string): boolean {
  // What is in a module that is trained whole needs no low-rank parts.
  if (modulesToSave.some((name) => `.${path}.`.includes(`.${name}.`))) return true;
  return Array.isArray(excludeModules)
    ? excludeModules.some((name: string) => endsWith(path, name))
    : expression("excludeModules", excludeModules as string | RegExp).test(path);
}

/** Names that heads have where a model does not say what its head is. */
const headNames = ["classifier", "score", "lm_head"];

/** Whether a path is in the head of a model: what its `headPaths` says, or what is called as heads are. */
function headOf(model: Module): (path: string) => boolean {
  const { headPaths } = model as { headPaths?: unknown };
  if (typeof headPaths !== "function")
    return (path) => path.split(".").some((name) => headNames.includes(name));
  const paths = Reflect.apply(headPaths, model, []) as string[];
  return (path) => paths.includes(`${path}.weight`);
}

/** Throws where a module can have no low-rank parts. */
function requireAdaptable(path: string, module: Module): void {
  const refuse = (why: string): never => {
    throw new AdapterError(`lora: ${path} is ${module.constructor.name}, ${why}`);
  };
  if (!(module instanceof Linear || module instanceof Embedding))
    refuse(
      "which can have no low-rank parts: nn.Linear and nn.Embedding can. Name those inside it, or train it whole by modulesToSave",
    );
  if (module instanceof Embedding && (module.maxNorm !== null || module.scaleGradByFreq))
    refuse(
      "with maxNorm or scaleGradByFreq, which change the table or its gradient as it is read; train it whole",
    );
  if ("parametrizations" in module)
    refuse("whose weight is computed by a parametrization; take that off with removeParametrizations first");
  if (
    Object.getPrototypeOf(module) !== Linear.prototype &&
    Object.getPrototypeOf(module) !== Embedding.prototype
  )
    refuse(
      "a class of its own, whose forward pass may read its weight otherwise; train it whole by modulesToSave",
    );
}

/** The modules, by path, that names mean. Throws `AdapterError` for a name that means none. */
export function namedModules(model: Module, option: string, names: readonly string[]): [string, Module][] {
  const all = modulesOf(model);
  const found = new Map<string, Module>();
  for (const name of names) {
    const meant = all.filter(([path]) => endsWith(path, name));
    if (meant.length === 0)
      throw new AdapterError(
        `lora: ${option} names ${JSON.stringify(name)}, and ${model.constructor.name} has no such module. ` +
          `Nearest: ${nearest(
            name,
            all.map(([path]) => path),
            3,
          ).join(", ")}.`,
      );
    for (const [path, module] of meant) found.set(path, module);
  }
  // What is inside another that is named comes with it.
  return once([...found]).filter(
    ([path]) => ![...found.keys()].some((outer) => path.startsWith(`${outer}.`)),
  );
}

/** The value of the first pattern that the end of a path matches. */
export function byPath(patterns: Readonly<Record<string, number>>, path: string, otherwise: number): number {
  for (const [pattern, value] of Object.entries(patterns))
    if (expression("pattern", `(.*\\.)?(${pattern})`).test(path)) return value;
  return otherwise;
}
