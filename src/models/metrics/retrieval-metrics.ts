import { ArgumentError } from "../../base/errors.ts";
import { dot, lengthOf } from "./cosine.ts";

/** How well queries find what belongs to them. */
export interface RetrievalMetrics {
  /** For each k: what part of what belongs to a query is among the first k that it finds; the mean over queries. */
  readonly recall: Readonly<Record<number, number>>;
  /** For each k: 1 over the place of the first that belongs to the query, 0 beyond the first k; the mean over queries. */
  readonly mrr: Readonly<Record<number, number>>;
}

/**
 * Ranks documents for each query by the cosine of embeddings; of equal ones, which of them comes first is as they are given.
 *
 * Takes embeddings of queries and of documents, which documents (by their numbers, at least one) belong to each query, and
 * how many of the first found count.
 * Source: `InformationRetrievalEvaluator` of sentence-transformers, whose `recall@k` and `mrr@k` these are.
 */
export function retrievalMetrics(
  queries: readonly ArrayLike<number>[],
  documents: readonly ArrayLike<number>[],
  relevant: readonly (readonly number[])[],
  ks: readonly number[] = [1, 5, 10],
): RetrievalMetrics {
  if (
    queries.length === 0 ||
    relevant.length !== queries.length ||
    relevant.some((some) => some.length === 0)
  )
    throw new ArgumentError(
      `retrievalMetrics: there are ${queries.length} queries and ${relevant.length} lists of documents that belong to them; each query needs one, with at least one document`,
    );
  const lengths = documents.map(lengthOf);
  const recall = ks.map(() => 0);
  const mrr = ks.map(() => 0);
  for (const [i, query] of queries.entries()) {
    // A query's own length changes no order.
    const scores = documents.map((document, d) => dot(query, document) / lengths[d]!);
    const places = relevant[i]!.map((document) => placeOf(document, scores));
    const first = Math.min(...places);
    for (const [at, k] of ks.entries()) {
      recall[at]! += places.filter((place) => place <= k).length / places.length;
      mrr[at]! += first <= k ? 1 / first : 0;
    }
  }
  const means = (sums: readonly number[]) =>
    Object.fromEntries(ks.map((k, at) => [k, sums[at]! / queries.length]));
  return { recall: means(recall), mrr: means(mrr) };
}

/** Which place a document has, from 1 on. */
function placeOf(document: number, scores: readonly number[]): number {
  const own = scores[document]!;
  let place = 1;
  for (const [d, score] of scores.entries()) if (score > own || (score === own && d < document)) place++;
  return place;
}
