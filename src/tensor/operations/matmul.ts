import { promoteTypes } from "../../base/dtype.ts";
import { ShapeError } from "../../base/errors.ts";
import { broadcastShapes, shapeText } from "../../base/shape.ts";
import { type Node, node } from "../../ir/node.ts";
import { broadcastTo, cast, computeType } from "./broadcast.ts";

/** Product of tensors of any rank, as `torch.matmul`: leading axes broadcast, vectors are rows or columns. */
export function matmul(a: Node, b: Node): Node {
  if (a.shape.length === 0 || b.shape.length === 0)
    throw new ShapeError(`matmul: needs at least one axis each, got ${shapeText(a.shape)} and ${shapeText(b.shape)}`);
  const dtype = computeType(promoteTypes(a.dtype, b.dtype));
  const left = cast(a, dtype);
  const right = cast(b, dtype);
  const inner = a.shape.at(-1);
  const rightAxis = Math.max(0, b.shape.length - 2);
  if (inner !== b.shape[rightAxis])
    throw new ShapeError(
      `matmul: ${shapeText(a.shape)} times ${shapeText(b.shape)}: the last axis of the first (${inner}) must equal ` +
        `axis ${rightAxis} of the second (${b.shape[rightAxis]})`,
    );
  const plain = (x: Node, y: Node, contractLeft: number, contractRight: number) =>
    node("dot", [x, y], { leftBatch: [], rightBatch: [], leftContract: [contractLeft], rightContract: [contractRight] });
  // One matrix for all: no batch axes are needed, the left's leading axes are all rows.
  if (b.shape.length <= 2) return plain(left, right, a.shape.length - 1, rightAxis);
  const vector = a.shape.length === 1;
  const rows = vector ? node("reshape", [left], { shape: [1, a.shape[0]!] }) : left;
  const lead = broadcastShapes(rows.shape.slice(0, -2), right.shape.slice(0, -2));
  if (lead === null)
    throw new ShapeError(`matmul: leading axes of ${shapeText(a.shape)} and ${shapeText(b.shape)} do not broadcast`);
  const x = broadcastTo(rows, [...lead, ...rows.shape.slice(-2)]);
  const y = broadcastTo(right, [...lead, ...right.shape.slice(-2)]);
  const batch = lead.map((_, i) => i);
  const r = lead.length;
  const out = node("dot", [x, y], { leftBatch: batch, rightBatch: batch, leftContract: [r + 1], rightContract: [r] });
  return vector ? node("reshape", [out], { shape: [...lead, out.shape.at(-1)!] }) : out;
}

/** x · weightᵀ + bias, with weight [out, in]. */
export function linear(x: Node, weight: Node, bias: Node | null): Node {
  if (x.shape.length === 0 || weight.shape.length !== 2 || x.shape.at(-1) !== weight.shape[1])
    throw new ShapeError(
      `linear: input ${shapeText(x.shape)} and weight ${shapeText(weight.shape)}: the last axis of the input must be ` +
        `the weight's inFeatures (${weight.shape[1]})`,
    );
  const dtype = computeType(promoteTypes(x.dtype, weight.dtype));
  const out = node("dot", [cast(x, dtype), cast(weight, dtype)], {
    leftBatch: [],
    rightBatch: [],
    leftContract: [x.shape.length - 1],
    rightContract: [1],
  });
  return bias === null ? out : node("add", [out, broadcastTo(cast(bias, dtype), out.shape)], {});
}
