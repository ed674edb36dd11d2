/** How well a model does on texts that it was not trained on. Kinds of targets have more numbers. */
export interface Metrics {
  /** The mean of what training makes small, without weights of classes or smoothing. */
  readonly loss: number;
}

/** How well tokens are guessed that are masked. */
export interface MaskedMetrics extends Metrics {
  /** The exponential of the loss: among how many tokens, all alike, a guess would be as hard. */
  readonly perplexity: number;
}

/** What metrics have that is a number, by name. */
export const numbersIn = (metrics: object | null): [string, number][] =>
  Object.entries(metrics ?? {}).filter((entry): entry is [string, number] => typeof entry[1] === "number");
