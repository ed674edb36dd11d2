import { cat } from "../../tensor/functions.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/**
 * What makes one vector of a text's tokens: the first of them, the largest of each component, their mean, their sum over
 * the root of how many there are, a mean that counts each token by its place, or the last of them.
 */
export type PoolingMode = "cls" | "max" | "mean" | "mean_sqrt_len_tokens" | "weightedmean" | "lasttoken";

type Pooler = (states: Tensor, mask: Tensor) => Tensor;

/** The sum of states, each times its weight, over what a function makes of the sum of weights. */
const weighted =
  (weightsOf: (mask: Tensor) => Tensor, over: (sum: Tensor) => Tensor): Pooler =>
  (states, mask) => {
    const weights = weightsOf(mask);
    const sum = weights.sum(1, { keepdim: true }).clamp({ min: 1e-9 });
    return states.mul(weights.unsqueeze(2)).sum(1).div(over(sum));
  };

/** The state at one place of each row. */
function at(states: Tensor, places: Tensor): Tensor {
  const [batch, , size] = states.shape as [number, number, number];
  return states.gather(1, places.reshape([batch, 1, 1]).expand([batch, 1, size])).squeeze(1);
}

const same = (x: Tensor): Tensor => x;
/** Which token of its row each one is, from 1 on, wherever padding stands; 0 for padding. */
const counted = (mask: Tensor): Tensor => mask.cumsum(1).mul(mask);

const poolers: { readonly [M in PoolingMode]: Pooler } = {
  cls: (states, mask) => at(states, mask.argmax(1)),
  max: (states, mask) => states.maskedFill(mask.eq(0).unsqueeze(2), Number.NEGATIVE_INFINITY).max(1).values,
  mean: weighted(same, same),
  mean_sqrt_len_tokens: weighted(same, (sum) => sum.sqrt()),
  weightedmean: weighted(counted, same),
  lasttoken: (states, mask) => at(states, counted(mask).argmax(1)),
};

/** All modes, in the order in which old folders have what several of them give. */
export const poolingModes = Object.keys(poolers) as readonly PoolingMode[];

/**
 * One vector of each text: what one mode makes of the states of its tokens, or several modes, one after the other.
 * `states` are of [batch, length, size]; `mask`, of [batch, length], is 0 for padding.
 * Source: `Pooling` of sentence-transformers.
 */
export function pooled(states: Tensor, mask: Tensor, modes: readonly PoolingMode[]): Tensor {
  const isToken = (mask.dtype === "bool" ? mask : mask.ne(0)).to(states.dtype);
  return cat(
    modes.map((mode) => poolers[mode](states, isToken)),
    1,
  );
}
