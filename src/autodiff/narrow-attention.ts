import { sameShape } from "../base/shape.ts";
import { reshape } from "../ir/build.ts";
import { attentionNames, attentionOperands, gradientShapes } from "../ir/infer-attention.ts";
import { type Node, node } from "../ir/node.ts";
import { type Cut, cutShape, type Pushed, take } from "./cut.ts";

// The dimensions of attention, a letter each: batches n, heads of keys h, heads of queries that share one g, queries l,
// keys s, sizes e and v.

/** The dimensions of the operands of attention's gradient, in order. */
const operandDimensions = (masked: boolean): readonly string[] => [
  ...["nhgle", "nhse", "nhsv"],
  ...(masked ? ["nhgls"] : []),
  ...["nhgl", "nhgl", "nhglv"],
];

/** The dimensions of a gradient as it lies in memory: by heads, or else by positions. */
const gradientDimensions = {
  query: { byHead: "nhgle", byPosition: "nlhge" },
  key: { byHead: "nhse", byPosition: "nshe" },
  value: { byHead: "nhsv", byPosition: "nshv" },
};

/**
 * A part of the gradient of one of attention's operands: a gradient of attention itself, with the operands of some
 * batches, heads, queries or keys. Where it is causal, queries and keys are counted from their first, so that they stay
 * together; where there is dropout, its bits are those of an element's number among all, and the part is taken from the
 * whole.
 */
export function attentionGradientPart(
  n: Node<"reshape">,
  whole: Node<"attentionGradient">,
  cut: Cut,
): Pushed | null {
  const { src, attrs } = whole;
  const name = attentionNames[attrs.of[0]!]!;
  if (attrs.of.length > 1 || attrs.dropout > 0 || cut.places.count === 0) return null;
  if (!sameShape(n.shape, gradientShapes(attentionOperands(src, attrs), attrs)[name])) return null;
  const dimension = gradientDimensions[name][attrs.byHead ? "byHead" : "byPosition"][cut.axis]!;
  if (!(attrs.causal ? "nhg" : "nhgls").includes(dimension)) return null;
  const cuts = operandDimensions(attrs.masked).map((dimensions): Cut | null => {
    const axis = dimensions.indexOf(dimension);
    return axis < 0 ? null : { axis, places: cut.places };
  });
  // The forward pass has what attention itself takes and gives in memory; only what backward makes is computed in part.
  const made = src.length - 2;
  return {
    needs: src.map((of, i) => ({ of, cut: i < made ? null : cuts[i]! })),
    build: (parts) => {
      const operands = parts.map((x, i) => (i < made && cuts[i] !== null ? take(x, cuts[i]!) : x));
      return reshape(node("attentionGradient", operands, attrs), cutShape(n.shape, cut));
    },
    made: whole,
  };
}
