import { refuseOptions } from "../base/options.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { refuseUnless, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Layer, Module } from "./module.ts";
import { ModuleList } from "./module-list.ts";
import type { TransformerEncoderLayer, TransformerEncoderLayerMasks } from "./transformer-encoder-layer.ts";
import { copiesOf } from "./transformer-parts.ts";

/** What a forward pass of `TransformerEncoder` leaves out, in each of its layers. */
export interface TransformerEncoderMasks extends Omit<TransformerEncoderLayerMasks, "srcMask"> {
  /** Of [S, S] or [N · nhead, S, S]: the `srcMask` of each layer. */
  mask?: Tensor | null;
}

/** A layer that `TransformerEncoder` can have several of. */
export type EncoderLayer = Module & {
  forward(src: Tensor, masks?: TransformerEncoderLayerMasks): Tensor;
};

const signature = takes(
  { src: kind.tensor },
  {
    mask: kind.nullable(kind.tensor),
    srcKeyPaddingMask: kind.nullable(kind.tensor),
    isCausal: kind.boolean,
  },
);

/**
 * Layers one after the other, and a norm after the last, if there is one.
 *
 * Takes src of the shape that its layers take, [S, N, dModel] as a rule, and masks, which all layers are given; gives
 * src's shape. The layers are `numLayers` copies of `encoderLayer`, at the paths `layers.0` and on: they begin with
 * equal weights, each its own, so draw them anew where that is not meant. `norm`, of the options, is at the path `norm`.
 * Whether a mask is causal is not found out: say `isCausal`.
 * Throws `ArgumentError` for a number of layers that cannot be; then what its layers throw.
 * Source: Vaswani et al., "Attention Is All You Need", 2017; `torch.nn.TransformerEncoder`.
 * Example:
 * ```ts
 * const layer = new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 16, batchFirst: true });
 * return new nn.TransformerEncoder(layer, 2, { norm: new nn.LayerNorm(8) }).forward(randn([3, 5, 8]));
 * ```
 */
export class TransformerEncoder<L extends EncoderLayer = TransformerEncoderLayer> extends Module {
  layers: ModuleList<L>;
  norm: Layer | null;

  constructor(encoderLayer: L, numLayers: number, options: { norm?: Layer | null } = {}) {
    refuseOptions("TransformerEncoder", options, { norm: null });
    const { norm = null } = options;
    super();
    this.layers = new ModuleList(copiesOf("TransformerEncoder", encoderLayer, numLayers));
    this.norm = norm;
  }

  forward(src: Tensor, masks: TransformerEncoderMasks = {}): Tensor {
    refuseUnless("TransformerEncoder", signature, [src, masks]);
    const { mask: srcMask, srcKeyPaddingMask, isCausal } = masks;
    let x = src;
    for (const layer of this.layers) x = layer.forward(x, { srcMask, srcKeyPaddingMask, isCausal });
    return this.norm === null ? x : this.norm.forward(x);
  }
}
