import { atLeast, flag, twoRates } from "../base/options.ts";
import type { Module } from "../nn/module.ts";
import { add, div, gt, mul, sqrt, sub, where } from "../tensor/operations/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { maximize, towards, weightDecay } from "./common-transforms.ts";
import { Optimizer } from "./optimizer.ts";
import type { OptimizerDefinition } from "./param-group.ts";
import type { OptimizerParams } from "./params.ts";
import { link, type Transform } from "./transform.ts";

/** Options of RAdam, with PyTorch's meanings and defaults. */
export interface RAdamOptions {
  /** Default 1e-3. */
  lr: number;
  /** Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Default 1e-8. */
  eps: number;
  /** Default 0. */
  weightDecay: number;
  /** Decay the value, not the gradient; default false. */
  decoupledWeightDecay: boolean;
  /** Default false. */
  maximize: boolean;
}

/** A parameter's state under RAdam. */
export interface RAdamState {
  step: number;
  expAvg: Tensor;
  expAvgSq: Tensor;
}

/** By how much the variance of the adaptive rate is put right at a step; 0 while it cannot be, and no rate adapts. */
function rectification(beta2: number, step: number): number {
  const longest = 2 / (1 - beta2) - 1;
  const length = longest - (2 * step * beta2 ** step) / (1 - beta2 ** step);
  if (length <= 5) return 0;
  return Math.sqrt(((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length));
}

/** Adam with a rectified adaptive rate (Liu et al., arXiv:1908.03265). */
const radam: Transform<
  RAdamOptions,
  "expAvg" | "expAvgSq",
  "weight1" | "beta2" | "weight2" | "eps" | "stepSize" | "rectified"
> = {
  name: "radam",
  tensors: () => ["expAvg", "expAvgSq"],
  perGroup: {
    weight1: ({ betas }) => 1 - betas[0],
    beta2: ({ betas }) => betas[1],
    weight2: ({ betas }) => 1 - betas[1],
    eps: ({ eps }) => eps,
  },
  perParameter: {
    rectified: ({ betas }, { step }) => rectification(betas[1], step),
    stepSize: ({ lr, betas }, { step }) => {
      const rate = lr / (1 - betas[0] ** step);
      const rectified = rectification(betas[1], step);
      return rectified > 0 ? rate * rectified * Math.sqrt(1 - betas[1] ** step) : rate;
    },
  },
  update({ value, gradient, state, scalar }) {
    const expAvg = towards(state.expAvg, gradient, scalar("weight1"));
    const expAvgSq = add(
      mul(state.expAvgSq, scalar("beta2")),
      mul(mul(gradient, gradient), scalar("weight2")),
    );
    const denominator = where(gt(scalar("rectified"), 0), add(sqrt(expAvgSq), scalar("eps")), 1);
    return {
      value: sub(value, div(mul(expAvg, scalar("stepSize")), denominator)),
      state: { expAvg, expAvgSq },
    };
  },
};

const definition: OptimizerDefinition<RAdamOptions> = {
  name: "RAdam",
  defaults: {
    lr: 1e-3,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0,
    decoupledWeightDecay: false,
    maximize: false,
  },
  checks: {
    lr: atLeast(0),
    betas: twoRates,
    eps: atLeast(0),
    weightDecay: atLeast(0),
    decoupledWeightDecay: flag,
    maximize: flag,
  },
  chain: [link(maximize), link(weightDecay), link(radam)],
};

/** RAdam, as `torch.optim.RAdam`. */
export class RAdam<M extends Module | null = Module | null> extends Optimizer<RAdamOptions, RAdamState, M> {
  constructor(params: OptimizerParams<RAdamOptions, M>, options: Partial<RAdamOptions> = {}) {
    super(definition, params, options);
  }
}
