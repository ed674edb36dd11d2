import type { Module, ParameterTree } from "../nn/module.ts";
import { Buffer } from "../tensor/buffer.ts";
import { intersect, type Region, union } from "../tensor/region.ts";
import { globPattern } from "./glob.ts";
import { indexedPath, parseRegion } from "./region-text.ts";
import { flatten } from "./select.ts";
import { RegionSelector, type Selector, selectorKey } from "./selector.ts";

/** A selector as what it names of buffers, each with the region that is meant (null: all), and what is left of it. */
export interface WithBuffers {
  readonly buffers: ReadonlyMap<Buffer, Region | null>;
  readonly rest: Selector;
}

/** Answers by selector, in trees that have not changed since. */
const known = new WeakMap<ParameterTree, Map<string, WithBuffers>>();

/** Selectors that are remembered at a time, of each tree. */
const remembered = 2048;

/**
 * The buffers that a selector names: by a buffer itself, or by a text that matches no parameter and some buffers. What
 * matches parameters means those, so that `bn.**` does not hold a BatchNorm's statistics unawares.
 */
export function selectBuffers(root: Module, selector: Selector): WithBuffers {
  const tree = root.parameterTree();
  const key = selectorKey(selector);
  if (key === null) return split(root, tree, selector);
  let ofTree = known.get(tree);
  if (ofTree === undefined || ofTree.size >= remembered) known.set(tree, (ofTree = new Map()));
  let found = ofTree.get(key);
  if (found === undefined) ofTree.set(key, (found = split(root, tree, selector)));
  return found;
}

function split(root: Module, tree: ParameterTree, selector: Selector): WithBuffers {
  const paths = root.namedBuffers({ removeDuplicate: false });
  const buffers = new Map<Buffer, Region | null>();
  if (paths.length === 0) return { buffers, rest: selector };
  const rest: Selector[] = [];
  for (const entry of flatten(selector)) {
    const found = buffersOf(entry, tree, paths);
    if (found.length === 0) rest.push(entry);
    for (const [buffer, region] of found)
      buffers.set(buffer, buffers.has(buffer) ? union(buffers.get(buffer)!, region) : region);
  }
  return buffers.size === 0 ? { buffers, rest: selector } : { buffers, rest };
}

type Found = readonly (readonly [Buffer, Region | null])[];

function buffersOf(
  entry: Selector,
  tree: ParameterTree,
  paths: readonly (readonly [string, Buffer])[],
): Found {
  if (entry instanceof Buffer) return paths.some(([, buffer]) => buffer === entry) ? [[entry, null]] : [];
  if (entry instanceof RegionSelector)
    return flatten(entry.selector)
      .flatMap((inner) => buffersOf(inner, tree, paths))
      .map(([buffer, region]) => [buffer, intersect(region, entry.regionOf(buffer))] as const);
  if (typeof entry !== "string" || entry.startsWith("!")) return [];
  const indexed = indexedPath(entry);
  const pattern = globPattern(indexed?.path ?? entry);
  if (tree.paths.some(([path]) => pattern.test(path))) return [];
  const named = new Set(paths.flatMap(([path, buffer]) => (pattern.test(path) ? [buffer] : [])));
  return [...named].map((buffer) => [
    buffer,
    indexed === null ? null : parseRegion(indexed.index, buffer.shape, buffer.label || indexed.path),
  ]);
}
