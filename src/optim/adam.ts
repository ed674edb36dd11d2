import { atLeast, flag, twoRates } from "../base/options.ts";
import type { Module } from "../nn/module.ts";
import { add, div, maximum, mul, sqrt, sub } from "../tensor/operations/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { decoupledDecay, maximize, towards, weightDecay } from "./common-transforms.ts";
import { Optimizer } from "./optimizer.ts";
import type { OptimizerDefinition } from "./param-group.ts";
import type { OptimizerParams } from "./params.ts";
import { link, type Transform } from "./transform.ts";

/** Options of AdamW, with PyTorch's meanings and defaults. */
export interface AdamWOptions {
  /** Default 1e-3. */
  lr: number;
  /** Rates of the two averages, of gradients and of their squares; default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Default 1e-8. */
  eps: number;
  /** Default 0.01 in AdamW, 0 in Adam. */
  weightDecay: number;
  /** Divide by the largest average of squares so far; default false. */
  amsgrad: boolean;
  /** Default false. */
  maximize: boolean;
}

/** Options of Adam. */
export interface AdamOptions extends AdamWOptions {
  /** Decay the value, not the gradient, as AdamW does; default false. */
  decoupledWeightDecay: boolean;
}

/** A parameter's state under Adam and AdamW. */
export interface AdamState {
  step: number;
  expAvg: Tensor;
  expAvgSq: Tensor;
  /** There with amsgrad only. */
  maxExpAvgSq?: Tensor;
}

/** Kingma and Ba, arXiv:1412.6980; the bias corrections are computed in f64, of the parameter's own step count. */
const adam: Transform<
  AdamWOptions,
  "expAvg" | "expAvgSq" | "maxExpAvgSq",
  "weight1" | "beta2" | "weight2" | "eps" | "stepSize" | "correction2"
> = {
  name: "adam",
  tensors: (on) => (on("amsgrad") ? ["expAvg", "expAvgSq", "maxExpAvgSq"] : ["expAvg", "expAvgSq"]),
  perGroup: {
    weight1: ({ betas }) => 1 - betas[0],
    beta2: ({ betas }) => betas[1],
    weight2: ({ betas }) => 1 - betas[1],
    eps: ({ eps }) => eps,
  },
  perParameter: {
    stepSize: ({ lr, betas }, { step }) => lr / (1 - betas[0] ** step),
    correction2: ({ betas }, { step }) => 1 / Math.sqrt(1 - betas[1] ** step),
  },
  update({ value, gradient, state, scalar, on }) {
    const expAvg = towards(state.expAvg, gradient, scalar("weight1"));
    const expAvgSq = add(
      mul(state.expAvgSq, scalar("beta2")),
      mul(mul(gradient, gradient), scalar("weight2")),
    );
    const maxExpAvgSq = on("amsgrad") ? maximum(state.maxExpAvgSq, expAvgSq) : undefined;
    const denominator = add(mul(sqrt(maxExpAvgSq ?? expAvgSq), scalar("correction2")), scalar("eps"));
    return {
      value: sub(value, div(mul(expAvg, scalar("stepSize")), denominator)),
      state: { expAvg, expAvgSq, maxExpAvgSq },
    };
  },
};

const defaults: AdamWOptions = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0.01,
  amsgrad: false,
  maximize: false,
};
const checks = {
  lr: atLeast(0),
  betas: twoRates,
  eps: atLeast(0),
  weightDecay: atLeast(0),
  amsgrad: flag,
  maximize: flag,
};

const adamDefinition: OptimizerDefinition<AdamOptions> = {
  name: "Adam",
  defaults: { ...defaults, weightDecay: 0, decoupledWeightDecay: false },
  checks: { ...checks, decoupledWeightDecay: flag },
  chain: [link(maximize), link(weightDecay), link(adam)],
};

const adamWDefinition: OptimizerDefinition<AdamWOptions> = {
  name: "AdamW",
  defaults,
  checks,
  chain: [link(maximize), link(decoupledDecay), link(adam)],
};

/** Adam, as `torch.optim.Adam`. */
export class Adam<M extends Module | null = Module | null> extends Optimizer<AdamOptions, AdamState, M> {
  constructor(params: OptimizerParams<AdamOptions, M>, options: Partial<AdamOptions> = {}) {
    super(adamDefinition, params, options);
  }
}

/** Adam with decoupled weight decay, as `torch.optim.AdamW`. */
export class AdamW<M extends Module | null = Module | null> extends Optimizer<AdamWOptions, AdamState, M> {
  constructor(params: OptimizerParams<AdamWOptions, M>, options: Partial<AdamWOptions> = {}) {
    super(adamWDefinition, params, options);
  }
}
