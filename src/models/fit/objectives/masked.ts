import { ArgumentError, DataError } from "../../../base/errors.ts";
import { crossEntropy } from "../../../nn/losses/cross-entropy.ts";
import { tensor } from "../../../tensor/create.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { logSumExp } from "../../metrics/class-metrics.ts";
import type { MaskedMetrics } from "../../metrics/metrics.ts";
import type { Encoded, TextTokenizer } from "../../text/text-tokenizer.ts";
import { Entry } from "../entry.ts";
import { finiteValues, forwardRows } from "../forward-rows.ts";
import type { Rows } from "../rows.ts";
import { askedTokens } from "./asked-tokens.ts";
import { textRows } from "./inputs.ts";
import { requireTexts } from "./labelled-texts.ts";
import { ignored, type MaskedRow, maskedRow } from "./mask-tokens.ts";
import type { Objective, ObjectiveSettings } from "./objective.ts";
import type { Predicting } from "./predicting.ts";
import type { TokenPrediction } from "./predictions.ts";

/** The tokens at places that are masked: cross entropy. Each epoch masks others; those of `eval` are always the same. */
export function maskedObjective(settings: ObjectiveSettings): Objective<MaskedMetrics> {
  const { model, batches, entry, seed, train, eval: measured } = settings;
  const { tokenizer } = batches;
  const mask = maskOf("fit", tokenizer);
  requireTexts("train", train.examples);
  if (measured !== undefined) requireTexts("eval", measured.examples);
  const rowsOf = ({ examples }: typeof train, stream: number): Rows<MaskedRow> => ({
    length: examples.length,
    row: (i) => maskedRow(batches.row(examples[i]!.text), { tokenizer, mask, seed, stream, example: i }),
  });
  /** Which tokens of a batch are to be guessed, and what they are; nothing counts of those that fill up. */
  const askedOf = (rows: readonly MaskedRow[], length: number) => {
    const labels = rows.flatMap((row) => tokenizer.padded(row.labels, ignored, length));
    const places = labels.flatMap((label, at) => (label === ignored ? [] : [at]));
    const padded = askedTokens(places, labels.length);
    const given = Array.from({ length: padded.numel }, (_, i) => labels[places[i] ?? -1] ?? ignored);
    return { places: padded, at: places, labels: tensor(given, { dtype: "i32" }) };
  };
  return {
    length: train.examples.length,
    criteria: { loss: "less", perplexity: "less" },
    notKept: "other tokens are masked in each epoch",
    lengthOf: (i) => batches.row(train.examples[i]!.text).ids.length,
    async batch(indices, epoch) {
      const { inputs, rows, length } = await entry.inputsOf(rowsOf(train, epoch + 1), indices);
      const { places, labels, at } = askedOf(rows, length);
      return { inputs: [...inputs, places, labels], weight: at.length };
    },
    loss(...inputs) {
      const [places, labels] = inputs.slice(-2) as [Tensor, Tensor];
      return crossEntropy(entry.logits(inputs.slice(0, -2), places), labels, { reduction: "sum" });
    },
    evaluate:
      measured === undefined
        ? null
        : async () => {
            let [sum, count] = [0, 0];
            await forwardRows(
              model,
              entry,
              rowsOf(measured, 0),
              settings.batch,
              async ({ logits, length, places, asked: { labels, at } }) => {
                if (at.length === 0) return;
                const losses = crossEntropy(logits, labels, { reduction: "none" }).narrow(0, 0, at.length);
                const texts = at.map((place) => places[Math.floor(place / length)]!);
                for (const loss of await finiteValues("fit", losses, texts)) sum += loss;
                count += at.length;
              },
              askedOf,
            );
            if (count === 0)
              throw new DataError(
                `fit: no token of eval's ${measured.length} texts is masked, as so few are; give more or longer texts`,
              );
            return { loss: sum / count, perplexity: Math.exp(sum / count) };
          },
  };
}

function maskOf(op: string, { mask, settings }: TextTokenizer): number {
  if (mask === null)
    throw new ArgumentError(
      `${op}: the tokenizer ${settings.name} has no mask_token, by which a model of masked tokens knows what to guess; take the tokenizer of the model's own folder`,
    );
  return mask;
}

/** The likeliest tokens at each mask of a text. */
export async function predictTokens({
  model,
  texts,
  batches,
  batch,
  top,
}: Predicting): Promise<TokenPrediction[]> {
  const { tokenizer } = batches;
  const mask = maskOf("predict", tokenizer);
  const found = Array<TokenPrediction>(texts.length);
  const entry = new Entry(model, batches);
  /** The places of masks, counted through the rows of a batch. */
  const askedOf = (rows: readonly Encoded[], length: number) => {
    const ids = rows.flatMap((row) => tokenizer.padded(row.ids, tokenizer.padding, length));
    const masks = ids.flatMap((id, at) => (id === mask ? [at] : []));
    return { masks, places: askedTokens(masks, ids.length) };
  };
  const rows = textRows(texts, batches);
  await forwardRows(
    model,
    entry,
    rows,
    batch,
    async ({ logits, length, places, asked: { masks } }) => {
      for (const place of places) found[place] = [];
      if (masks.length === 0) return;
      const ofMask = masks.map((at) => places[Math.floor(at / length)]!);
      const values = await finiteValues("predict", logits.narrow(0, 0, masks.length), ofMask);
      const size = values.length / masks.length;
      for (const [k, place] of ofMask.entries()) {
        const row = values.subarray(k * size, (k + 1) * size);
        found[place] = [...found[place]!, likeliest(row, top, tokenizer)];
      }
    },
    askedOf,
  );
  return found;
}

function likeliest(row: Float32Array, top: number, tokenizer: TextTokenizer): TokenPrediction[number] {
  const total = logSumExp(row);
  const order = Array.from(row.keys()).sort((a, b) => row[b]! - row[a]!);
  return order.slice(0, top).map((id) => ({
    token: tokenizer.decode([id], { skipSpecialTokens: false }),
    score: Math.exp(row[id]! - total),
  }));
}
