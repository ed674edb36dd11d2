import { attentionResults, composedGradient } from "../ir/attention.ts";
import { mul, permute, reshape, sum } from "../ir/build.ts";
import {
  type AttentionOperand,
  attentionNames,
  attentionOperands,
  gradientShapes,
} from "../ir/infer-attention.ts";
import { isGradEnabled, type Node, node } from "../ir/node.ts";

/**
 * The gradient of an operand of attention: a node that makes weights anew, and that a plan joins with those of the other
 * operands. Where it is to have gradients itself it comes from plain operations.
 */
export const attentionOperand =
  (of: AttentionOperand) =>
  (n: Node<"attention">, flat: Node): Node => {
    const { query, key, value } = attentionOperands(n.src, n.attrs);
    const g = attentionResults(flat, query, value, n.attrs).result;
    if (isGradEnabled()) return composedGradient(n.src, n.attrs, of, g);
    const { result, logSums } = attentionResults(n, query, value, n.attrs);
    const deltas = sum(mul(g, result), [4]);
    const made = node("attentionGradient", [...n.src, logSums, deltas, g], {
      ...n.attrs,
      of: [attentionNames.indexOf(of)],
    });
    const shaped = reshape(made, gradientShapes({ query, key, value }, n.attrs)[of]);
    if (n.attrs.byHead) return shaped;
    return permute(shaped, of === "query" ? [0, 2, 3, 1, 4] : [0, 2, 1, 3]);
  };
