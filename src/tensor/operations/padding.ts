import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { shapeText } from "../../base/shape.ts";
import * as build from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { pad } from "./movement.ts";
import { broadcastTo } from "./promote.ts";

/** What is put around a tensor: one value, its mirror image, its outermost elements, or what comes round again. */
export type PadMode = "constant" | "reflect" | "replicate" | "circular";

/**
 * Elements around a tensor: pairs (before, after) from the last dimension on, negative ones crop, as `F.pad`. The modes but
 * for "constant" take the last one, two or three dimensions, with one or two before them.
 */
export function padBy(x: Node, padding: readonly number[], mode: PadMode, value?: number): Node {
  if (mode === "constant") return pad(x, padding, value);
  if (value !== undefined && value !== 0)
    throw new ArgumentError(`pad: a value of ${value} in mode "${mode}", which takes none; leave it out`);
  const count = padding.length / 2;
  const rank = x.shape.length;
  if (![1, 2, 3].includes(count) || (rank !== count + 1 && rank !== count + 2))
    throw new ShapeError(
      `pad: [${padding}] around a tensor of shape ${shapeText(x.shape)} in mode "${mode}": it takes pairs for the last one, two or ` +
        "three dimensions, with one or two dimensions before them; add them with unsqueeze()",
    );
  if (x.shape.slice(rank - count - (mode === "circular" ? 0 : 1)).includes(0))
    throw new ShapeError(
      `pad: a tensor of shape ${shapeText(x.shape)} has nothing to put around it in mode "${mode}"`,
    );
  let result = x;
  for (let i = 0; i < count; i++)
    result = padAxis(result, rank - 1 - i, padding[2 * i]!, padding[2 * i + 1]!, mode, x);
  return result;
}

function padAxis(x: Node, axis: number, low: number, high: number, mode: PadMode, whole: Node): Node {
  const given = x.shape[axis]!;
  const start = Math.max(0, -low);
  const cropped = given - start - Math.max(0, -high);
  // What comes round again is what is left; the others look at what was there.
  const size = mode === "circular" ? cropped : given;
  const most = mode === "reflect" ? size - 1 : mode === "circular" ? size : Number.POSITIVE_INFINITY;
  if (low > most || high > most || given + low + high < (mode === "circular" ? 0 : 1) || cropped < 0)
    throw new ShapeError(
      `pad: ${low} before and ${high} after dimension ${axis} of shape ${shapeText(whole.shape)} in mode "${mode}": ${
        most < Math.max(low, high) ? `at most ${most} at a side` : "that leaves nothing of it"
      }`,
    );
  const kept = build.sliceAxis(x, axis, start, cropped);
  const side = (count: number, from: number, edge: number): Node[] => {
    if (count <= 0) return [];
    const lines = x.shape.map((n, i) => (i === axis ? count : n));
    if (mode === "replicate") return [broadcastTo(build.sliceAxis(x, axis, edge, 1), lines, "pad")];
    if (mode === "circular") return [build.sliceAxis(kept, axis, from, count)];
    return [build.flip(build.sliceAxis(x, axis, from, count), axis)];
  };
  const before = side(low, mode === "circular" ? size - low : 1, 0);
  const after = side(high, mode === "circular" ? 0 : size - 1 - high, size - 1);
  const parts = [...before, kept, ...after];
  return parts.length === 1 ? kept : node("concat", parts, { axis });
}
