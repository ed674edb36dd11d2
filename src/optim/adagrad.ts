import { atLeast, flag } from "../base/options.ts";
import type { Module } from "../nn/module.ts";
import { add, div, mul, sqrt, sub } from "../tensor/operations/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { coupledDecay, maximize } from "./common-transforms.ts";
import { Optimizer } from "./optimizer.ts";
import type { OptimizerDefinition } from "./param-group.ts";
import type { OptimizerParams } from "./params.ts";
import { link, type Transform } from "./transform.ts";

/** Options of Adagrad, with PyTorch's meanings and defaults. */
export interface AdagradOptions {
  /** Default 1e-2. */
  lr: number;
  /** Default 0. */
  lrDecay: number;
  /** Default 0. */
  weightDecay: number;
  /** What the sums of squares start from; default 0. */
  initialAccumulatorValue: number;
  /** Default 1e-10. */
  eps: number;
  /** Default false. */
  maximize: boolean;
}

/** A parameter's state under Adagrad; it is there from construction on. */
export interface AdagradState {
  step: number;
  sum: Tensor;
}

/** Duchi, Hazan and Singer, 2011. */
const adagrad: Transform<AdagradOptions, "sum", "stepSize" | "eps"> = {
  name: "adagrad",
  tensors: () => ["sum"],
  initial: { sum: (o) => o.initialAccumulatorValue },
  perGroup: { eps: ({ eps }) => eps },
  perParameter: { stepSize: ({ lr, lrDecay }, { step }) => lr / (1 + (step - 1) * lrDecay) },
  update({ value, gradient, state, scalar }) {
    const sum = add(state.sum, mul(gradient, gradient));
    const step = div(mul(gradient, scalar("stepSize")), add(sqrt(sum), scalar("eps")));
    return { value: sub(value, step), state: { sum } };
  },
};

const definition: OptimizerDefinition<AdagradOptions> = {
  name: "Adagrad",
  defaults: { lr: 1e-2, lrDecay: 0, weightDecay: 0, initialAccumulatorValue: 0, eps: 1e-10, maximize: false },
  checks: {
    lr: atLeast(0),
    lrDecay: atLeast(0),
    weightDecay: atLeast(0),
    initialAccumulatorValue: atLeast(0),
    eps: atLeast(0),
    maximize: flag,
  },
  chain: [link(maximize), link(coupledDecay), link(adagrad)],
  stateFromStart: true,
};

/** Adagrad, as `torch.optim.Adagrad`. */
export class Adagrad<M extends Module | null = Module | null> extends Optimizer<
  AdagradOptions,
  AdagradState,
  M
> {
  constructor(params: OptimizerParams<AdagradOptions, M>, options: Partial<AdagradOptions> = {}) {
    super(definition, params, options);
  }
}
