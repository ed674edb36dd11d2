import { SelectorError } from "../base/errors.ts";
import type { Module, ParameterTree } from "../nn/module.ts";
import { Buffer } from "../tensor/buffer.ts";
import { intersect, type Region } from "../tensor/region.ts";
import { globPattern } from "./glob.ts";
import { ModuleSelector } from "./module-selector.ts";
import { PartSet } from "./part-set.ts";
import { indexedPath, parseRegion } from "./region-text.ts";
import { remembered } from "./remembered.ts";
import { flatten, isExclusion, type SelectedParts, selectParts } from "./select.ts";
import { RegionSelector, type Selector } from "./selector.ts";

/** What a selector names of what can be frozen: parameters, and buffers with the region of each (null: all of it). */
export interface SelectedStored {
  readonly parts: SelectedParts;
  readonly buffers: ReadonlyMap<Buffer, Region | null>;
  /** Its entries that name whole modules. */
  readonly modules: readonly ModuleSelector[];
}

/**
 * The parameters that a selector names, as `selectParts`, and the buffers: by a buffer itself, or by a text that matches
 * no parameter and some buffers. What matches parameters means those, so that `bn.**` does not hold a BatchNorm's
 * statistics unawares.
 */
export const selectStored: (root: Module, selector: Selector) => SelectedStored = remembered(find);

function find(root: Module, tree: ParameterTree, selector: Selector): SelectedStored {
  const modules = flatten(selector).filter((entry) => entry instanceof ModuleSelector);
  const paths = root.namedBuffers({ removeDuplicate: false });
  const parts = new PartSet<Buffer>();
  const rest: Selector[] = [];
  for (const entry of paths.length === 0 ? [] : flatten(selector)) {
    const exclusion = isExclusion(entry);
    const { found, left } = buffersOf(exclusion ? entry.slice(1) : entry, tree, paths);
    for (const [buffer, region] of found) parts.add(buffer, region, exclusion);
    if (left !== null) rest.push(exclusion ? entry : left);
  }
  const buffers = parts.left([]);
  // Where no buffer is named, what leaves one out is as wrong as what leaves out anything else that is not there.
  if (buffers.size === 0) return { buffers, parts: selectParts(root, selector), modules };
  // What is left are no exclusions alone, which would mean everything but those.
  const alone = rest.length > 0 && rest.every(isExclusion);
  return { buffers, parts: selectParts(root, alone ? ["!**", ...rest] : rest), modules };
}

/** What an entry names of buffers, and what else it names (null: nothing). */
interface Found {
  readonly found: readonly (readonly [Buffer, Region | null])[];
  readonly left: Selector | null;
}

function buffersOf(
  entry: Selector,
  tree: ParameterTree,
  paths: readonly (readonly [string, Buffer])[],
): Found {
  const none: Found = { found: [], left: entry };
  if (entry instanceof Buffer)
    return paths.some(([, buffer]) => buffer === entry) ? { found: [[entry, null]], left: null } : none;
  if (entry instanceof RegionSelector) {
    const all = flatten(entry.selector).map((one) => buffersOf(one, tree, paths));
    const found = all.flatMap((one) => one.found);
    if (found.length === 0) return none;
    const left = all.flatMap((one) => one.left ?? []);
    const both = ([buffer, region]: readonly [Buffer, Region | null]) => {
      const shared = intersect(region, entry.regionOf(buffer));
      if (shared?.isEmpty)
        throw new SelectorError(
          `${entry.text} names no element of ${buffer.label}: the inner selector names only ${buffer.label}${region!.text}.`,
        );
      return [buffer, shared] as const;
    };
    return {
      found: found.map(both),
      left: left.length === 0 ? null : new RegionSelector(left, entry.text, entry.regionOf),
    };
  }
  if (typeof entry !== "string") return none;
  const indexed = indexedPath(entry);
  const pattern = globPattern(indexed?.path ?? entry);
  if (tree.paths.some(([path]) => pattern.test(path))) return none;
  const named = new Set(paths.flatMap(([path, buffer]) => (pattern.test(path) ? [buffer] : [])));
  if (named.size === 0) return none;
  const regionOf = ({ shape, label }: Buffer): Region | null =>
    indexed === null ? null : parseRegion(indexed.index, shape, label || indexed.path);
  return { found: [...named].map((buffer) => [buffer, regionOf(buffer)] as const), left: null };
}
