import type { Shape } from "../../base/shape.ts";
import { sizeOf } from "../../base/shape.ts";
import { attentionResults, composedAttention } from "../../ir/attention.ts";
import { cast, reshape } from "../../ir/build.ts";
import { type AttentionAttrs, mostHeadSize } from "../../ir/infer-attention.ts";
import { type Node, node } from "../../ir/node.ts";
import { broadcastTo, floating } from "./promote.ts";

/** What attention is told beside its operands. */
export interface AttentionNodes {
  /** Bools, true for pairs that take part, or numbers that are added to scores; of a shape that broadcasts to theirs. */
  readonly mask: Node | null;
  readonly isCausal: boolean;
  /** What scores are multiplied by. */
  readonly scale: number;
  /** With which probability a weight is dropped, and the key of the random bits that say so; null: none is. */
  readonly dropped: { readonly p: number; readonly key: Node } | null;
  /** The dimensions before the last two of the result; the heads of queries are the last of them. */
  readonly batch: Shape;
  /** How many heads of queries share a head of keys and values. */
  readonly group: number;
}

/**
 * softmax(query · keyᵀ · scale + mask) · value; a query without a key gives zeros. It is a primitive, which stores no
 * scores, unless the mask has a gradient or there is nothing to compute.
 */
export function attention(query: Node, key: Node, value: Node, how: AttentionNodes): Node {
  const { isCausal, scale, dropped, batch, group } = how;
  const lead = batch.slice(0, -1);
  const heads = (batch.at(-1) ?? 1) / group;
  const [length, size] = query.shape.slice(-2) as [number, number];
  const [keys, width] = value.shape.slice(-2) as [number, number];
  const fit = (x: Node, own: Shape, shape: Shape): Node =>
    reshape(
      broadcastTo(x, [...lead, ...(batch.length === 0 ? [] : own), ...x.shape.slice(-2)], "attention"),
      shape,
    );
  const n = sizeOf(lead);
  const q = fit(floating(query), [heads * group], [n, heads, group, length, size]);
  const k = fit(floating(key), [heads], [n, heads, keys, size]);
  const v = fit(floating(value), [heads], [n, heads, keys, width]);
  const given = how.mask === null ? null : pairs(how.mask, [...batch, length, keys], q, keys);
  const attrs: AttentionAttrs = {
    causal: isCausal,
    masked: given !== null,
    scale,
    dropout: dropped?.p ?? 0,
    byHead: !isPermuted(query),
  };
  const src = [q, k, v, ...(given === null ? [] : [given]), ...(dropped === null ? [] : [dropped.key])];
  const isPrimitive =
    q.dtype === "f32" &&
    Math.max(size, width) <= mostHeadSize &&
    sizeOf(q.shape) * sizeOf(v.shape) > 0 &&
    given?.tracked !== true;
  const result = isPrimitive
    ? attentionResults(node("attention", src, attrs), q, v, attrs).result
    : composedAttention(src, attrs).result;
  return reshape(result, [...batch, length, width]);
}

/** Whether a value is one whose dimensions have been exchanged, as heads are with positions; what it becomes will be too. */
function isPermuted(x: Node): boolean {
  let at = x;
  while (at.op === "reshape" || at.op === "cast") at = at.src[0]!;
  return at.op === "permute";
}

/** A mask for each pair of a query and a key. */
function pairs(mask: Node, shape: Shape, query: Node, keys: number): Node {
  const numbers = mask.dtype === "bool" ? mask : cast(mask, query.dtype);
  return reshape(broadcastTo(numbers, shape, "attention"), [...query.shape.slice(0, 4), keys]);
}
