import { refuseOptions } from "../base/options.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { refuseUnless, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Layer, Module } from "./module.ts";
import { ModuleList } from "./module-list.ts";
import {
  decoderMasks,
  type TransformerDecoderLayer,
  type TransformerDecoderMasks,
} from "./transformer-decoder-layer.ts";
import { copiesOf } from "./transformer-parts.ts";

/** A layer that `TransformerDecoder` can have several of. */
export type DecoderLayer = Module & {
  forward(tgt: Tensor, memory: Tensor, masks?: TransformerDecoderMasks): Tensor;
};

const signature = takes({ tgt: kind.tensor, memory: kind.tensor }, decoderMasks);

/**
 * Layers one after the other, each of which attends to memory, and a norm after the last, if there is one.
 *
 * Takes tgt and memory of the shapes that its layers take, [T, N, dModel] and [S, N, dModel] as a rule, and masks, which
 * all layers are given; gives tgt's shape. The layers are `numLayers` copies of `decoderLayer`, at the paths
 * `layers.0` and on, with equal weights at first. `norm`, of the options, is at the path `norm`.
 * Throws `ArgumentError` for a number of layers that cannot be; then what its layers throw.
 * Source: Vaswani et al., "Attention Is All You Need", 2017; `torch.nn.TransformerDecoder`.
 * Example:
 * ```ts
 * const layer = new nn.TransformerDecoderLayer(8, 2, { dimFeedforward: 16 });
 * return new nn.TransformerDecoder(layer, 2, { norm: new nn.LayerNorm(8) }).forward(randn([4, 3, 8]), randn([5, 3, 8]));
 * ```
 */
export class TransformerDecoder<L extends DecoderLayer = TransformerDecoderLayer> extends Module {
  layers: ModuleList<L>;
  norm: Layer | null;

  constructor(decoderLayer: L, numLayers: number, options: { norm?: Layer | null } = {}) {
    refuseOptions("TransformerDecoder", options, { norm: null });
    const { norm = null } = options;
    super();
    this.layers = new ModuleList(copiesOf("TransformerDecoder", decoderLayer, numLayers));
    this.norm = norm;
  }

  forward(tgt: Tensor, memory: Tensor, masks: TransformerDecoderMasks = {}): Tensor {
    refuseUnless("TransformerDecoder", signature, [tgt, memory, masks]);
    let x = tgt;
    for (const layer of this.layers) x = layer.forward(x, memory, masks);
    return this.norm === null ? x : this.norm.forward(x);
  }
}
