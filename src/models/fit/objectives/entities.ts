import { ArgumentError } from "../../../base/errors.ts";
import { largest, logSumExp } from "../../metrics/class-metrics.ts";
import type { Encoded } from "../../text/text-tokenizer.ts";
import { Entry } from "../entry.ts";
import { finiteValues, forwardRows } from "../forward-rows.ts";
import type { Predicting } from "./predicting.ts";
import type { EntityPrediction } from "./predictions.ts";

/** A token with the likeliest of its labels. */
interface LabelledToken {
  readonly label: string;
  readonly score: number;
  readonly start: number;
  readonly end: number;
}

/** The entities of each text: tokens in a row whose labels are of one, and where they stand. */
export async function predictEntities(predicting: Predicting): Promise<EntityPrediction[]> {
  const { model, texts, batches, batch } = predicting;
  const { tokenizer, maxLength } = batches;
  const { labels } = model;
  const strings = texts.map((text) => {
    if (typeof text === "string") return text;
    throw new ArgumentError(
      `predict: ${JSON.stringify(text)?.slice(0, 60) ?? String(text)} is no string, which aggregationStrategy finds entities in; give strings, or leave it out`,
    );
  });
  const found = Array<EntityPrediction>(texts.length);
  const rows = {
    length: texts.length,
    row: (i: number): Encoded => tokenizer.encodeOne(strings[i]!, { maxLength, offsets: true }),
  };
  await forwardRows(
    model,
    new Entry(model, batches),
    rows,
    batch,
    async ({ logits, rows, places, length }) => {
      const values = await finiteValues("predict", logits, places);
      for (const [i, place] of places.entries()) {
        const { ids, offsets, specialTokensMask } = rows[i]!;
        const tokens: LabelledToken[] = [];
        for (const [at, token] of tokenizer.padded<number | null>([...ids.keys()], null, length).entries()) {
          if (token === null || specialTokensMask![token]) continue;
          const from = (i * length + at) * labels.length;
          const own = values.subarray(from, from + labels.length);
          const k = largest(own);
          const [start, end] = offsets![token]!;
          tokens.push({ label: labels[k]!, score: Math.exp(own[k]! - logSumExp(own)), start, end });
        }
        found[place] = entitiesIn(strings[place]!, tokens);
      }
    },
  );
  return found;
}

/** What a label says: whether an entity begins there, and of which kind it is. */
function tagOf(label: string): { readonly begins: boolean; readonly kind: string } {
  const isTag = label.startsWith("B-") || label.startsWith("I-");
  return { begins: label.startsWith("B-"), kind: isTag ? label.slice(2) : label };
}

/** Source: `TokenClassificationPipeline.group_entities` of transformers. */
function entitiesIn(text: string, tokens: readonly LabelledToken[]): EntityPrediction {
  const groups: LabelledToken[][] = [];
  for (const token of tokens) {
    const { begins, kind } = tagOf(token.label);
    const last = groups.at(-1);
    if (last !== undefined && !begins && tagOf(last.at(-1)!.label).kind === kind) last.push(token);
    else groups.push([token]);
  }
  return groups
    .map((group) => {
      const [start, end] = [group[0]!.start, group.at(-1)!.end];
      const score = group.reduce((sum, token) => sum + token.score, 0) / group.length;
      return { entity: tagOf(group[0]!.label).kind, score, word: text.slice(start, end), start, end };
    })
    .filter(({ entity }) => entity !== "O");
}
