import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Activations by the names that PyTorch has for their classes. */
const activations: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  "torch.nn.modules.activation.Tanh": (x) => x.tanh(),
  "torch.nn.modules.activation.ReLU": (x) => x.relu(),
  "torch.nn.modules.activation.GELU": (x) => x.gelu(),
  "torch.nn.modules.activation.SiLU": (x) => x.silu(),
  "torch.nn.modules.activation.Sigmoid": (x) => x.sigmoid(),
  "torch.nn.modules.linear.Identity": (x) => x,
};

/** The names of activations that `Dense` knows. */
export const denseActivations: readonly string[] = Object.keys(activations);

/** What a layer of `2_Dense` is like: what its `config.json` says. */
export interface DenseSettings {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly bias: boolean;
  /** One of `denseActivations`. */
  readonly activation: string;
}

/** A linear layer with an activation, which makes embeddings of another size. */
export class Dense extends Module {
  readonly settings: DenseSettings;
  linear: Linear;

  constructor(settings: DenseSettings) {
    super();
    const { inFeatures, outFeatures, bias } = settings;
    this.settings = settings;
    this.linear = new Linear(inFeatures, outFeatures, { bias });
  }

  forward(x: Tensor): Tensor {
    return activations[this.settings.activation]!(this.linear.forward(x));
  }
}
