import { tensor } from "../../../tensor/create.ts";
import type { Tensor } from "../../../tensor/tensor.ts";

/** How many sizes there are of what is asked of a batch: few, as each of them is planned. */
const sizes = 16;

/**
 * The places at which a model is to find tokens, counted through the rows of a batch that has so many tokens; behind them
 * the first token stands in for as many as are lacking to the next sixteenth of these.
 */
export function askedTokens(places: readonly number[], tokens: number): Tensor {
  const unit = Math.ceil(tokens / sizes);
  const count = Math.max(1, Math.ceil(places.length / unit)) * unit;
  return tensor(
    Array.from({ length: count }, (_, i) => places[i] ?? 0),
    { dtype: "i32" },
  );
}
