import { cosineOf } from "./cosine.ts";
import type { Metrics } from "./metrics.ts";
import { pearson, spearman } from "./number-metrics.ts";
import { retrievalMetrics } from "./retrieval-metrics.ts";
import { tripletAccuracy } from "./triplet-accuracy.ts";

type Vector = ArrayLike<number>;

/** How far cosines of pairs agree with their scores. */
export interface ScoredPairMetrics {
  readonly pearson: number;
  readonly spearman: number;
}

/** How well texts find what belongs to them, among all that is there for any of them. */
export interface RankingMetrics {
  readonly "recall@1": number;
  readonly "recall@5": number;
  readonly "recall@10": number;
  readonly "mrr@10": number;
  /** Where there are negatives: what part of the texts is closer to its positive than to its first negative. */
  readonly accuracy?: number;
}

/** How good embeddings are: of scored pairs, or of texts and what belongs to them. */
export interface EmbeddingMetrics extends Metrics, Partial<ScoredPairMetrics>, Partial<RankingMetrics> {}

/** Compares cosines of pairs with scores. Source: `EmbeddingSimilarityEvaluator` of sentence-transformers. */
export function scoredPairMetrics(
  pairs: readonly (readonly Vector[])[],
  scores: readonly number[],
): ScoredPairMetrics {
  const cosines = pairs.map(([a, b]) => cosineOf(a!, b!));
  return { pearson: pearson(scores, cosines), spearman: spearman(scores, cosines) };
}

/**
 * Searches with the first text of each row among all other texts. What stands in the second column of any row with that
 * first text belongs to it.
 */
export function rankingMetrics(
  rows: readonly (readonly string[])[],
  vectorOf: (text: string) => Vector,
): RankingMetrics {
  const documents = [...new Set(rows.flatMap(([, ...candidates]) => candidates))];
  const numbers = new Map(documents.map((text, i) => [text, i]));
  const relevant = new Map<string, Set<number>>();
  for (const [anchor, positive] of rows as readonly (readonly [string, string])[]) {
    const found = relevant.get(anchor);
    if (found === undefined) relevant.set(anchor, new Set([numbers.get(positive)!]));
    else found.add(numbers.get(positive)!);
  }
  const queries = [...relevant.keys()].map(vectorOf);
  const { recall, mrr } = retrievalMetrics(
    queries,
    documents.map(vectorOf),
    [...relevant.values()].map((found) => [...found]),
  );
  const column = (c: number): Vector[] => rows.map((row) => vectorOf(row[c]!));
  return {
    "recall@1": recall[1]!,
    "recall@5": recall[5]!,
    "recall@10": recall[10]!,
    "mrr@10": mrr[10]!,
    ...(rows[0]!.length > 2 ? { accuracy: tripletAccuracy(column(0), column(1), column(2)) } : {}),
  };
}
