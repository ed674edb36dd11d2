import { anyNumber, atLeast, flag } from "../base/options.ts";
import type { Module } from "../nn/module.ts";
import { add, mul, sub } from "../tensor/operations/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { coupledDecay, maximize } from "./common-transforms.ts";
import { Optimizer } from "./optimizer.ts";
import type { OptimizerDefinition } from "./param-group.ts";
import type { OptimizerParams } from "./params.ts";
import { link, type Transform } from "./transform.ts";

/** Options of ASGD, with PyTorch's meanings and defaults. */
export interface ASGDOptions {
  /** Default 1e-2. */
  lr: number;
  /** Decay; default 1e-4. */
  lambd: number;
  /** Power by which the rate falls; default 0.75. */
  alpha: number;
  /** The step at which averaging starts; default 1e6. */
  t0: number;
  /** Default 0. */
  weightDecay: number;
  /** Default false. */
  maximize: boolean;
}

/** A parameter's state under ASGD. */
export interface ASGDState {
  step: number;
  /** The rate of the next step. */
  eta: number;
  /** The weight of the next value in the average. */
  mu: number;
  /** The average of the values. */
  ax: Tensor;
}

/** Polyak and Juditsky, 1992. */
const asgd: Transform<ASGDOptions, "ax", "kept" | "eta" | "mu" | "rest"> = {
  name: "asgd",
  tensors: () => ["ax"],
  numbers: ({ lr }) => ({ eta: Math.fround(lr), mu: 1 }),
  // A step goes by the rate that the one before has left; PyTorch keeps both as float32.
  settle: (numbers, { lr, lambd, alpha, t0 }) => {
    numbers.eta = Math.fround(lr / (1 + lambd * lr * numbers.step) ** alpha);
    numbers.mu = Math.fround(1 / Math.max(1, numbers.step - t0));
  },
  perParameter: {
    kept: ({ lambd }, { eta }) => 1 - lambd * eta!,
    eta: (_, { eta }) => eta!,
    mu: (_, { mu }) => mu!,
    rest: (_, { mu }) => 1 - mu!,
  },
  update({ value, gradient, state, scalar, on }) {
    const kept = on("lambd") ? mul(value, scalar("kept")) : value;
    const next = sub(kept, mul(gradient, scalar("eta")));
    return { value: next, state: { ax: add(mul(state.ax, scalar("rest")), mul(next, scalar("mu"))) } };
  },
};

const definition: OptimizerDefinition<ASGDOptions> = {
  name: "ASGD",
  defaults: { lr: 1e-2, lambd: 1e-4, alpha: 0.75, t0: 1e6, weightDecay: 0, maximize: false },
  checks: {
    lr: atLeast(0),
    lambd: anyNumber,
    alpha: anyNumber,
    t0: anyNumber,
    weightDecay: atLeast(0),
    maximize: flag,
  },
  chain: [link(maximize), link(coupledDecay), link(asgd)],
};

/** Averaged SGD, as `torch.optim.ASGD`. */
export class ASGD<M extends Module | null = Module | null> extends Optimizer<ASGDOptions, ASGDState, M> {
  constructor(params: OptimizerParams<ASGDOptions, M>, options: Partial<ASGDOptions> = {}) {
    super(definition, params, options);
  }
}
