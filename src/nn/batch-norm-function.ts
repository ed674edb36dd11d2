import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { noGrad } from "../tensor/autograd.ts";
import { checked, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Options of `batchNorm`. */
export interface BatchNormFunctionOptions {
  weight?: Tensor | null;
  bias?: Tensor | null;
  /** Whether to normalize by the batch, and to move the running statistics, if given, towards it. */
  training?: boolean;
  momentum?: number;
  eps?: number;
}

/** What the `BatchNorm` modules do, with statistics and parameters that are given: channels are along dimension 1. */
export const batchNorm = checked(
  "batchNorm",
  takes(
    { x: kind.tensor, runningMean: kind.nullable(kind.tensor), runningVar: kind.nullable(kind.tensor) },
    {
      weight: kind.nullable(kind.tensor),
      bias: kind.nullable(kind.tensor),
      training: kind.boolean,
      momentum: kind.number,
      eps: kind.number,
    },
  ),
  (
    x: Tensor,
    runningMean?: Tensor | null,
    runningVar?: Tensor | null,
    { weight, bias, training = false, momentum = 0.1, eps = 1e-5 }: BatchNormFunctionOptions = {},
  ): Tensor => {
    // Of nothing there are no statistics, and those that run stay. A vector of nothing has no channels, and no weights.
    const empty = x.numel === 0;
    if (x.ndim < 2 && !(empty && x.ndim === 1 && !weight && !bias))
      throw new ShapeError(`batchNorm: takes at least 2 dimensions, not shape ${shapeText(x.shape)}`);
    const channels = x.shape[1] ?? 0;
    for (const [name, t] of Object.entries({ runningMean, runningVar, weight, bias }))
      if (t && (t.ndim !== 1 || t.shape[0] !== channels))
        throw new ShapeError(
          `batchNorm: ${name} has shape ${shapeText(t.shape)}; it must be [${channels}], one for each channel of ${shapeText(x.shape)}`,
        );
    if (!empty && !training && !(runningMean && runningVar))
      throw new ArgumentError("batchNorm: without training it needs runningMean and runningVar");
    const inShape = (t: Tensor): Tensor => t.reshape(x.shape.map((_, i) => (i === 1 ? channels : 1)));
    const dims = x.shape.map((_, i) => i).filter((i) => i !== 1);
    const affine = (normal: Tensor): Tensor => {
      const scaled = weight ? normal.mul(inShape(weight)) : normal;
      return bias ? scaled.add(inShape(bias)) : scaled;
    };
    if (empty) return affine(x.clone());
    const count = x.numel / channels;
    if (training && count <= 1)
      throw new ArgumentError(
        `batchNorm: in training a channel needs more than one value, and an input of shape ${shapeText(x.shape)} has ${count}`,
      );
    const mean = training ? x.mean(dims) : runningMean!;
    const variance = training ? x.var(dims, { correction: 0 }) : runningVar!;
    if (training)
      noGrad(() => {
        runningMean?.copy_(runningMean.mul(1 - momentum).add(mean.detach().mul(momentum)));
        runningVar?.copy_(
          runningVar.mul(1 - momentum).add(variance.detach().mul((momentum * count) / (count - 1))),
        );
      });
    return affine(x.sub(inShape(mean)).div(inShape(variance).add(eps).sqrt()));
  },
);
