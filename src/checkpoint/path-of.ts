import { type MatchOptions, pathIn } from "../nn/compare-state.ts";
import type { Module } from "../nn/module.ts";

/**
 * What a name of a checkpoint is called in the module that it is loaded into; undefined: what it is called there. A name
 * that would lead to nothing stays what it is: it may be of something else, such as another module's optimizer.
 */
export function pathOf(module: Module, options: MatchOptions): ((name: string) => string) | undefined {
  if (options.prefix === undefined && options.rename === undefined) return undefined;
  const walk = { removeDuplicate: false };
  const known = new Set(
    [...module.namedParameters(walk), ...module.namedBuffers(walk)].map(([path]) => path),
  );
  return (name) => {
    const path = pathIn(options, name);
    return path !== null && known.has(path) ? path : name;
  };
}
