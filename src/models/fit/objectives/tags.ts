import { ArgumentError, DataError } from "../../../base/errors.ts";
import { crossEntropy } from "../../../nn/losses/cross-entropy.ts";
import { tensor } from "../../../tensor/create.ts";
import { largest, logSumExp } from "../../metrics/class-metrics.ts";
import { type TaggedText, type TagMetrics, tagMetrics } from "../../metrics/tag-metrics.ts";
import { alignLabels, type Encoded, type Text } from "../../text/text-tokenizer.ts";
import type { TextDataset } from "../../text-data/text-dataset.ts";
import { Entry } from "../entry.ts";
import { finiteValues, forwardRows } from "../forward-rows.ts";
import type { Rows } from "../rows.ts";
import { classWeightsOf } from "./class-weights.ts";
import { predictEntities } from "./entities.ts";
import { textRows } from "./inputs.ts";
import { type LabelledTexts, labelLists } from "./labelled-texts.ts";
import type { Objective, ObjectiveSettings } from "./objective.ts";
import type { Predicting } from "./predicting.ts";
import type { EntityPrediction, TagPrediction } from "./predictions.ts";

/** A label for each word: cross entropy of each word's first token. */
export function tagsObjective(settings: ObjectiveSettings): Objective<TagMetrics> {
  const { model, batches, entry, labelSmoothing } = settings;
  const { tokenizer } = batches;
  const train = labelledWords("train", settings.train, model.labels);
  const weights = classWeightsOf(settings.classWeights, train.targets.flat(), model.labels);
  const weight = weights && tensor([...weights]);
  const measured = settings.eval && labelledWords("eval", settings.eval, model.labels);
  const rows = textRows(train.texts, batches);
  const measuredRows = measured && textRows(measured.texts, batches);
  return {
    length: train.texts.length,
    criteria: {
      loss: "less",
      accuracy: "more",
      entityF1: "more",
      entityPrecision: "more",
      entityRecall: "more",
      macroF1: "more",
    },
    notKept: null,
    lengthOf: (i) => rows.row(i).ids.length,
    async batch(indices) {
      const made = await entry.inputsOf(rows, indices);
      const y = indices.map((i, at) => {
        const wordIds = tokenizer.padded(made.rows[at]!.wordIds!, null, made.length);
        return alignLabels(wordIds, train.targets[i]!);
      });
      const labels = y.flat().filter((label) => label >= 0);
      return {
        inputs: [...made.inputs, tensor(y, { dtype: "i32" })],
        weight: labels.reduce((sum, label) => sum + (weights?.[label] ?? 1), 0),
      };
    },
    loss(...inputs) {
      const logits = entry.logits(inputs.slice(0, -1)).flatten(0, 1);
      return crossEntropy(logits, inputs.at(-1)!.flatten(), { weight, labelSmoothing, reduction: "sum" });
    },
    evaluate:
      measured === undefined
        ? null
        : async () => {
            const texts = Array<TaggedText>(measured.texts.length);
            await ofEachWord("fit", { ...settings, rows: measuredRows! }, (place, words) => {
              const targetOf = (word: number): number => measured.targets[place]![word]!;
              texts[place] = {
                tags: words.map(({ word }) => model.labels[targetOf(word)]!),
                found: words.map(({ logits }) => model.labels[largest(logits)]!),
                loss: words.reduce(
                  (sum, { word, logits }) => sum + logSumExp(logits) - logits[targetOf(word)]!,
                  0,
                ),
              };
            });
            return tagMetrics(texts);
          },
  };
}

function labelledWords(
  name: string,
  dataset: TextDataset,
  labels: readonly string[],
): LabelledTexts<readonly number[]> {
  const labelled = labelLists(name, dataset, "tags", labels);
  for (const [i, text] of labelled.texts.entries()) {
    const words = typeof text === "object" && "words" in text ? text.words.length : null;
    const { length } = labelled.targets[i]!;
    if (words !== length)
      throw new DataError(
        `fit: text ${i} of ${name} has ${words ?? "no"} words and ${length} labels; give { words: [...] } with a label for each`,
      );
  }
  return labelled;
}

/** The logits of a word, which is said by its number in its text. */
interface WordLogits {
  readonly word: number;
  readonly logits: Float32Array;
}

/** Gives the logits of each text's words: of those that have a token, and were not cut off. */
async function ofEachWord(
  op: string,
  {
    model,
    batches,
    entry,
    rows: all,
    batch,
  }: Pick<ObjectiveSettings, "model" | "batches" | "entry" | "batch"> & { rows: Rows<Encoded> },
  take: (place: number, words: readonly WordLogits[]) => void,
): Promise<void> {
  const size = model.labels.length;
  await forwardRows(model, entry, all, batch, async ({ logits, rows, places }) => {
    const values = await finiteValues(op, logits, places);
    const length = values.length / size / places.length;
    for (const [i, place] of places.entries()) {
      const words: WordLogits[] = [];
      const wordIds = batches.tokenizer.padded(rows[i]!.wordIds!, null, length);
      for (const [at, word] of wordIds.entries()) {
        if (word === null || word === words.at(-1)?.word) continue;
        const from = (i * length + at) * size;
        words.push({ word, logits: values.slice(from, from + size) });
      }
      take(place, words);
    }
  });
}

/** The words of a text: those that are given, or what is between spaces. */
function wordsOf(text: Text): readonly string[] {
  if (typeof text === "string") return text.split(/\s+/).filter((word) => word !== "");
  if (text !== null && typeof text === "object" && "words" in text && Array.isArray(text.words))
    return text.words;
  throw new ArgumentError(
    `predict: ${JSON.stringify(text)?.slice(0, 60) ?? String(text)} has no words; give a string, or { words: [...] }`,
  );
}

/** The likeliest label of each word, or the entities. */
export async function predictTags(predicting: Predicting): Promise<(TagPrediction | EntityPrediction)[]> {
  if (predicting.aggregates) return predictEntities(predicting);
  const { model, batches } = predicting;
  const words = predicting.texts.map(wordsOf);
  const found = Array<TagPrediction>(words.length);
  const rows = textRows(
    words.map((list) => ({ words: list })),
    batches,
  );
  const entry = new Entry(model, batches);
  await ofEachWord("predict", { ...predicting, entry, rows }, (place, own) => {
    found[place] = own.map(({ word, logits }) => {
      const k = largest(logits);
      const score = Math.exp(logits[k]! - logSumExp(logits));
      return { word: words[place]![word]!, label: model.labels[k]!, score };
    });
  });
  return found;
}
