import { anyNumber, atLeast, flag } from "../base/options.ts";
import type { Module } from "../nn/module.ts";
import { add, mul, sub } from "../tensor/operations/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { coupledDecay, maximize } from "./common-transforms.ts";
import { Optimizer } from "./optimizer.ts";
import type { OptimizerDefinition } from "./param-group.ts";
import type { OptimizerParams } from "./params.ts";
import { link, type Transform } from "./transform.ts";

/** Options of SGD, with PyTorch's meanings and defaults. */
export interface SGDOptions {
  /** Default 1e-3. */
  lr: number;
  /** Default 0. */
  momentum: number;
  /** Default 0. */
  dampening: number;
  /** Default 0. */
  weightDecay: number;
  /** Default false. */
  nesterov: boolean;
  /** Default false. */
  maximize: boolean;
}

/** A parameter's state under SGD. */
export interface SGDState {
  step: number;
  /** There with momentum only. */
  momentumBuffer?: Tensor;
}

/** Momentum: the gradient gives way to a running sum of gradients. */
const momentum: Transform<SGDOptions, "momentumBuffer", "momentum" | "share"> = {
  name: "momentum",
  tensors: (on) => (on("momentum") ? ["momentumBuffer"] : []),
  perGroup: { momentum: (o) => o.momentum },
  // PyTorch's buffer starts as the first gradient itself, undamped.
  perParameter: { share: ({ dampening }, { step }) => (step === 1 ? 1 : 1 - dampening) },
  update({ gradient, state, scalar, on }) {
    if (!on("momentum")) return {};
    const buffer = add(mul(state.momentumBuffer, scalar("momentum")), mul(gradient, scalar("share")));
    const ahead = on("nesterov") ? add(gradient, mul(buffer, scalar("momentum"))) : buffer;
    return { gradient: ahead, state: { momentumBuffer: buffer } };
  },
};

/** A step of `lr` down the gradient. */
const descend: Transform<SGDOptions, never, "lr"> = {
  name: "descend",
  perGroup: { lr: (o) => o.lr },
  update: ({ value, gradient, scalar }) => ({ value: sub(value, mul(gradient, scalar("lr"))) }),
};

const definition: OptimizerDefinition<SGDOptions> = {
  name: "SGD",
  defaults: { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, maximize: false },
  checks: {
    lr: atLeast(0),
    momentum: atLeast(0),
    dampening: anyNumber,
    weightDecay: atLeast(0),
    nesterov: flag,
    maximize: flag,
  },
  conflict: ({ nesterov, momentum, dampening }) =>
    nesterov && (momentum <= 0 || dampening !== 0)
      ? `nesterov needs momentum above 0 and no dampening, not momentum ${momentum} and dampening ${dampening}`
      : null,
  chain: [link(maximize), link(coupledDecay), link(momentum), link(descend)],
};

/** Stochastic gradient descent, with momentum where asked, as `torch.optim.SGD`. */
export class SGD<M extends Module | null = Module | null> extends Optimizer<SGDOptions, SGDState, M> {
  constructor(params: OptimizerParams<SGDOptions, M>, options: Partial<SGDOptions> = {}) {
    super(definition, params, options);
  }
}
