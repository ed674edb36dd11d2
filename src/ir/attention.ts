import type { DType } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import {
  cast,
  div,
  eq,
  filledLike,
  mul,
  permute,
  reshape,
  restore,
  sliceAxis,
  sub,
  sum,
  where,
} from "./build.ts";
import { type AttentionAttrs, type AttentionOperand, attentionOperands } from "./infer-attention.ts";
import { type Node, node } from "./node.ts";
import type { OpAttrs } from "./op.ts";

/** The result of an attention node, [N, H, G, L, V], and the logarithms of its sums, [N, H, G, L]: views. */
export function attentionResults(
  flat: Node,
  query: Node,
  value: Node,
  { byHead }: AttentionAttrs,
): { result: Node; logSums: Node } {
  const [n, h, g, l] = query.shape as [number, number, number, number, number];
  const rows = n * h * g * l;
  const v = value.shape[3]!;
  const result = sliceAxis(flat, 0, 0, rows * v);
  return {
    result: byHead
      ? reshape(result, [n, h, g, l, v])
      : permute(reshape(result, [n, l, h, g, v]), [0, 2, 3, 1, 4]),
    logSums: reshape(sliceAxis(flat, 0, rows * v, rows), [n, h, g, l]),
  };
}

/** Attention from plain operations. */
export interface ComposedAttention {
  /** Softmax, before and after dropout. */
  readonly weights: Node;
  /** What dropout multiplies weights by; null: nothing. */
  readonly kept: Node | null;
  readonly result: Node;
}

/**
 * softmax(query · keyᵀ · scale + mask) · value from plain operations, which have gradients of any order; a query that has
 * no key gives zeros.
 */
export function composedAttention(src: readonly Node[], attrs: AttentionAttrs): ComposedAttention {
  const { query, key, value, mask, random } = attentionOperands(src, attrs);
  const dtype = query.dtype;
  const like = (x: number, n: Node): Node => filledLike(x, n);
  let scores: Node = node("dot", [mul(query, like(attrs.scale, query)), key], headwise(4, 3));
  if (mask !== null)
    scores =
      mask.dtype === "bool" ? where(mask, scores, like(-Infinity, scores)) : node("add", [scores, mask], {});
  if (attrs.causal) {
    const iota = (axis: number): Node => node("iota", [], { shape: scores.shape, axis, dtype: "i32" });
    scores = where(node("le", [iota(4), iota(3)], {}), scores, like(-Infinity, scores));
  }
  const weights = weightsOf(scores);
  const kept = random === null ? null : keptOf(random, scores.shape, attrs.dropout, dtype);
  const dropped = kept === null ? weights : mul(weights, kept);
  return { weights, kept, result: node("dot", [dropped, value], headwise(4, 2)) };
}

/** A product for each head of keys: of the last dimension of the left with one of the right. */
const headwise = (left: number, right: number): OpAttrs["dot"] => ({
  leftBatch: [0, 1],
  rightBatch: [0, 1],
  leftContract: [left],
  rightContract: [right],
});

/** Softmax along the last dimension, which is 0 where all scores are -Infinity: the shift and the sum are then neutral. */
function weightsOf(scores: Node): Node {
  const axes = [scores.shape.length - 1];
  if (scores.shape.at(-1) === 0) return scores;
  const top = node("detach", [node("maxReduce", [scores], { axes })], {});
  const none = eq(top, filledLike(-Infinity, top));
  const spread = (x: Node): Node => restore(x, axes, scores.shape);
  const e = node("exp", [sub(scores, spread(where(none, filledLike(0, top), top)))], {});
  const total = sum(e, axes);
  return div(e, spread(where(none, filledLike(1, total), total)));
}

/** 1 / (1 - p), or 0 with probability p: of the uniform numbers that all of dropout has. */
function keptOf(random: Node, shape: Shape, p: number, dtype: DType): Node {
  const bits = node("randomBits", [random], { shape });
  const whole = cast(node("shr", [bits, filledLike(8, bits)], {}), "f32");
  const uniform = mul(whole, filledLike(2 ** -24, whole));
  const kept = cast(node("le", [filledLike(p, uniform), uniform], {}), dtype);
  return p === 1 ? kept : mul(kept, filledLike(1 / (1 - p), kept));
}

/** The gradient of an operand of attention from plain operations, which has gradients of its own. */
export function composedGradient(
  src: readonly Node[],
  attrs: AttentionAttrs,
  of: AttentionOperand,
  g: Node,
): Node {
  const { query, key, value } = attentionOperands(src, attrs);
  const { weights, kept } = composedAttention(src, attrs);
  const scale = (x: Node): Node => mul(x, filledLike(attrs.scale, x));
  /** Σ over queries of all heads that share one: x and y are [N, H, G, L, …]. */
  const overQueries = (x: Node, y: Node): Node =>
    node("dot", [x, y], {
      leftBatch: [0, 1],
      rightBatch: [0, 1],
      leftContract: [2, 3],
      rightContract: [2, 3],
    });
  if (of === "value") return overQueries(kept === null ? weights : mul(weights, kept), g);
  const ofKept = node("dot", [g, value], headwise(4, 3));
  const ofWeights = kept === null ? ofKept : mul(ofKept, kept);
  const delta = restore(sum(mul(ofWeights, weights), [4]), [4], weights.shape);
  const ofScores = mul(weights, sub(ofWeights, delta));
  return of === "key"
    ? overQueries(ofScores, scale(query))
    : scale(node("dot", [ofScores, key], headwise(4, 2)));
}
