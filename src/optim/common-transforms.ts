import { add, mul, neg, sub } from "../tensor/operations/elementwise.ts";
import type { Node, Transform } from "./transform.ts";

/** Goes up the gradient instead of down, where `maximize` is on. */
export const maximize: Transform<{ maximize: boolean }> = {
  name: "maximize",
  update: ({ gradient, on }) => (on("maximize") ? { gradient: neg(gradient) } : {}),
};

/**
 * A weighted mean of an average and what is new, by the way that is exact at a weight of 0 alone: half of what `lerp`
 * computes, which chooses the nearer end.
 */
export const towards = (average: Node, next: Node, weight: Node): Node =>
  add(average, mul(weight, sub(next, average)));

interface Decay {
  lr: number;
  weightDecay: number;
}

/** Weight decay as a part of the gradient, which momentum and adaptive rates then see too (an L2 penalty). */
export const coupledDecay: Transform<Decay, never, "weightDecay"> = {
  name: "coupledDecay",
  perGroup: { weightDecay: ({ weightDecay }) => weightDecay },
  update: ({ value, gradient, scalar, on }) =>
    on("weightDecay") ? { gradient: add(gradient, mul(value, scalar("weightDecay"))) } : {},
};

/** Weight decay of the value itself, apart from the gradient (Loshchilov and Hutter, arXiv:1711.05101). */
export const decoupledDecay: Transform<Decay, never, "kept"> = {
  name: "decoupledDecay",
  perGroup: { kept: ({ lr, weightDecay }) => 1 - lr * weightDecay },
  update: ({ value, scalar, on }) => (on("weightDecay") ? { value: mul(value, scalar("kept")) } : {}),
};

/** Either, as the option `decoupledWeightDecay` says. */
export const weightDecay: Transform<
  Decay & { decoupledWeightDecay: boolean },
  never,
  "weightDecay" | "kept"
> = {
  name: "weightDecay",
  perGroup: { ...coupledDecay.perGroup, ...decoupledDecay.perGroup },
  update: (x) => (x.on("decoupledWeightDecay") ? decoupledDecay : coupledDecay).update(x),
};
