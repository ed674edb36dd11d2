import { ArgumentError, SelectorError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { Module, type ParameterTree } from "../nn/module.ts";
import { Buffer } from "../tensor/buffer.ts";
import { Parameter } from "../tensor/parameter.ts";
import { intersect, type Region } from "../tensor/region.ts";
import type { Checked } from "./checked.ts";
import { globPattern } from "./glob.ts";
import { ModuleSelector, modulesOf } from "./module-selector.ts";
import { PartSet } from "./part-set.ts";
import { indexedPath, parseRegion } from "./region-text.ts";
import { remembered } from "./remembered.ts";
import { RegionSelector, type Selector, type SelectorPredicate, selectorText } from "./selector.ts";

/** A parameter, or some of it, that a selector names. */
export interface SelectedPart {
  readonly parameter: Parameter;
  /** Null: all of it. */
  readonly region: Region | null;
  /** The entry of the selector that named it first. */
  readonly by: string;
}

/** What a selector names in a module, by path. */
export type SelectedParts = ReadonlyMap<string, SelectedPart>;

/**
 * The parameters of a module that a selector names, all of them or some, by path, in the module's order. A tied weight
 * is named by any of its paths, and comes under its first. Whatever matches nothing throws `SelectorError`; an empty
 * array means none.
 */
export function select<M extends Module, const S extends Selector>(
  root: M,
  selector: Checked<M, S>,
): Map<string, Parameter>;
export function select(root: Module, selector: Selector): Map<string, Parameter> {
  return new Map([...selectParts(root, selector)].map(([path, { parameter }]) => [path, parameter]));
}

/**
 * As `select`, with what of each parameter is named, and by what. What is excluded anywhere is left out. Gives the
 * same object for the same selector for as long as the modules stay as they are.
 */
export const selectParts: (root: Module, selector: Selector) => SelectedParts = remembered(findParts);

/** Whether an entry says what is left out. */
export const isExclusion = (entry: Selector): entry is string =>
  typeof entry === "string" && entry.startsWith("!");

function findParts(root: Module, tree: ParameterTree, selector: Selector): SelectedParts {
  const parts = new PartSet<Parameter>();
  const by = new Map<Parameter, string>();
  for (const entry of flatten(selector)) {
    const exclusion = isExclusion(entry);
    const found = matchParts(root, tree, exclusion ? entry.slice(1) : entry);
    // A module selector may name modules without parameters; one that names no module has thrown.
    if (found.length === 0 && !(entry instanceof ModuleSelector)) throw matchesNothing(root, tree, entry);
    for (const [parameter, region] of found) {
      parts.add(parameter, region, exclusion);
      if (!exclusion && !by.has(parameter)) by.set(parameter, selectorText(entry));
    }
  }
  const left = parts.left(tree.once.map(([, parameter]) => parameter));
  const chosen = new Map<string, SelectedPart>();
  for (const [path, parameter] of tree.once)
    if (left.has(parameter))
      chosen.set(path, {
        parameter,
        region: left.get(parameter)!,
        by: by.get(parameter) ?? selectorText(selector),
      });
  return chosen;
}

/** What an entry names: parameters, each with the region of it that is meant. */
function matchParts(root: Module, tree: ParameterTree, entry: Entry): [Parameter, Region | null][] {
  if (entry instanceof RegionSelector) {
    const inner = selectParts(root, entry.selector);
    return [...inner].map(([path, { parameter, region }]) => {
      const both = intersect(region, entry.regionOf(parameter));
      if (both?.isEmpty)
        throw new SelectorError(
          `${entry.text} names no element of ${path}: the inner selector names only ${path}${region!.text}.`,
        );
      return [parameter, both];
    });
  }
  if (entry instanceof ModuleSelector) {
    const modules = modulesOf(root, entry);
    if (entry.policy.parameters === "keep") return [];
    return [...modules.values()].flatMap((m) => m.parameters()).map((parameter) => [parameter, null]);
  }
  const indexed = typeof entry === "string" ? indexedPath(entry) : null;
  if (indexed === null) return match(root, tree, entry).map((parameter) => [parameter, null]);
  return match(root, tree, indexed.path).map((parameter) => [
    parameter,
    parseRegion(indexed.index, parameter.shape, parameter.label || indexed.path),
  ]);
}

type Entry = Exclude<Selector, readonly Selector[]>;

/** The entries of a selector, arrays in it opened. */
export function flatten(selector: Selector): Entry[] {
  if (Array.isArray(selector)) return selector.flatMap(flatten);
  return [selector as Entry];
}

function match(
  root: Module,
  { paths }: ParameterTree,
  entry: Exclude<Entry, RegionSelector | ModuleSelector>,
): Parameter[] {
  const where = (test: SelectorPredicate): Parameter[] =>
    paths.filter(([path, parameter]) => test(path, parameter)).map(([, parameter]) => parameter);
  if (typeof entry === "string") {
    const pattern = globPattern(entry);
    return where((path) => pattern.test(path));
  }
  if (entry instanceof RegExp) {
    // A global or sticky expression remembers where it last matched.
    const pattern = new RegExp(entry.source, entry.flags.replace(/[gy]/g, ""));
    return where((path) => pattern.test(path));
  }
  if (entry instanceof Buffer) return [];
  if (entry instanceof Parameter) return where((_, parameter) => parameter === entry);
  if (entry instanceof Module) {
    if (!root.modules().includes(entry)) return [];
    const inside = new Set(entry.parameters());
    return where((_, parameter) => inside.has(parameter));
  }
  if (typeof entry === "function") return where(entry);
  throw new ArgumentError(
    `select: ${String(entry)} is no selector; give a path, a glob, a RegExp, a module, a parameter or a function`,
  );
}

function matchesNothing(root: Module, { paths }: ParameterTree, entry: Entry): SelectorError {
  const name = root.constructor.name;
  const head = `${selectorText(entry)} selects no parameter of ${name}.`;
  if (paths.length === 0) return new SelectorError(`${head} It has no parameters at all.`);
  const modules = root.namedModules({ removeDuplicate: false }).map(([path]) => path);
  const text = typeof entry === "string" ? entry.replace(/^!/, "").replace(/\[.*$/s, "") : null;
  if (text !== null && text !== "" && modules.includes(text))
    return new SelectorError(`${head} "${text}" is a module; its parameters are "${text}.**".`);
  if (entry instanceof Module && root.modules().includes(entry))
    return new SelectorError(`${head} It has no parameters.`);
  const buffers = new Map(root.namedBuffers({ removeDuplicate: false }));
  if (
    (text !== null && buffers.has(text)) ||
    (entry instanceof Buffer && [...buffers.values()].includes(entry))
  )
    return new SelectorError(`${head} It is a buffer: no step trains it, and freeze() can hold it still.`);
  if (entry instanceof Module || entry instanceof Parameter || entry instanceof Buffer)
    return new SelectorError(`${head} It is not part of ${name}.`);
  const known = paths.map(([path]) => path);
  const candidates = text?.includes("*")
    ? [...modules.filter((path) => path !== "").map((path) => `${path}.**`), ...known]
    : known;
  const shown = text === null ? known.slice(0, 3) : nearest(text, candidates, 3);
  return new SelectorError(
    `${head} ${text === null ? "Paths there" : "Nearest"}: ${shown.join(", ")}${text === null && known.length > 3 ? ", …" : ""}.`,
  );
}
