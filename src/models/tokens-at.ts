import type { Tensor } from "../tensor/tensor.ts";

/**
 * Hidden states of [batch, length, size] at some places alone, of [places, size]: a place is a number, counted through the
 * rows of the batch. Null: all, as they are.
 */
export const tokensAt = (x: Tensor, places: Tensor | null): Tensor =>
  places === null ? x : x.flatten(0, 1).indexSelect(0, places);
