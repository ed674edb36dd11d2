import { ArgumentError } from "../../base/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { cosentLoss } from "./losses/cosent.ts";
import { cosineSimilarityLoss } from "./losses/cosine-similarity.ts";
import { multipleNegativesRankingLoss } from "./losses/multiple-negatives-ranking.ts";
import { tripletLoss } from "./losses/triplet.ts";

/** What embeddings are trained by. */
export type EmbeddingLoss = "multipleNegativesRanking" | "cosent" | "cosineSimilarity" | "triplet";

/** How embeddings are trained. */
export interface EmbeddingLossOptions {
  /** Unless given "cosent" where there are scores, and "multipleNegativesRanking" where there are none. */
  readonly loss?: EmbeddingLoss;
  /** What cosines are multiplied by, of "multipleNegativesRanking" and "cosent"; 20. */
  readonly scale?: number;
  /** By how much a negative should be further away, of "triplet"; 5. */
  readonly margin?: number;
  /** Whether ranks that train together also tell a text from those that the others have, of "multipleNegativesRanking"; false. */
  readonly gather?: boolean;
  /** So many rows of a batch go through the model at once, for batches that would not fit; all unless given. */
  readonly chunk?: number;
}

/** A loss of columns of embeddings, as `fit` uses it. */
export interface ColumnsLoss {
  /** Whether all that is in a batch is compared, so that nothing must be there twice. */
  readonly comparesRows: boolean;
  /** What a batch of so many rows counts, beside others: a loss that is a mean counts each row. */
  weightOf(rows: number): number;
  of(columns: readonly Tensor[], scores: Tensor | null): Tensor;
}

interface KnownLoss extends Omit<ColumnsLoss, "of"> {
  readonly takes: string;
  fits(columns: number, hasScores: boolean): boolean;
  of(columns: readonly Tensor[], scores: Tensor | null, options: EmbeddingLossOptions): Tensor;
}

type Pair = readonly [Tensor, Tensor];
type Triplet = readonly [Tensor, Tensor, Tensor];

const each = (rows: number): number => rows;
const losses: { readonly [L in EmbeddingLoss]: KnownLoss } = {
  multipleNegativesRanking: {
    takes: "two columns or more, without scores",
    fits: (columns, hasScores) => columns >= 2 && !hasScores,
    comparesRows: true,
    weightOf: each,
    of: (columns, _, { scale, gather = false }) =>
      multipleNegativesRankingLoss(columns, { gather, ...(scale === undefined ? {} : { scale }) }),
  },
  cosent: {
    takes: "two columns with scores",
    fits: (columns, hasScores) => columns === 2 && hasScores,
    comparesRows: false,
    // It is no mean: all pairs of rows are in one logarithm.
    weightOf: () => 1,
    of: (columns, scores, { scale }) =>
      cosentLoss(columns as Pair, scores!, scale === undefined ? {} : { scale }),
  },
  cosineSimilarity: {
    takes: "two columns with scores",
    fits: (columns, hasScores) => columns === 2 && hasScores,
    comparesRows: false,
    weightOf: each,
    of: (columns, scores) => cosineSimilarityLoss(columns as Pair, scores!),
  },
  triplet: {
    takes: "three columns, without scores",
    fits: (columns, hasScores) => columns === 3 && !hasScores,
    comparesRows: false,
    weightOf: each,
    of: (columns, _, { margin }) => tripletLoss(columns as Triplet, margin === undefined ? {} : { margin }),
  },
};

/** Options that some losses alone have. */
const optionsOf: Readonly<Record<string, readonly EmbeddingLoss[]>> = {
  scale: ["multipleNegativesRanking", "cosent"],
  margin: ["triplet"],
};

/** The loss for so many columns of texts, with scores or without. Throws `ArgumentError` for what does not go together. */
export function lossByColumns(
  columns: number,
  hasScores: boolean,
  options: EmbeddingLossOptions,
): ColumnsLoss {
  const name = options.loss ?? (hasScores ? "cosent" : "multipleNegativesRanking");
  if (!Object.hasOwn(losses, name))
    throw new ArgumentError(
      `fit: the loss of embeddings is ${JSON.stringify(name)}; it must be ${Object.keys(losses).join(", ")}`,
    );
  const loss = losses[name];
  if (!loss.fits(columns, hasScores))
    throw new ArgumentError(
      `fit: there are ${columns} columns of texts, ${hasScores ? "with" : "without"} scores, and the loss "${name}" takes ${loss.takes}; name other columns in readData, or another loss`,
    );
  for (const [option, known] of Object.entries(optionsOf)) {
    const value = options[option as "scale" | "margin"];
    if (value === undefined) continue;
    if (!known.includes(name))
      throw new ArgumentError(
        `fit: ${option} is ${value}, which the loss "${name}" does not have; leave it out`,
      );
    if (!(value > 0)) throw new ArgumentError(`fit: ${option} is ${value}; it must be above 0`);
  }
  const { chunk, gather = false } = options;
  if (typeof gather !== "boolean" || (gather && name !== "multipleNegativesRanking"))
    throw new ArgumentError(
      `fit: gather is ${JSON.stringify(gather)}, and the loss is "${name}"; it is true or false, of "multipleNegativesRanking"`,
    );
  if (chunk !== undefined && !(Number.isInteger(chunk) && chunk >= 1))
    throw new ArgumentError(`fit: chunk is ${chunk}; it must be a whole number of at least 1`);
  return { ...loss, of: (columns, scores) => loss.of(columns, scores, options) };
}
