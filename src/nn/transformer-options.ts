import { ArgumentError } from "../base/errors.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { refuseUnless, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Layer, Module } from "./module.ts";

/** What stands between the two products of a feed-forward network: by name, as a function, or as a layer. */
export type TransformerActivation = "relu" | "gelu" | ((x: Tensor) => Tensor) | Layer;

/** Options of `TransformerEncoderLayer` and `TransformerDecoderLayer`. */
export interface TransformerLayerOptions {
  /** How wide the feed-forward network is between its two products; 2048. */
  dimFeedforward?: number;
  /** The probability of dropout, of weights of attention too; 0.1. */
  dropout?: number;
  /** "relu". */
  activation?: TransformerActivation;
  /** Eps of the norms; 1e-5. */
  layerNormEps?: number;
  /** Whether inputs and outputs are [batch, length, dModel], not [length, batch, dModel]; false. */
  batchFirst?: boolean;
  /** Whether each part normalizes what it takes, not what it and what went past it add up to; false. */
  normFirst?: boolean;
  /** Whether products and norms have biases. */
  bias?: boolean;
}

const signature = takes(
  { dModel: kind.number, nhead: kind.number },
  {
    dimFeedforward: kind.number,
    dropout: kind.number,
    activation: kind.anything,
    layerNormEps: kind.number,
    batchFirst: kind.boolean,
    normFirst: kind.boolean,
    bias: kind.boolean,
  },
);

/** The options of a layer, with defaults; throws `ArgumentError` for what cannot be. */
export function layerOptions(
  op: string,
  dModel: number,
  nhead: number,
  options: TransformerLayerOptions,
): Required<TransformerLayerOptions> {
  refuseUnless(op, signature, [dModel, nhead, options]);
  const { dimFeedforward = 2048, dropout = 0.1, activation = "relu", layerNormEps = 1e-5 } = options;
  const { batchFirst = false, normFirst = false, bias = true } = options;
  for (const [name, size] of Object.entries({ dModel, nhead, dimFeedforward }))
    if (!Number.isInteger(size) || size < 1)
      throw new ArgumentError(`${op}: ${name} is ${size}; it is a whole number from 1 on`);
  if (dModel % nhead !== 0)
    throw new ArgumentError(
      `${op}: ${nhead} heads do not divide dModel ${dModel}; each has a part of the same size`,
    );
  if (!(dropout >= 0 && dropout <= 1))
    throw new ArgumentError(`${op}: dropout is ${dropout}; a probability is from 0 to 1`);
  const isKnown = activation === "relu" || activation === "gelu" || typeof activation === "function";
  if (!isKnown && !(activation instanceof Module && "forward" in activation))
    throw new ArgumentError(
      `${op}: activation is ${kind.described(activation)}; it is "relu", "gelu", a function of a tensor, or a layer`,
    );
  return { dimFeedforward, dropout, activation, layerNormEps, batchFirst, normFirst, bias };
}
