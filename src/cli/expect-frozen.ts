import { SelectorError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { printable } from "../base/printable.ts";
import { sizeOf } from "../base/shape.ts";
import type { TensorDiff } from "../checkpoint/diff.ts";
import type { ElementTest } from "../checkpoint/diff-tensor.ts";
import { globPattern } from "../freeze/glob.ts";
import { PartSet } from "../freeze/part-set.ts";
import { indexedPath, parseRegion } from "../freeze/region-text.ts";
import type { Region } from "../tensor/region.ts";

/** What is expected not to have moved. */
export interface Expectation {
  /** Tensors by name, each with the text of the region that is meant: none where that is all of it. */
  readonly names: ReadonlyMap<string, string>;
  /** Tells which elements of a tensor are meant; undefined where all are, or none. */
  readonly elements: (name: string) => ElementTest | undefined;
  /** Whether something has become of a tensor that was to stay as it is. */
  readonly moved: (tensor: TensorDiff) => boolean;
  /** Whether it is only that B lacks it, and it is nothing that training could have moved. */
  readonly lacked: (tensor: TensorDiff) => boolean;
}

/**
 * What selectors expect of tensors of these shapes: globs over names, with an index behind them
 * (`embedding.weight[:32000]`) for some of each, and `!` in front for what is left out. Throws `SelectorError` for one
 * that names nothing, or where nothing is left of all of them.
 */
export function expectFrozen(
  selectors: readonly string[],
  shapes: ReadonlyMap<string, readonly number[]>,
): Expectation {
  const frozen = frozenTensors(selectors, shapes);
  if (frozen.size === 0)
    throw new SelectorError(
      `--expect-frozen ${selectors.map((selector) => `"${selector}"`).join(", ")}: what is left out leaves nothing`,
    );
  return {
    names: new Map([...frozen].map(([name, region]) => [name, region?.text ?? ""])),
    elements: (name) => elementsOf(frozen.get(name) ?? null),
    moved: (tensor) => frozen.has(tensor.name) && hasMoved(tensor, frozen.get(tensor.name)!),
    lacked: (tensor) => frozen.has(tensor.name) && isLackedBuffer(tensor),
  };
}

function frozenTensors(
  selectors: readonly string[],
  shapes: ReadonlyMap<string, readonly number[]>,
): Map<string, Region | null> {
  const parts = new PartSet<string>();
  for (const selector of selectors) {
    const exclusion = selector.startsWith("!");
    const text = exclusion ? selector.slice(1) : selector;
    const indexed = indexedPath(text);
    const pattern = globPattern(indexed?.path ?? text);
    const names = [...shapes.keys()].filter((name) => pattern.test(name));
    if (names.length === 0)
      throw new SelectorError(
        `--expect-frozen "${selector}" names no tensor. Nearest: ${nearest(
          indexed?.path ?? text,
          [...shapes.keys()],
          3,
        )
          .map(printable)
          .join(", ")}.`,
      );
    for (const name of names)
      parts.add(name, indexed && parseRegion(indexed.index, shapes.get(name)!, name), exclusion);
  }
  return parts.left(shapes.keys());
}

/** Whether each element of a tensor is in a region; undefined where all are. */
function elementsOf(region: Region | null): ElementTest | undefined {
  if (region === null) return undefined;
  const { dim, indices, shape } = region;
  if (dim === null) return (element) => holds(indices, element);
  const inside = new Uint8Array(shape[dim]!);
  for (const index of indices) inside[index] = 1;
  const inner = sizeOf(shape.slice(dim + 1));
  return (element) => inside[Math.floor(element / inner) % inside.length] === 1;
}

/** Whether ascending numbers hold one, by halves. */
function holds(ascending: Int32Array, wanted: number): boolean {
  let [from, to] = [0, ascending.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (ascending[middle]! < wanted) from = middle + 1;
    else to = middle;
  }
  return ascending[from] === wanted;
}

/** Buffers of floating point that are constants of an architecture, which transformers came to leave out of its files. */
const constants = /(^|\.)(position_ids|token_type_ids|inv_freq|masked_bias)$/;

/**
 * Whether B only lacks a buffer, as libraries come to leave out what they compute anew (`embeddings.position_ids`). A
 * file does not tell buffers: integers and bools are, but for packed weights, which those who pack them call so.
 */
function isLackedBuffer({ kind, name, before }: TensorDiff): boolean {
  if (kind !== "missing") return false;
  return constants.test(name) || (/^([IU]\d+|BOOL)$/.test(before!.dtype) && !/weight|zeros/.test(name));
}

/** Whether something has become of a tensor that was to stay as it is. */
function hasMoved(tensor: TensorDiff, region: Region | null): boolean {
  const { kind, change } = tensor;
  if (kind === "same" || kind === "added" || isLackedBuffer(tensor)) return false;
  if (kind !== "changed" || region === null || change === null) return true;
  return change.within!.changed > 0;
}
