import { ArgumentError, DataError } from "../../../base/errors.ts";
import { crossEntropy } from "../../../nn/losses/cross-entropy.ts";
import { tensor } from "../../../tensor/create.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { logSumExp } from "../../metrics/class-metrics.ts";
import type { MaskedMetrics } from "../../metrics/metrics.ts";
import type { TextTokenizer } from "../../text/text-tokenizer.ts";
import { Entry } from "../entry.ts";
import { finiteValues, forwardRows, type Taken } from "../forward-rows.ts";
import type { Rows } from "../rows.ts";
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
  const labelsOf = (rows: readonly MaskedRow[], length: number): Tensor =>
    tensor(
      rows.map(({ labels }) => tokenizer.padded(labels, ignored, length)),
      { dtype: "i32" },
    );
  return {
    length: train.examples.length,
    criteria: { loss: "less", perplexity: "less" },
    notKept: "other tokens are masked in each epoch",
    lengthOf: (i) => batches.row(train.examples[i]!.text).ids.length,
    async batch(indices, epoch) {
      const { inputs, rows, length } = await entry.inputsOf(rowsOf(train, epoch + 1), indices);
      const labels = labelsOf(rows, length);
      const weight = rows.reduce(
        (sum, row) => sum + row.labels.filter((label) => label !== ignored).length,
        0,
      );
      return { inputs: [...inputs, labels], weight };
    },
    loss(...inputs) {
      const logits = entry.logits(inputs.slice(0, -1)).flatten(0, 1);
      return crossEntropy(logits, inputs.at(-1)!.flatten(), { reduction: "sum" });
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
              async ({ logits, rows, places }) => {
                const y = labelsOf(rows, logits.shape[1]!);
                const losses = crossEntropy(logits.flatten(0, 1), y.flatten(), { reduction: "none" });
                for (const loss of await finiteValues("fit", losses, places)) sum += loss;
                for (const { labels } of rows) count += labels.filter((label) => label !== ignored).length;
              },
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
  const take = async ({ logits, rows, length, places }: Taken): Promise<void> => {
    const ids = rows.flatMap((row) => tokenizer.padded(row.ids, tokenizer.padding, length));
    const masks = ids.flatMap((id, at) => (id === mask ? [at] : []));
    const ofMask = masks.map((at) => Math.floor(at / length));
    for (const place of places) found[place] = [];
    if (masks.length === 0) return;
    const at = tensor(masks, { dtype: "i32" });
    const values = await finiteValues(
      "predict",
      logits.flatten(0, 1).indexSelect(0, at),
      ofMask.map((i) => places[i]!),
    );
    const size = values.length / masks.length;
    for (const [k, i] of ofMask.entries()) {
      const row = values.subarray(k * size, (k + 1) * size);
      found[places[i]!] = [...found[places[i]!]!, likeliest(row, top, tokenizer)];
    }
  };
  await forwardRows(model, entry, textRows(texts, batches), batch, take);
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
