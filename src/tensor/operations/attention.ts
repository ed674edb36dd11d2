import { restore } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { add, eq, exp, le, mul, where } from "./elementwise.ts";
import { matmul } from "./linalg.ts";
import { transpose } from "./movement.ts";

/** What attention is told beside its operands. */
export interface AttentionNodes {
  /** Bools, true for pairs that take part, or numbers that are added to scores; of a shape that broadcasts to theirs. */
  readonly mask: Node | null;
  readonly isCausal: boolean;
  /** What scores are multiplied by. */
  readonly scale: number;
  /** What weights are multiplied by, in the shape of the scores: dropout's. */
  readonly kept: Node | null;
}

/** softmax(query · keyᵀ · scale + mask) · value, from operations that there are; a query without a key gives zeros. */
export function attention(query: Node, key: Node, value: Node, how: AttentionNodes): Node {
  const { mask, isCausal, scale, kept } = how;
  let scores = matmul(mul(query, scale), transpose(key, -2, -1));
  if (mask !== null) scores = mask.dtype === "bool" ? where(mask, scores, -Infinity) : add(scores, mask);
  if (isCausal) scores = where(lowerTriangle(scores), scores, -Infinity);
  const weights = weightsOf(scores);
  return matmul(kept === null ? weights : mul(weights, kept), value);
}

/** Which keys are not after the query, of the last two dimensions. */
function lowerTriangle({ shape }: Node): Node {
  const iota = (axis: number): Node => node("iota", [], { shape: shape.slice(-2), axis, dtype: "i32" });
  return le(iota(1), iota(0));
}

/** Softmax along the last dimension, which is 0 where all scores are -Infinity: the shift and the sum are then neutral. */
function weightsOf(scores: Node): Node {
  const axes = [scores.shape.length - 1];
  if (scores.shape.at(-1) === 0) return scores;
  const top = node("detach", [node("maxReduce", [scores], { axes })], {});
  const none = eq(top, -Infinity);
  const spread = (x: Node): Node => restore(x, axes, scores.shape);
  const e = exp(node("sub", [scores, spread(where(none, 0, top))], {}));
  return node("div", [e, spread(where(none, 1, node("sum", [e], { axes })))], {});
}
