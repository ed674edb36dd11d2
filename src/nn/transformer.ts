import type { DType } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { full } from "../tensor/create.ts";
import { refuseUnless, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { xavierUniform_ } from "./init/index.ts";
import { LayerNorm } from "./layer-norm.ts";
import { Module } from "./module.ts";
import { TransformerDecoder } from "./transformer-decoder.ts";
import {
  decoderMasks,
  TransformerDecoderLayer,
  type TransformerDecoderMasks,
} from "./transformer-decoder-layer.ts";
import { TransformerEncoder, type TransformerEncoderMasks } from "./transformer-encoder.ts";
import { TransformerEncoderLayer } from "./transformer-encoder-layer.ts";
import type { TransformerLayerOptions } from "./transformer-options.ts";

/** What `Transformer` can have in place of its own encoder. */
export type Encoder = Module & { forward(src: Tensor, masks?: TransformerEncoderMasks): Tensor };
/** What `Transformer` can have in place of its own decoder. */
export type Decoder = Module & {
  forward(tgt: Tensor, memory: Tensor, masks?: TransformerDecoderMasks): Tensor;
};

/** Options of `Transformer`. */
export interface TransformerOptions<E extends Encoder, D extends Decoder> extends TransformerLayerOptions {
  /** The size of a position's vector; 512. */
  dModel?: number;
  /** How many heads attention has; 8. */
  nhead?: number;
  /** 6. */
  numEncoderLayers?: number;
  /** 6. */
  numDecoderLayers?: number;
  customEncoder?: E | null;
  customDecoder?: D | null;
}

/** What a forward pass of `Transformer` leaves out: masks as those of `MultiheadAttention`. */
export interface TransformerMasks extends TransformerDecoderMasks {
  /** Of [S, S] or [N · nhead, S, S]: which positions of src do not attend to which. */
  srcMask?: Tensor | null;
  /** Of [N, S], or [S] without a batch: positions of src that none attends to. */
  srcKeyPaddingMask?: Tensor | null;
  /** Says that `srcMask` is the causal one, so that it need not be looked at; false. */
  srcIsCausal?: boolean;
}

const signature = takes(
  { src: kind.tensor, tgt: kind.tensor },
  {
    ...decoderMasks,
    srcMask: kind.nullable(kind.tensor),
    srcKeyPaddingMask: kind.nullable(kind.tensor),
    srcIsCausal: kind.boolean,
  },
);

/**
 * decoder(tgt, encoder(src)): an encoder and a decoder, each of several layers with a norm at the end.
 *
 * Takes src of [S, N, dModel] and tgt of [T, N, dModel], with `batchFirst` [N, S, dModel] and [N, T, dModel], or both
 * without N, and masks as `MultiheadAttention`; gives tgt's shape. Unless given, dModel is 512, `nhead` 8, each has 6
 * layers, and all else is as of `TransformerEncoderLayer`. Every parameter of two dimensions starts by Xavier's uniform
 * rule, those of `customEncoder` and `customDecoder` too, as in PyTorch.
 * Throws `ArgumentError` for sizes and options that cannot be, `ShapeError` for inputs and masks that do not fit,
 * `DTypeError` for dtypes that differ.
 * Source: Vaswani et al., "Attention Is All You Need", 2017; `torch.nn.Transformer`.
 * Example:
 * ```ts
 * const net = new nn.Transformer({ dModel: 8, nhead: 2, numEncoderLayers: 1, numDecoderLayers: 1, dimFeedforward: 16 });
 * const tgtMask = nn.Transformer.generateSquareSubsequentMask(4);
 * return net.forward(randn([5, 3, 8]), randn([4, 3, 8]), { tgtMask, tgtIsCausal: true });
 * ```
 */
export class Transformer<
  E extends Encoder = TransformerEncoder,
  D extends Decoder = TransformerDecoder,
> extends Module {
  readonly dModel: number;
  readonly nhead: number;
  readonly batchFirst: boolean;
  encoder: E;
  decoder: D;

  constructor(options: TransformerOptions<E, D> = {}) {
    super();
    const { dModel = 512, nhead = 8, numEncoderLayers = 6, numDecoderLayers = 6, ...rest } = options;
    const { customEncoder = null, customDecoder = null, ...layers } = rest;
    for (const custom of [customEncoder, customDecoder])
      if (custom !== null && !(custom instanceof Module))
        throw new ArgumentError(
          `Transformer: ${kind.described(custom)} as encoder or decoder; it must be a module`,
        );
    this.dModel = dModel;
    this.nhead = nhead;
    this.batchFirst = layers.batchFirst ?? false;
    const norm = (): LayerNorm => new LayerNorm(dModel, { eps: layers.layerNormEps, bias: layers.bias });
    this.encoder =
      customEncoder ??
      (new TransformerEncoder(new TransformerEncoderLayer(dModel, nhead, layers), numEncoderLayers, {
        norm: norm(),
      }) as Module as E);
    this.decoder =
      customDecoder ??
      (new TransformerDecoder(new TransformerDecoderLayer(dModel, nhead, layers), numDecoderLayers, {
        norm: norm(),
      }) as Module as D);
    this.resetParameters();
  }

  /** Draws every parameter of two dimensions or more anew, by Xavier's uniform rule. */
  resetParameters(): void {
    for (const parameter of this.parameters()) if (parameter.ndim > 1) xavierUniform_(parameter);
  }

  /** A mask of numbers that keeps positions from attending to later ones: [size, size], -Infinity above the diagonal. */
  static generateSquareSubsequentMask(size: number, options: { dtype?: DType } = {}): Tensor {
    refuseOptions("generateSquareSubsequentMask", options, { dtype: null });
    const { dtype = "f32" } = options;
    return full([size, size], -Infinity, { dtype }).triu(1);
  }

  forward(src: Tensor, tgt: Tensor, masks: TransformerMasks = {}): Tensor {
    refuseUnless("Transformer", signature, [src, tgt, masks]);
    const shapes = `src ${shapeText(src.shape)}, tgt ${shapeText(tgt.shape)}`;
    const batch = this.batchFirst ? 0 : 1;
    if (src.ndim !== tgt.ndim || (src.ndim === 3 && src.shape[batch] !== tgt.shape[batch]))
      throw new ShapeError(
        `Transformer: ${shapes}: both have one batch, dimension ${batch}${this.batchFirst ? "" : " without batchFirst"}, or none`,
      );
    if (src.shape.at(-1) !== this.dModel || tgt.shape.at(-1) !== this.dModel)
      throw new ShapeError(`Transformer: ${shapes}: the last dimension must be dModel, ${this.dModel}`);
    const { srcMask: mask, srcKeyPaddingMask, srcIsCausal: isCausal, ...others } = masks;
    const memory = this.encoder.forward(src, { mask, srcKeyPaddingMask, isCausal });
    return this.decoder.forward(tgt, memory, others);
  }
}
