import { ArgumentError } from "../base/errors.ts";
import { described } from "../tensor/argument-kinds.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Dropout } from "./dropout.ts";
import type { LayerNorm } from "./layer-norm.ts";
import type { Linear } from "./linear.ts";
import { Module } from "./module.ts";
import type { MultiheadAttention, MultiheadAttentionMasks } from "./multihead-attention.ts";
import type { TransformerActivation } from "./transformer-options.ts";

/** What an activation makes of a tensor. */
function activated(activation: TransformerActivation, x: Tensor): Tensor {
  if (activation === "relu") return x.relu();
  if (activation === "gelu") return x.gelu();
  return typeof activation === "function" ? activation(x) : activation.forward(x);
}

/** The feed-forward part of a layer. */
export function fed(
  layer: { linear1: Linear; activation: TransformerActivation; dropout: Dropout; linear2: Linear },
  x: Tensor,
): Tensor {
  return layer.linear2.forward(layer.dropout.forward(activated(layer.activation, layer.linear1.forward(x))));
}

/** What attention gives to queries from a memory, without its weights. */
export const attended = (
  attention: MultiheadAttention,
  x: Tensor,
  memory: Tensor,
  masks: MultiheadAttentionMasks,
): Tensor => attention.forward(x, memory, memory, { ...masks, needWeights: false })[0];

/** Parts one after the other, each of which adds to what it takes: its norm is taken before it, or of the sum. */
export const throughParts = (
  x: Tensor,
  normFirst: boolean,
  parts: readonly (readonly [LayerNorm, (x: Tensor) => Tensor])[],
): Tensor =>
  parts.reduce(
    (y, [norm, part]) => (normFirst ? y.add(part(norm.forward(y))) : norm.forward(y.add(part(y)))),
    x,
  );

/** Copies of a layer, each with weights of its own that begin as the layer's. */
export function copiesOf<L extends Module>(op: string, layer: L, count: number): L[] {
  if (!(layer instanceof Module))
    throw new ArgumentError(`${op}: the layer is ${described(layer)}; it must be a module`);
  if (!Number.isInteger(count) || count < 1)
    throw new ArgumentError(`${op}: numLayers is ${count}; it is a whole number from 1 on`);
  return Array.from({ length: count }, () => layer.clone());
}
