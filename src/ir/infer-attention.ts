import type { DType } from "../base/dtype.ts";
import { DTypeError, ShapeError } from "../base/errors.ts";
import { type Shape, sameShape, shapeText, sizeOf } from "../base/shape.ts";
import type { Node, OpAttrs } from "./op.ts";

/**
 * Attention in the five dimensions that its primitives have: batches, heads of keys, heads of queries that share one,
 * positions, sizes. Queries are [N, H, G, L, E], keys [N, H, S, E], values [N, H, S, V], a mask [N, H, G, L, S].
 */

/** The sizes of heads that attention is a primitive for; of larger ones it is composed. */
export const mostHeadSize = 256;

/** What attention's primitives do beside their operands. */
export type AttentionAttrs = OpAttrs["attention"];

/** The operands that the gradient of attention is taken of, in order. */
export const attentionNames = ["query", "key", "value"] as const;
/** One of them. */
export type AttentionOperand = (typeof attentionNames)[number];

/** The operands of attention, or the first ones of its gradient, by name. */
export function attentionOperands(src: readonly Node[], { masked, dropout }: AttentionAttrs) {
  const [query, key, value] = src as [Node, Node, Node];
  let next = 3;
  const given = masked ? src[next++]! : null;
  const random = dropout > 0 ? src[next++]! : null;
  return { query, key, value, mask: given, random, rest: src.slice(next) };
}

/** The shape of the scores, [N, H, G, L, S]. */
const scoresShape = (query: Node, key: Node): Shape => [...query.shape.slice(0, 4), key.shape[2]!];

/** Shape and dtype of attention: its result as [N, H, G, L, V] or [N, L, H, G, V], then the logarithms of sums as [N, H, G, L]. */
export function inferAttention(src: readonly Node[], attrs: AttentionAttrs): { shape: Shape; dtype: DType } {
  const { value, rest } = checked("attention", src, attrs);
  if (rest.length > 0) throw new ShapeError(`attention: ${rest.length} operands too many`);
  const rows = sizeOf(src[0]!.shape.slice(0, 4));
  return { shape: [rows * (value.shape[3]! + 1)], dtype: value.dtype };
}

/**
 * The shapes in memory of gradients: those of operands, or else [N, L, H, G, E] of queries, [N, S, H, E] of keys and
 * [N, S, H, V] of values.
 */
export function gradientShapes(
  { query, key, value }: { readonly [K in AttentionOperand]: Node },
  { byHead }: AttentionAttrs,
): { readonly [K in AttentionOperand]: Shape } {
  if (byHead) return { query: query.shape, key: key.shape, value: value.shape };
  const [n, h, g, l, e] = query.shape as [number, number, number, number, number];
  const [s, v] = [key.shape[2]!, value.shape[3]!];
  return { query: [n, l, h, g, e], key: [n, s, h, e], value: [n, s, h, v] };
}

/** Shape and dtype of the gradients that are asked for, one after the other. */
export function inferAttentionGradient(
  src: readonly Node[],
  attrs: OpAttrs["attentionGradient"],
): { shape: Shape; dtype: DType } {
  const operands = checked("attentionGradient", src, attrs);
  const [logSums, deltas, gradient] = operands.rest;
  const rows = src[0]!.shape.slice(0, 4);
  const wanted = [rows, rows, [...rows, src[2]!.shape[3]!]];
  if (![logSums, deltas, gradient].every((n, i) => n !== undefined && sameShape(n.shape, wanted[i]!)))
    throw new ShapeError(
      `attentionGradient: rows of shapes ${operands.rest.map((n) => shapeText(n.shape)).join(", ")}, not ${wanted.map(shapeText).join(", ")}`,
    );
  const shapes = gradientShapes(operands, attrs);
  return {
    shape: [attrs.of.reduce((all, i) => all + sizeOf(shapes[attentionNames[i]!]), 0)],
    dtype: operands.query.dtype,
  };
}

function checked(op: string, src: readonly Node[], attrs: AttentionAttrs) {
  const operands = attentionOperands(src, attrs);
  const { query, key, value, mask, random, rest } = operands;
  const [n, h, , , e] = query.shape;
  const s = key.shape[2]!;
  const fits =
    query.shape.length === 5 &&
    sameShape(key.shape, [n!, h!, s, e!]) &&
    sameShape(value.shape, [n!, h!, s, value.shape[3]!]) &&
    (mask === null || sameShape(mask.shape, scoresShape(query, key))) &&
    (random === null || sameShape(random.shape, [2])) &&
    Math.max(e!, value.shape[3]!) <= mostHeadSize;
  if (!fits)
    throw new ShapeError(
      `${op}: operands of shapes ${src.map((x) => shapeText(x.shape)).join(", ")} do not fit`,
    );
  const floats = [query, key, value, ...rest, ...(mask === null || mask.dtype === "bool" ? [] : [mask])];
  const isFloat = query.dtype === "f32" || query.dtype === "f64";
  if (!isFloat || floats.some((x) => x.dtype !== query.dtype))
    throw new DTypeError(
      `${op}: operands of ${src.map((x) => x.dtype).join(", ")}; it takes floats of one dtype`,
    );
  return operands;
}
