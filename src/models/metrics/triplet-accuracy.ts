import { cosineOf } from "./cosine.ts";

/**
 * What part of triplets has an anchor whose cosine is larger with its positive than with its negative.
 *
 * Takes embeddings of anchors, positives and negatives, at least one of each.
 * Source: `TripletEvaluator` of sentence-transformers.
 */
export function tripletAccuracy(
  anchors: readonly ArrayLike<number>[],
  positives: readonly ArrayLike<number>[],
  negatives: readonly ArrayLike<number>[],
): number {
  const right = anchors.filter(
    (anchor, i) => cosineOf(anchor, positives[i]!) > cosineOf(anchor, negatives[i]!),
  );
  return right.length / anchors.length;
}
