import type { Parameter } from "../tensor/parameter.ts";
import type { Module } from "./module.ts";

/** A parameter that was frozen until further notice, and by what. */
interface Note {
  readonly parameter: Parameter;
  readonly by: string;
}

const notes = new WeakMap<Module, Map<string, Note>>();
const told = new WeakSet<Parameter>();

/** Remembers that the parameters at paths of a module have been frozen until further notice, by a call of this text. */
export function noteFrozen(root: Module, parameters: ReadonlyMap<string, Parameter>, by: string): void {
  let ofRoot = notes.get(root);
  if (ofRoot === undefined) notes.set(root, (ofRoot = new Map()));
  for (const [path, parameter] of parameters) ofRoot.set(path, { parameter, by });
}

/** Forgets it of what has been unfrozen. */
export function forgetFrozen(root: Module, parameters: ReadonlyMap<string, Parameter>): void {
  const ofRoot = notes.get(root);
  for (const path of parameters.keys()) ofRoot?.delete(path);
}

const isFrozen = (p: Parameter): boolean => p.frozen || p.frozenRegion !== null;

/**
 * Warns, once a parameter, of what is about to be trained in the place of a parameter that was frozen until further
 * notice: a parameter is frozen, not a path, so what is put in its place is not.
 */
export function warnOfUnfrozenPlaces(module: Module, trained: ReadonlySet<Parameter>): void {
  for (const [prefix, root] of module.namedModules()) {
    const ofRoot = notes.get(root);
    if (ofRoot === undefined) continue;
    const now = new Map(root.parameterTree().paths);
    for (const [path, { parameter, by }] of ofRoot) {
      const there = now.get(path);
      if (there === undefined || there === parameter || told.has(there)) continue;
      if (!trained.has(there) || isFrozen(there) || !isFrozen(parameter)) continue;
      told.add(there);
      console.warn(
        `thaw: ${prefix === "" ? path : `${prefix}.${path}`} was frozen by ${by}, and has been replaced since: what is there now is not frozen, ` +
          `and is trained. Freeze it as well, or say unfreeze() of "${path}" if that is what you want. (This is said once.)`,
      );
    }
  }
}
