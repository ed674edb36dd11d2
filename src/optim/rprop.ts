import { atLeast, flag } from "../base/options.ts";
import type { Module } from "../nn/module.ts";
import { clamp, gt, lt, mul, sign, sub, where } from "../tensor/operations/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { maximize } from "./common-transforms.ts";
import { Optimizer } from "./optimizer.ts";
import type { OptimizerDefinition } from "./param-group.ts";
import type { OptimizerParams } from "./params.ts";
import { link, type Transform } from "./transform.ts";

/** Options of Rprop, with PyTorch's meanings and defaults. */
export interface RpropOptions {
  /** What step sizes start from; default 1e-2. */
  lr: number;
  /** Factors of a step size where the gradient's sign has changed, and where it has not; default [0.5, 1.2]. */
  etas: readonly [number, number];
  /** The least and the largest step size; default [1e-6, 50]. */
  stepSizes: readonly [number, number];
  /** Default false. */
  maximize: boolean;
}

/** A parameter's state under Rprop. */
export interface RpropState {
  step: number;
  /** The last gradient, 0 where its sign had changed. */
  prev: Tensor;
  stepSize: Tensor;
}

/** Riedmiller and Braun, 1993. */
const rprop: Transform<RpropOptions, "prev" | "stepSize", "less" | "more" | "least" | "most"> = {
  name: "rprop",
  tensors: () => ["prev", "stepSize"],
  initial: { stepSize: ({ lr }) => lr },
  perGroup: {
    less: ({ etas }) => etas[0],
    more: ({ etas }) => etas[1],
    least: ({ stepSizes }) => stepSizes[0],
    most: ({ stepSizes }) => stepSizes[1],
  },
  update({ value, gradient, state, scalar }) {
    const agreement = mul(gradient, state.prev);
    const turned = lt(agreement, 0);
    const factor = where(turned, scalar("less"), where(gt(agreement, 0), scalar("more"), 1));
    const stepSize = clamp(mul(state.stepSize, factor), scalar("least"), scalar("most"));
    const prev = where(turned, 0, gradient);
    return { value: sub(value, mul(sign(prev), stepSize)), state: { prev, stepSize } };
  },
};

const definition: OptimizerDefinition<RpropOptions> = {
  name: "Rprop",
  defaults: { lr: 1e-2, etas: [0.5, 1.2], stepSizes: [1e-6, 50], maximize: false },
  checks: {
    lr: atLeast(0),
    etas: (etas: readonly number[]) =>
      Array.isArray(etas) && etas.length === 2 && etas[0]! > 0 && etas[0]! < 1 && etas[1]! > 1
        ? null
        : "one factor below 1 and one above",
    stepSizes: (sizes: readonly number[]) =>
      Array.isArray(sizes) && sizes.length === 2 && sizes.every((size) => typeof size === "number")
        ? null
        : "two numbers",
    maximize: flag,
  },
  chain: [link(maximize), link(rprop)],
};

/** Rprop, as `torch.optim.Rprop`. */
export class Rprop<M extends Module | null = Module | null> extends Optimizer<RpropOptions, RpropState, M> {
  constructor(params: OptimizerParams<RpropOptions, M>, options: Partial<RpropOptions> = {}) {
    super(definition, params, options);
  }
}
