import { atLeast, flag, twoRates } from "../base/options.ts";
import type { Module } from "../nn/module.ts";
import { abs, add, div, maximum, mul, sub } from "../tensor/operations/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { coupledDecay, maximize, towards } from "./common-transforms.ts";
import { Optimizer } from "./optimizer.ts";
import type { OptimizerDefinition } from "./param-group.ts";
import type { OptimizerParams } from "./params.ts";
import { link, type Transform } from "./transform.ts";

/** Options of Adamax, with PyTorch's meanings and defaults. */
export interface AdamaxOptions {
  /** Default 2e-3. */
  lr: number;
  /** Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Default 1e-8. */
  eps: number;
  /** Default 0. */
  weightDecay: number;
  /** Default false. */
  maximize: boolean;
}

/** A parameter's state under Adamax. */
export interface AdamaxState {
  step: number;
  expAvg: Tensor;
  expInf: Tensor;
}

/** Adam with the largest decayed gradient in place of the average of squares (arXiv:1412.6980, section 7). */
const adamax: Transform<AdamaxOptions, "expAvg" | "expInf", "weight1" | "beta2" | "eps" | "stepSize"> = {
  name: "adamax",
  tensors: () => ["expAvg", "expInf"],
  perGroup: { weight1: ({ betas }) => 1 - betas[0], beta2: ({ betas }) => betas[1], eps: ({ eps }) => eps },
  perParameter: { stepSize: ({ lr, betas }, { step }) => lr / (1 - betas[0] ** step) },
  update({ value, gradient, state, scalar }) {
    const expAvg = towards(state.expAvg, gradient, scalar("weight1"));
    const expInf = maximum(mul(state.expInf, scalar("beta2")), add(abs(gradient), scalar("eps")));
    return { value: sub(value, div(mul(expAvg, scalar("stepSize")), expInf)), state: { expAvg, expInf } };
  },
};

const definition: OptimizerDefinition<AdamaxOptions> = {
  name: "Adamax",
  defaults: { lr: 2e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, maximize: false },
  checks: { lr: atLeast(0), betas: twoRates, eps: atLeast(0), weightDecay: atLeast(0), maximize: flag },
  chain: [link(maximize), link(coupledDecay), link(adamax)],
};

/** Adamax, as `torch.optim.Adamax`. */
export class Adamax<M extends Module | null = Module | null> extends Optimizer<
  AdamaxOptions,
  AdamaxState,
  M
> {
  constructor(params: OptimizerParams<AdamaxOptions, M>, options: Partial<AdamaxOptions> = {}) {
    super(definition, params, options);
  }
}
