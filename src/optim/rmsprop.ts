import { atLeast, flag } from "../base/options.ts";
import type { Module } from "../nn/module.ts";
import { add, div, mul, sqrt, sub } from "../tensor/operations/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { coupledDecay, maximize, towards } from "./common-transforms.ts";
import { Optimizer } from "./optimizer.ts";
import type { OptimizerDefinition } from "./param-group.ts";
import type { OptimizerParams } from "./params.ts";
import { link, type Transform } from "./transform.ts";

/** Options of RMSprop, with PyTorch's meanings and defaults. */
export interface RMSpropOptions {
  /** Default 1e-2. */
  lr: number;
  /** Rate of the average of squares; default 0.99. */
  alpha: number;
  /** Default 1e-8. */
  eps: number;
  /** Default 0. */
  weightDecay: number;
  /** Default 0. */
  momentum: number;
  /** Divide by the standard deviation instead of the root mean square; default false. */
  centered: boolean;
  /** Default false. */
  maximize: boolean;
}

/** A parameter's state under RMSprop. */
export interface RMSpropState {
  step: number;
  squareAvg: Tensor;
  /** There with momentum only. */
  momentumBuffer?: Tensor;
  /** There where centered only. */
  gradAvg?: Tensor;
}

/** Tieleman and Hinton, 2012; centered after Graves, arXiv:1308.0850. */
const rmsprop: Transform<
  RMSpropOptions,
  "squareAvg" | "momentumBuffer" | "gradAvg",
  "lr" | "alpha" | "weight" | "eps" | "momentum"
> = {
  name: "rmsprop",
  tensors: (on) => [
    "squareAvg",
    ...(on("momentum") ? (["momentumBuffer"] as const) : []),
    ...(on("centered") ? (["gradAvg"] as const) : []),
  ],
  perGroup: {
    lr: ({ lr }) => lr,
    alpha: ({ alpha }) => alpha,
    weight: ({ alpha }) => 1 - alpha,
    eps: ({ eps }) => eps,
    momentum: ({ momentum }) => momentum,
  },
  update({ value, gradient, state, scalar, on }) {
    const squareAvg = add(
      mul(state.squareAvg, scalar("alpha")),
      mul(mul(gradient, gradient), scalar("weight")),
    );
    const gradAvg = on("centered") ? towards(state.gradAvg, gradient, scalar("weight")) : undefined;
    const spread = gradAvg ? sub(squareAvg, mul(gradAvg, gradAvg)) : squareAvg;
    const scaled = div(gradient, add(sqrt(spread), scalar("eps")));
    const momentumBuffer = on("momentum")
      ? add(mul(state.momentumBuffer, scalar("momentum")), scaled)
      : undefined;
    return {
      value: sub(value, mul(momentumBuffer ?? scaled, scalar("lr"))),
      state: { squareAvg, gradAvg, momentumBuffer },
    };
  },
};

const definition: OptimizerDefinition<RMSpropOptions> = {
  name: "RMSprop",
  defaults: {
    lr: 1e-2,
    alpha: 0.99,
    eps: 1e-8,
    weightDecay: 0,
    momentum: 0,
    centered: false,
    maximize: false,
  },
  checks: {
    lr: atLeast(0),
    alpha: atLeast(0),
    eps: atLeast(0),
    weightDecay: atLeast(0),
    momentum: atLeast(0),
    centered: flag,
    maximize: flag,
  },
  chain: [link(maximize), link(coupledDecay), link(rmsprop)],
};

/** RMSprop, as `torch.optim.RMSprop`. */
export class RMSprop<M extends Module | null = Module | null> extends Optimizer<
  RMSpropOptions,
  RMSpropState,
  M
> {
  constructor(params: OptimizerParams<RMSpropOptions, M>, options: Partial<RMSpropOptions> = {}) {
    super(definition, params, options);
  }
}
