import { atLeast, between, flag } from "../base/options.ts";
import type { Module } from "../nn/module.ts";
import { add, div, mul, sqrt, sub } from "../tensor/operations/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { coupledDecay, maximize } from "./common-transforms.ts";
import { Optimizer } from "./optimizer.ts";
import type { OptimizerDefinition } from "./param-group.ts";
import type { OptimizerParams } from "./params.ts";
import { link, type Transform } from "./transform.ts";

/** Options of Adadelta, with PyTorch's meanings and defaults. */
export interface AdadeltaOptions {
  /** Default 1. */
  lr: number;
  /** Rate of both averages of squares; default 0.9. */
  rho: number;
  /** Default 1e-6. */
  eps: number;
  /** Default 0. */
  weightDecay: number;
  /** Default false. */
  maximize: boolean;
}

/** A parameter's state under Adadelta. */
export interface AdadeltaState {
  step: number;
  squareAvg: Tensor;
  accDelta: Tensor;
}

/** Zeiler, arXiv:1212.5701. */
const adadelta: Transform<AdadeltaOptions, "squareAvg" | "accDelta", "lr" | "rho" | "weight" | "eps"> = {
  name: "adadelta",
  tensors: () => ["squareAvg", "accDelta"],
  perGroup: {
    lr: ({ lr }) => lr,
    rho: ({ rho }) => rho,
    weight: ({ rho }) => 1 - rho,
    eps: ({ eps }) => eps,
  },
  update({ value, gradient, state, scalar }) {
    const squareAvg = add(
      mul(state.squareAvg, scalar("rho")),
      mul(mul(gradient, gradient), scalar("weight")),
    );
    const ratio = div(sqrt(add(state.accDelta, scalar("eps"))), sqrt(add(squareAvg, scalar("eps"))));
    const delta = mul(ratio, gradient);
    const accDelta = add(mul(state.accDelta, scalar("rho")), mul(mul(delta, delta), scalar("weight")));
    return { value: sub(value, mul(delta, scalar("lr"))), state: { squareAvg, accDelta } };
  },
};

const definition: OptimizerDefinition<AdadeltaOptions> = {
  name: "Adadelta",
  defaults: { lr: 1, rho: 0.9, eps: 1e-6, weightDecay: 0, maximize: false },
  checks: { lr: atLeast(0), rho: between(0, 1), eps: atLeast(0), weightDecay: atLeast(0), maximize: flag },
  chain: [link(maximize), link(coupledDecay), link(adadelta)],
};

/** Adadelta, as `torch.optim.Adadelta`. */
export class Adadelta<M extends Module | null = Module | null> extends Optimizer<
  AdadeltaOptions,
  AdadeltaState,
  M
> {
  constructor(params: OptimizerParams<AdadeltaOptions, M>, options: Partial<AdadeltaOptions> = {}) {
    super(definition, params, options);
  }
}
