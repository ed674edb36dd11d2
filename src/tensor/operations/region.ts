import { narrow } from "../../autodiff/narrow.ts";
import { ShapeError } from "../../base/errors.ts";
import { sameShape, shapeText, sizeOf } from "../../base/shape.ts";
import { storedLeaf } from "../../engine/trace.ts";
import { reshape } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { Region } from "../region.ts";
import { broadcastTo } from "./promote.ts";

/** A tensor as its region's selection takes it: in one line, for single elements. */
const selectable = (x: Node, { dim }: Region): Node => (dim === null ? reshape(x, [sizeOf(x.shape)]) : x);

/** Single elements as elements of the rows that they lie in. */
interface InRows {
  readonly rows: Region;
  readonly elements: Region;
}
const inRows = new WeakMap<Region, InRows>();

function rowsOf(region: Region): InRows {
  let known = inRows.get(region);
  if (known === undefined) {
    const { shape, indices } = region;
    const width = sizeOf(shape.slice(1));
    const rows = Region.along(shape, 0, new Set(Array.from(indices, (i) => Math.floor(i / width))));
    const place = new Map(Array.from(rows.indices, (row, i) => [row, i]));
    const elements = Array.from(indices, (i) => place.get(Math.floor(i / width))! * width + (i % width));
    known = { rows, elements: Region.elements(rows.partShape, elements) };
    inRows.set(region, known);
  }
  return known;
}

function requireShape(op: string, x: Node, region: Region): void {
  if (!sameShape(x.shape, region.shape))
    throw new ShapeError(
      `${op}: a region of tensors of shape ${shapeText(region.shape)}, and a tensor of shape ${shapeText(x.shape)}`,
    );
}

/**
 * What of `x` is in a region, in the region's `partShape`, computed without the rest wherever the graph allows; of
 * what is in `computed`, since something else needs it whole, nothing costly is computed again.
 */
export function takeRegion(x: Node, region: Region, computed?: ReadonlySet<Node>): Node {
  requireShape("takeRegion", x, region);
  if (region.isWhole) return reshape(x, region.partShape);
  if (region.dim === null && storedLeaf(x) === null && !region.isEmpty) {
    // Rows can be computed on their own where single elements cannot.
    const { rows, elements } = rowsOf(region);
    if (2 * rows.numel <= sizeOf(x.shape))
      return takeRegion(takeRegion(x, rows, computed), elements, computed);
  }
  return narrow(selectable(x, region), region.selection, computed);
}

/**
 * `x` with what is in a region replaced by `part`, of the region's `partShape`. Assigned to the very value that `x`
 * is, it is carried out in place: nothing else is touched.
 */
export function putRegion(x: Node, region: Region, part: Node): Node {
  requireShape("putRegion", x, region);
  if (!sameShape(part.shape, region.partShape))
    throw new ShapeError(
      `putRegion: ${region.text} of a tensor of shape ${shapeText(x.shape)} is of shape ` +
        `${shapeText(region.partShape)}, what is to be put there of ${shapeText(part.shape)}`,
    );
  if (region.isEmpty) return x;
  if (region.isWhole) return reshape(part, x.shape);
  const { axis, count, indices } = region.selection;
  const column = reshape(
    indices,
    region.partShape.map((_, i) => (i === axis ? count : 1)),
  );
  const lines = broadcastTo(column, region.partShape, "putRegion");
  return reshape(node("scatter", [selectable(x, region), lines, part], { axis }), x.shape);
}
