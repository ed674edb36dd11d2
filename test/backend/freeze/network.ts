import * as nn from "thaw/nn";
import * as optim from "thaw/optim";
import { linear, Parameter, type Tensor, tensor } from "thaw/tensor";
import { EMA } from "../../../src/optim/ema.ts";
import type { Optimizer } from "../../../src/optim/optimizer.ts";
import { type Combination, optimizers } from "./axes.ts";

/** Any optimizer, as far as the matrix uses it. */
export type AnyOptimizer = Optimizer<{ lr: number }>;
type Make = new (params: unknown, options: object) => AnyOptimizer;

/**
 * x · weightᵀ, from a given weight (drawing one would take longer than all the rest of a combination), and what some
 * surroundings make of it: normal values, by a batch, a row or a group, or what rows attend to, as queries, keys and
 * values at once.
 */
class Branch extends nn.Module {
  weight: Parameter;
  norm: nn.BatchNorm1d | null;
  norms: nn.Sequential | null;
  attends: boolean;

  constructor(weight: number[][] | Parameter, surrounding?: string) {
    super();
    this.weight = weight instanceof Parameter ? weight : new Parameter(tensor(weight));
    this.norm = surrounding === "buffers" ? new nn.BatchNorm1d(3, { affine: false }) : null;
    this.norms =
      surrounding === "norm layers"
        ? new nn.Sequential(
            new nn.RMSNorm(3, { elementwiseAffine: false }),
            new nn.GroupNorm(1, 3, { affine: false }),
            new nn.LayerNorm(3, { elementwiseAffine: false }),
          )
        : null;
    this.attends = surrounding === "attention";
  }

  forward(x: Tensor): Tensor {
    const y = linear(x, this.weight);
    if (this.attends) return nn.scaledDotProductAttention(y, y, y);
    return (this.norm ?? this.norms)?.forward(y) ?? y;
  }
}

const heldWeight = [
  [0.5, -1.0],
  [0.25, 2.0],
  [-0.75, 0.125],
];

/** The weight of what is frozen from the start. */
export const neverWeight = [
  [0.1, -0.3],
  [0.8, 0.2],
  [-0.4, 0.6],
];

/**
 * What a step is about: an ordinary one, one of the other task (which has no use for `held`, or has, for some of it),
 * or one that only `held` has a part in.
 */
export type Phase = "both" | "other" | "some" | "alone";

/** Two branches, one of which is held after it has been trained, one that never trains, and what they share. */
export class Network extends nn.Module {
  held: Branch;
  free = new Branch([
    [0.3, 0.6],
    [-0.9, 0.4],
    [0.7, -0.2],
  ]);
  never = new Branch(neverWeight);
  output = new Branch([
    [0.2, -0.7, 0.5],
    [0.9, 0.3, -0.6],
  ]);
  /** The weight of `held` under a second path. */
  tied: Branch | null;
  dropout: nn.Dropout | null;

  constructor(surrounding: string) {
    super();
    this.held = new Branch(heldWeight, surrounding);
    this.tied = surrounding === "tied weights" ? new Branch(this.held.weight) : null;
    this.dropout = surrounding === "dropout" ? new nn.Dropout(0.5) : null;
  }

  forward(x: Tensor, phase: Phase): Tensor {
    let hidden = this.free.forward(x).add(this.never.forward(x));
    if (phase !== "other") {
      let branch = this.held.forward(x);
      if (this.tied !== null) branch = branch.add(this.tied.forward(x.mul(x)));
      hidden = hidden.add(branch);
    }
    hidden = hidden.tanh();
    if (this.dropout !== null) hidden = this.dropout.forward(hidden);
    return this.output.forward(hidden);
  }

  /** A loss of which `poison`, times the held weight, is a part: its gradient is `poison` too. */
  loss(phase: Phase, x: Tensor, poison: Tensor): Tensor {
    const direct = this.held.weight.mul(poison).sum();
    if (phase === "alone") return direct;
    const out = this.forward(x, phase);
    const loss = out.mul(out).mean();
    return phase === "other" ? loss : loss.add(direct);
  }
}

/** One combination's network and optimizer. */
export interface World {
  readonly net: Network;
  readonly optimizer: AnyOptimizer;
  /** An average of the weights, where there is one. */
  readonly ema: EMA | null;
}

/** A network and its optimizer as they are at the start of every combination. */
export function makeWorld({ optimizer: name, way, surrounding }: Combination): World {
  const net = new Network(surrounding);
  net.never.weight.frozen = true;
  const Made = (optim as unknown as Record<string, Make>)[name]!;
  const options = optimizers[name]![way]!;
  const params =
    surrounding === "parameter groups"
      ? [
          { params: [...net.held.parameters(), ...net.never.parameters()], lr: 0.03 },
          { params: [...net.free.parameters(), ...net.output.parameters()] },
        ]
      : net;
  const optimizer = new Made(params, options);
  optimizer.warnOfLeaks = false;
  return { net, optimizer, ema: surrounding === "EMA" ? new EMA(net, { decay: 0.9 }) : null };
}
