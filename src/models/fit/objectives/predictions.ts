/** A label, and how probable the model holds it, from 0 to 1. */
interface Scored {
  readonly label: string;
  readonly score: number;
}

/** The label of a text, or of a word, and how probable the model holds it, from 0 to 1. */
export interface Prediction extends Scored {
  /** Of a text, all labels, the likeliest first, where `allScores` asks for them. */
  readonly scores?: readonly Scored[];
}

/** The labels of a text that hold, the likeliest first, each with its probability. */
export interface LabelsPrediction {
  readonly labels: readonly Scored[];
  /** All labels, the likeliest first, where `allScores` asks for them. */
  readonly scores?: readonly Scored[];
}

/** The number of a text. */
export interface NumberPrediction {
  readonly value: number;
}

/** The label of each word, but of those that are cut off where the text is too long, or that have no token. */
export type TagPrediction = readonly (Scored & { readonly word: string })[];

/** The entities of a text: of what kind, how probable on the average of their tokens, and from where up to where in the text. */
export type EntityPrediction = readonly {
  readonly entity: string;
  readonly score: number;
  /** What stands there: `text.slice(start, end)`. */
  readonly word: string;
  readonly start: number;
  readonly end: number;
}[];

/** For each masked token of a text the likeliest tokens, with their probabilities. */
export type TokenPrediction = readonly (readonly { readonly token: string; readonly score: number }[])[];
