import { ArgumentError, DataError } from "../../../base/errors.ts";
import { fromArray, tensor } from "../../../tensor/create.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { batchesWithoutDuplicates } from "../../embeddings/batches-without-duplicates.ts";
import { embedInChunks } from "../../embeddings/embed-in-chunks.ts";
import { type ColumnsLoss, lossByColumns } from "../../embeddings/loss-by-columns.ts";
import { type EmbeddingMetrics, rankingMetrics, scoredPairMetrics } from "../../metrics/embedding-metrics.ts";
import type { TextDataset } from "../../text-data/text-dataset.ts";
import { chunks } from "../deal.ts";
import { logitsOf } from "../forward-rows.ts";
import { inputsOf, textRows } from "./inputs.ts";
import { requireTexts } from "./labelled-texts.ts";
import type { Objective, ObjectiveSettings } from "./objective.ts";

/** Texts that are compared with one another, some in a row; and a score for each row, where there are scores. */
interface ComparedTexts {
  readonly rows: readonly (readonly string[])[];
  readonly scores: readonly number[] | null;
}

/** Embeddings of texts that are like one another, or are not: the loss is what the columns are for. */
export function embeddingsObjective(settings: ObjectiveSettings): Objective<EmbeddingMetrics> {
  const { model, batches, batch, seed, bucket, ranks, accumulate } = settings;
  const options = settings.embeddings ?? {};
  const train = comparedTexts("train", settings.train);
  const measured = settings.eval && comparedTexts("eval", settings.eval);
  const columns = train.rows[0]!.length;
  const loss = lossByColumns(columns, train.scores !== null, options);
  if (measured !== undefined) requireAlike(train, measured);
  if (bucket && loss.comparesRows)
    throw new ArgumentError(
      "fit: bucket is true, and batches are made so that no text is in one twice; leave it out",
    );
  const gathers = options.gather === true && ranks > 1;
  if (gathers && (accumulate > 1 || batch < ranks))
    throw new ArgumentError(
      `fit: gather is true, with ${ranks} ranks, and ${accumulate > 1 ? `accumulate is ${accumulate}` : `batch is ${batch}`}; ranks compare what they have in each call, so that it goes with accumulate: 1 and a text or more for each`,
    );
  /** Batches of which each rank has as many rows. */
  const shared = (dealt: number[][]): number[][] => {
    const even = dealt.map((some) => some.slice(0, some.length - (some.length % ranks)));
    const found = even.filter(({ length }) => length > 0);
    if (found.length > 0) return found;
    throw new DataError(
      `fit: gather is true, and no batch of train has a row without duplicates for each of ${ranks} ranks; give more rows, or leave it out`,
    );
  };
  const embed = (inputIds: Tensor, attentionMask: Tensor, tokenTypeIds: Tensor): Tensor => {
    const inputs = { inputIds, attentionMask, tokenTypeIds };
    const made =
      options.chunk === undefined ? model.forward(inputs) : embedInChunks(model, inputs, options.chunk);
    return made.to("f32");
  };
  const { rows } = train;
  return {
    length: rows.length,
    criteria:
      train.scores === null
        ? {
            loss: "less",
            "recall@1": "more",
            "recall@5": "more",
            "recall@10": "more",
            "mrr@10": "more",
            ...(columns > 2 ? { accuracy: "more" } : {}),
          }
        : { loss: "less", pearson: "more", spearman: "more" },
    measuresBefore: true,
    notKept: "what the loss compares is made of tokens",
    lengthOf: (i) => Math.max(...rows[i]!.map((text) => batches.row(text).ids.length)),
    ...(loss.comparesRows
      ? {
          deal: (epoch: number) => {
            const dealt = batchesWithoutDuplicates(rows, batch, seed, epoch);
            return gathers ? shared(dealt) : dealt;
          },
        }
      : {}),
    batch: (indices) => ({
      inputs: [
        ...Array.from({ length: columns }, (_, c) =>
          inputsOf(
            batches,
            indices.map((i) => batches.row(rows[i]![c]!)),
          ),
        ).flat(),
        ...(train.scores === null ? [] : [tensor(indices.map((i) => train.scores![i]!))]),
      ],
      weight: loss.weightOf(indices.length),
    }),
    loss(...inputs) {
      const made = Array.from({ length: columns }, (_, c) =>
        embed(inputs[3 * c]!, inputs[3 * c + 1]!, inputs[3 * c + 2]!),
      );
      const mean = loss.of(made, train.scores === null ? null : inputs.at(-1)!);
      return mean.mul(loss.weightOf(made[0]!.shape[0]!));
    },
    evaluate: measured === undefined ? null : () => measuredBy(settings, measured, loss),
  };
}

/** The texts of a dataset of several columns. */
function comparedTexts(name: string, { kind, examples, labels }: TextDataset): ComparedTexts {
  if (kind !== "none" && kind !== "number") {
    const remedy = labels.every((label) => Number.isFinite(Number(label)))
      ? "read whole numbers as scores by regression: true in readData"
      : "leave labels out by label: null in readData";
    throw new ArgumentError(
      `fit: ${name} is of kind ${JSON.stringify(kind)}, and embeddings are trained by texts that belong together, or by scores of pairs; ${remedy}`,
    );
  }
  requireTexts(name, examples);
  const rows = examples.map(({ text }, i) => {
    if (Array.isArray(text)) return text as readonly string[];
    throw new ArgumentError(
      `fit: text ${i} of ${name} is one by itself, and embeddings are trained by comparing; name two columns or more in readData, text: ["…", "…"]`,
    );
  });
  const other = rows.findIndex((row) => row.length !== rows[0]!.length);
  if (other >= 0)
    throw new DataError(
      `fit: row ${other} of ${name} has ${rows[other]!.length} texts and row 0 has ${rows[0]!.length}; all must have as many`,
    );
  return { rows, scores: kind === "none" ? null : examples.map(({ target }) => target as number) };
}

function requireAlike(train: ComparedTexts, measured: ComparedTexts): void {
  const [a, b] = [train, measured].map(
    ({ rows, scores }) =>
      `${rows[0]!.length} columns of texts, ${scores === null ? "without" : "with"} scores`,
  );
  if (a !== b)
    throw new ArgumentError(`fit: train has ${a}, and eval has ${b}; read both with the same columns`);
}

/** Embeds each text once, and compares. */
async function measuredBy(
  { model, batches, entry, batch }: ObjectiveSettings,
  { rows, scores }: ComparedTexts,
  loss: ColumnsLoss,
): Promise<EmbeddingMetrics> {
  const texts = [...new Set(rows.flat())];
  const found = await logitsOf("fit", model, entry, textRows(texts, batches), batch);
  const vectors = new Map(texts.map((text, i) => [text, found[i]!]));
  const vectorOf = (text: string): Float32Array => vectors.get(text)!;
  const every = rows.map((_, i) => i);
  const dealt = loss.comparesRows ? batchesWithoutDuplicates(rows, batch, 0, 0) : chunks(every, batch);
  let [sum, weight] = [0, 0];
  for (const indices of dealt) {
    const columns = rows[0]!.map((_, c) => matrixOf(indices.map((i) => vectorOf(rows[i]![c]!))));
    const own = loss.weightOf(indices.length);
    const value = await loss.of(columns, scores && tensor(indices.map((i) => scores[i]!))).item();
    sum += own * (value as number);
    weight += own;
  }
  const metrics =
    scores === null
      ? rankingMetrics(rows, vectorOf)
      : scoredPairMetrics(
          rows.map((row) => row.map(vectorOf)),
          scores,
        );
  return { loss: sum / weight, ...metrics };
}

function matrixOf(vectors: readonly Float32Array[]): Tensor {
  const size = vectors[0]!.length;
  const values = new Float32Array(vectors.length * size);
  for (const [i, vector] of vectors.entries()) values.set(vector, i * size);
  return fromArray(values, [vectors.length, size]);
}

/** Embeddings are no finding. */
export function predictNoEmbeddings(): never {
  throw new ArgumentError(
    "predict: the model makes embeddings, and finds nothing of a text by itself; encode(texts) gives them",
  );
}
