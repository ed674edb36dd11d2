import type { DType } from "../../../base/dtype.ts";
import { planned } from "../../../engine/realize.ts";
import { noGrad } from "../../../tensor/autograd.ts";
import { zeros } from "../../../tensor/create.ts";
import { getRandomState, setRandomState } from "../../../tensor/draws.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { belowCut } from "../../stages.ts";
import type { TextModel } from "../../text-model.ts";

/** What a batch costs in the lowest stages of a model, and what those give. */
export interface PrefixCost {
  readonly flops: number;
  /** Of what they give: of [batch, length, size] or, of one token, [batch, size]. */
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** Finds that without running anything. */
export function prefixCost(
  model: TextModel,
  cut: number,
  [inputIds, attentionMask, tokenTypeIds]: readonly Tensor[],
): PrefixCost {
  let shape: readonly number[] = [];
  let dtype: DType = "f32";
  const plan = planned(() => {
    const given = noGrad(() =>
      belowCut(model, cut, {
        inputIds: inputIds!,
        attentionMask: attentionMask!,
        tokenTypeIds: tokenTypeIds!,
      }),
    );
    ({ shape, dtype } = given);
    return [given.node];
  });
  return { flops: plan().explain().flops, shape, dtype };
}

/** What the stages above take in the place of a batch of tokens. */
export const standInsFor = ({ shape }: PrefixCost, attentionMask: Tensor): Tensor[] =>
  shape.length === 2 ? [zeros([...shape])] : [zeros([...shape]), attentionMask];

/** Does something, after which the shared random numbers stand where they stood. */
export function withRandomState<T>(work: () => T): T {
  const state = getRandomState();
  try {
    return work();
  } finally {
    setRandomState(state);
  }
}
