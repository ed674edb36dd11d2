import { ArgumentError, SelectorError } from "../base/errors.ts";
import { Module } from "../nn/module.ts";
import { Parameter } from "../tensor/parameter.ts";
import { globPattern } from "./glob.ts";
import { nearest } from "./nearest.ts";
import type { Checked } from "./paths.ts";
import { type Selector, type SelectorPredicate, selectorText } from "./selector.ts";

export { type Selector, type SelectorPredicate, selectorText };

/**
 * The parameters of a module that a selector names, by path, in the module's order. A tied weight is named by any of
 * its paths, and comes under its first. Whatever matches nothing throws `SelectorError`; an empty array means none.
 */
export function select<M extends Module, const S extends Selector>(
  root: M,
  selector: Checked<M, S>,
): Map<string, Parameter> {
  const tree = treeOf(root);
  const included = new Set<Parameter>();
  const excluded = new Set<Parameter>();
  for (const entry of flatten(selector)) {
    const exclusion = typeof entry === "string" && entry.startsWith("!");
    const found = match(tree, exclusion ? entry.slice(1) : entry);
    if (found.length === 0) throw matchesNothing(tree, entry);
    for (const parameter of found) (exclusion ? excluded : included).add(parameter);
  }
  const onlyExclusions = included.size === 0 && excluded.size > 0;
  const chosen = new Map<string, Parameter>();
  for (const [path, parameter] of tree.once)
    if ((onlyExclusions || included.has(parameter)) && !excluded.has(parameter)) chosen.set(path, parameter);
  return chosen;
}

/** A module's parameters: under all their paths, and once each. */
interface Tree {
  readonly root: Module;
  readonly paths: readonly [string, Parameter][];
  readonly once: readonly [string, Parameter][];
}

const treeOf = (root: Module): Tree => ({
  root,
  paths: root.namedParameters({ removeDuplicate: false }),
  once: root.namedParameters(),
});

type Entry = Exclude<Selector, readonly Selector[]>;

function flatten(selector: Selector): Entry[] {
  if (Array.isArray(selector)) return selector.flatMap(flatten);
  return [selector as Entry];
}

function match({ root, paths }: Tree, entry: Entry): Parameter[] {
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

function matchesNothing({ root, paths }: Tree, entry: Entry): SelectorError {
  const name = root.constructor.name;
  const head = `${selectorText(entry)} selects no parameter of ${name}.`;
  if (paths.length === 0) return new SelectorError(`${head} It has no parameters at all.`);
  const modules = root.namedModules({ removeDuplicate: false }).map(([path]) => path);
  if (typeof entry === "string" && modules.includes(entry))
    return new SelectorError(`${head} "${entry}" is a module; its parameters are "${entry}.**".`);
  if (entry instanceof Module && root.modules().includes(entry))
    return new SelectorError(`${head} It has no parameters.`);
  if (entry instanceof Module || entry instanceof Parameter)
    return new SelectorError(`${head} It is not part of ${name}.`);
  const known = paths.map(([path]) => path);
  const text = typeof entry === "string" ? entry.replace(/^!/, "") : null;
  const candidates = text?.includes("*")
    ? [...modules.filter((path) => path !== "").map((path) => `${path}.**`), ...known]
    : known;
  const shown = text === null ? known.slice(0, 3) : nearest(text, candidates, 3);
  return new SelectorError(
    `${head} ${text === null ? "Paths there" : "Nearest"}: ${shown.join(", ")}${text === null && known.length > 3 ? ", …" : ""}.`,
  );
}
