import { atLeast, flag, twoRates } from "../base/options.ts";
import type { Module } from "../nn/module.ts";
import { add, div, mul, sqrt, sub } from "../tensor/operations/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { maximize, towards, weightDecay } from "./common-transforms.ts";
import { Optimizer } from "./optimizer.ts";
import type { OptimizerDefinition } from "./param-group.ts";
import type { OptimizerParams } from "./params.ts";
import { link, type Transform } from "./transform.ts";

/** Options of NAdam, with PyTorch's meanings and defaults. */
export interface NAdamOptions {
  /** Default 2e-3. */
  lr: number;
  /** Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Default 1e-8. */
  eps: number;
  /** Default 0. */
  weightDecay: number;
  /** Default 4e-3. */
  momentumDecay: number;
  /** Decay the value, not the gradient; default false. */
  decoupledWeightDecay: boolean;
  /** Default false. */
  maximize: boolean;
}

/** A parameter's state under NAdam. */
export interface NAdamState {
  step: number;
  /** The product of all momenta so far. */
  muProduct: number;
  expAvg: Tensor;
  expAvgSq: Tensor;
}

/** The momentum of a step, which warms up. */
const momentumAt = ({ betas, momentumDecay }: NAdamOptions, step: number): number =>
  betas[0] * (1 - 0.5 * 0.96 ** (step * momentumDecay));

/** Adam with Nesterov's momentum (Dozat, 2016). */
const nadam: Transform<
  NAdamOptions,
  "expAvg" | "expAvgSq",
  "weight1" | "beta2" | "weight2" | "eps" | "correction2" | "gradientShare" | "averageShare"
> = {
  name: "nadam",
  tensors: () => ["expAvg", "expAvgSq"],
  numbers: () => ({ muProduct: 1 }),
  // PyTorch keeps the product as a float32.
  advance: (numbers, options) => {
    numbers.muProduct = Math.fround(numbers.muProduct! * momentumAt(options, numbers.step));
  },
  perGroup: {
    weight1: ({ betas }) => 1 - betas[0],
    beta2: ({ betas }) => betas[1],
    weight2: ({ betas }) => 1 - betas[1],
    eps: ({ eps }) => eps,
  },
  perParameter: {
    correction2: ({ betas }, { step }) => 1 / (1 - betas[1] ** step),
    gradientShare: (o, { step, muProduct }) => (o.lr * (1 - momentumAt(o, step))) / (1 - muProduct!),
    averageShare: (o, { step, muProduct }) => {
      const next = momentumAt(o, step + 1);
      return (o.lr * next) / (1 - muProduct! * next);
    },
  },
  update({ value, gradient, state, scalar }) {
    const expAvg = towards(state.expAvg, gradient, scalar("weight1"));
    const expAvgSq = add(
      mul(state.expAvgSq, scalar("beta2")),
      mul(mul(gradient, gradient), scalar("weight2")),
    );
    const denominator = add(sqrt(mul(expAvgSq, scalar("correction2"))), scalar("eps"));
    const step = add(mul(gradient, scalar("gradientShare")), mul(expAvg, scalar("averageShare")));
    return { value: sub(value, div(step, denominator)), state: { expAvg, expAvgSq } };
  },
};

const definition: OptimizerDefinition<NAdamOptions> = {
  name: "NAdam",
  defaults: {
    lr: 2e-3,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0,
    momentumDecay: 4e-3,
    decoupledWeightDecay: false,
    maximize: false,
  },
  checks: {
    lr: atLeast(0),
    betas: twoRates,
    eps: atLeast(0),
    weightDecay: atLeast(0),
    momentumDecay: atLeast(0),
    decoupledWeightDecay: flag,
    maximize: flag,
  },
  chain: [link(maximize), link(weightDecay), link(nadam)],
};

/** NAdam, as `torch.optim.NAdam`. */
export class NAdam<M extends Module | null = Module | null> extends Optimizer<NAdamOptions, NAdamState, M> {
  constructor(params: OptimizerParams<NAdamOptions, M>, options: Partial<NAdamOptions> = {}) {
    super(definition, params, options);
  }
}
