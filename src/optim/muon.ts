import { anyNumber, atLeast, flag } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import type { Module } from "../nn/module.ts";
import { lerp, mul, sub } from "../tensor/operations/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { decoupledDecay } from "./common-transforms.ts";
import { Optimizer } from "./optimizer.ts";
import { orthogonalised } from "./orthogonal.ts";
import type { OptimizerDefinition } from "./param-group.ts";
import type { OptimizerParams } from "./params.ts";
import { link, type Transform } from "./transform.ts";

/** Options of Muon, with PyTorch's meanings and defaults. */
export interface MuonOptions {
  /** Default 1e-3. */
  lr: number;
  /** Decay of the value itself; default 0.1. */
  weightDecay: number;
  /** Default 0.95. */
  momentum: number;
  /** Default true. */
  nesterov: boolean;
  /** Coefficients of the polynomial that orthogonalises; default [3.4445, -4.775, 2.0315]. */
  nsCoefficients: readonly [number, number, number];
  /** The least norm that an update is divided by; default 1e-7. */
  eps: number;
  /** How often the polynomial is applied, below 100; default 5. */
  nsSteps: number;
  /** How the rate follows a matrix's shape; default null, which is "original". */
  adjustLrFn: "original" | "match_rms_adamw" | null;
}

/** A parameter's state under Muon. */
export interface MuonState {
  step: number;
  momentumBuffer: Tensor;
}

/** Momentum as a mean: the gradient gives way to it, or with Nesterov's to what lies ahead of it. */
const meanMomentum: Transform<MuonOptions, "momentumBuffer", "momentum" | "share"> = {
  name: "meanMomentum",
  tensors: () => ["momentumBuffer"],
  perGroup: { momentum: ({ momentum }) => momentum, share: ({ momentum }) => 1 - momentum },
  update({ gradient, state, scalar, on }) {
    const momentumBuffer = lerp(state.momentumBuffer, gradient, scalar("share"));
    const ahead = on("nesterov") ? lerp(gradient, momentumBuffer, scalar("momentum")) : momentumBuffer;
    return { gradient: ahead, state: { momentumBuffer } };
  },
};

/** The rate of a matrix: larger for a tall one, or of the size that AdamW's updates have. */
function adjustedRate({ lr, adjustLrFn }: MuonOptions, [rows, columns]: readonly number[]): number {
  if (adjustLrFn === "match_rms_adamw") return lr * 0.2 * Math.sqrt(Math.max(rows!, columns!));
  return lr * Math.sqrt(Math.max(1, rows! / columns!));
}

const orthogonalise: Transform<MuonOptions, never, "a" | "b" | "c" | "least" | "rate"> = {
  name: "muon",
  perGroup: {
    a: ({ nsCoefficients }) => nsCoefficients[0],
    b: ({ nsCoefficients }) => nsCoefficients[1],
    c: ({ nsCoefficients }) => nsCoefficients[2],
    least: ({ eps }) => eps,
  },
  perParameter: { rate: (options, _, shape) => adjustedRate(options, shape) },
  update({ value, gradient, scalar, choice }) {
    const update = orthogonalised(gradient, choice("nsSteps"), scalar);
    return { value: sub(value, mul(update, scalar("rate"))) };
  },
};

const definition: OptimizerDefinition<MuonOptions> = {
  name: "Muon",
  defaults: {
    lr: 1e-3,
    weightDecay: 0.1,
    momentum: 0.95,
    nesterov: true,
    nsCoefficients: [3.4445, -4.775, 2.0315],
    eps: 1e-7,
    nsSteps: 5,
    adjustLrFn: null,
  },
  checks: {
    lr: atLeast(0),
    weightDecay: atLeast(0),
    momentum: atLeast(0),
    nesterov: flag,
    nsCoefficients: (value: readonly number[]) =>
      Array.isArray(value) && value.length === 3 && value.every((one) => Number.isFinite(one))
        ? null
        : "three numbers",
    eps: anyNumber,
    nsSteps: (value: number) =>
      Number.isInteger(value) && value >= 0 && value < 100 ? null : "a whole number from 0 to 99",
    adjustLrFn: (value: string | null) =>
      value === null || value === "original" || value === "match_rms_adamw"
        ? null
        : '"original", "match_rms_adamw" or null',
  },
  structural: ["nsSteps"],
  chain: [link(meanMomentum), link(decoupledDecay), link(orthogonalise)],
  refuses: (shape, region) => {
    if (shape.length !== 2)
      return `has shape ${shapeText(shape)}, and Muon only orthogonalises matrices of 2 dimensions; give it to another optimizer, such as AdamW`;
    return region?.dim === null
      ? "cannot be trained by its elements, which are no matrix; train whole rows or columns, or use another optimizer for it"
      : null;
  },
};

/**
 * Muon, as `torch.optim.Muon`: momentum whose matrix is made orthogonal, of parameters of 2 dimensions only. A region of
 * one (some rows, some columns) is orthogonalised as a matrix of its own.
 */
export class Muon<M extends Module | null = Module | null> extends Optimizer<MuonOptions, MuonState, M> {
  constructor(params: OptimizerParams<MuonOptions, M>, options: Partial<MuonOptions> = {}) {
    super(definition, params, options);
  }
}
