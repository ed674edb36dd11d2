import { type Entity, entitiesOf } from "./entities.ts";
import { type LabelMetrics, labelMetrics, meanOf, totalOf } from "./label-metrics.ts";
import type { Metrics } from "./metrics.ts";

/** How well words are tagged. */
export interface TagMetrics extends Metrics {
  /** What part of the words was given the right tag. */
  readonly accuracy: number;
  /** What part of the entities that were found is there, with the same words and of the same type; 0 where none was found. */
  readonly entityPrecision: number;
  /** What part of the entities that are there was found; 0 where there is none. */
  readonly entityRecall: number;
  /** The harmonic mean of both, over entities of all types together. */
  readonly entityF1: number;
  /** The mean F1 of the types of entities. */
  readonly macroF1: number;
  /** Each type of entities by itself, by name. */
  readonly labels: readonly LabelMetrics[];
}

/** The tags of a text: those that its words have, those that they were given, and the sum of the words' cross entropies. */
export interface TaggedText {
  readonly tags: readonly string[];
  readonly found: readonly string[];
  readonly loss: number;
}

/**
 * Compares tags, such as "B-PER", "I-PER" and "O", of which entities are made.
 *
 * Source: `seqeval.metrics` with its default mode, which counts as `conlleval` does.
 */
export function tagMetrics(texts: readonly TaggedText[]): TagMetrics {
  const counts = new Map<string, { right: number; given: number; support: number }>();
  const of = (type: string) => {
    if (!counts.has(type)) counts.set(type, { right: 0, given: 0, support: 0 });
    return counts.get(type)!;
  };
  const key = ({ type, from, to }: Entity): string => `${from} ${to} ${type}`;
  let [words, right, loss] = [0, 0, 0];
  for (const text of texts) {
    const there = entitiesOf(text.tags);
    const keys = new Set(there.map(key));
    for (const { type } of there) of(type).support++;
    for (const entity of entitiesOf(text.found)) {
      of(entity.type).given++;
      if (keys.has(key(entity))) of(entity.type).right++;
    }
    words += text.tags.length;
    right += text.tags.filter((tag, i) => tag === text.found[i]).length;
    loss += text.loss;
  }
  const types = [...counts.keys()].sort((a, b) => (a < b ? -1 : 1));
  const labels = types.map((type) => labelMetrics(type, counts.get(type)!));
  const all = labelMetrics("", totalOf([...counts.values()]));
  return {
    loss: words === 0 ? 0 : loss / words,
    accuracy: words === 0 ? 0 : right / words,
    entityPrecision: all.precision,
    entityRecall: all.recall,
    entityF1: all.f1,
    macroF1: meanOf(labels.map(({ f1 }) => f1)),
    labels,
  };
}
