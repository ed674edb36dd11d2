import * as kind from "../tensor/argument-kinds.ts";
import { refuseUnless, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Dropout } from "./dropout.ts";
import { LayerNorm } from "./layer-norm.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module.ts";
import { MultiheadAttention } from "./multihead-attention.ts";
import {
  layerOptions,
  type TransformerActivation,
  type TransformerLayerOptions,
} from "./transformer-options.ts";
import { attended, fed, throughParts } from "./transformer-parts.ts";

/** What a forward pass of `TransformerDecoderLayer` leaves out: masks as those of `MultiheadAttention`. */
export interface TransformerDecoderMasks {
  /** Of [T, T] or [N · nhead, T, T]: which positions of tgt do not attend to which. */
  tgtMask?: Tensor | null;
  /** Of [T, S] or [N · nhead, T, S]: which positions of tgt do not attend to which of memory. */
  memoryMask?: Tensor | null;
  /** Of [N, T], or [T] without a batch: positions of tgt that none attends to. */
  tgtKeyPaddingMask?: Tensor | null;
  /** Of [N, S], or [S] without a batch: positions of memory that none attends to. */
  memoryKeyPaddingMask?: Tensor | null;
  /** Says that `tgtMask` is the causal one, so that it need not be looked at; false. */
  tgtIsCausal?: boolean;
  /** Says that `memoryMask` is the causal one, so that it need not be looked at; false. */
  memoryIsCausal?: boolean;
}

/** What `TransformerDecoderMasks` are checked for. */
export const decoderMasks = {
  tgtMask: kind.nullable(kind.tensor),
  memoryMask: kind.nullable(kind.tensor),
  tgtKeyPaddingMask: kind.nullable(kind.tensor),
  memoryKeyPaddingMask: kind.nullable(kind.tensor),
  tgtIsCausal: kind.boolean,
  memoryIsCausal: kind.boolean,
};

const signature = takes({ tgt: kind.tensor, memory: kind.tensor }, decoderMasks);

/**
 * y = norm1(x + selfAttention(x)), z = norm2(y + attention(y, memory)), and norm3(z + linear2(activation(linear1(z)))) of
 * that; with `normFirst` each part takes what its norm makes of the sum before it, and the sums themselves go on. In
 * training, dropout acts on weights of attention, after the activation, and on what each part adds.
 *
 * Takes tgt of [T, N, dModel] and memory of [S, N, dModel], with `batchFirst` [N, T, dModel] and [N, S, dModel], or both
 * without N, and masks as `MultiheadAttention`; gives tgt's shape. dModel is a multiple of `nhead`. Options are those of `TransformerEncoderLayer`.
 * Parameters are those of `selfAttn`, `multiheadAttn`, `linear1`, `linear2`, `norm1`, `norm2` and `norm3`, and start as
 * theirs do.
 * Throws `ArgumentError` for sizes and options that cannot be, `ShapeError` for inputs and masks that do not fit,
 * `DTypeError` for dtypes that differ.
 * Source: Vaswani et al., "Attention Is All You Need", 2017; `torch.nn.TransformerDecoderLayer`.
 * Example: `new nn.TransformerDecoderLayer(8, 2, { dimFeedforward: 16 }).forward(randn([4, 3, 8]), randn([5, 3, 8]))`.
 */
export class TransformerDecoderLayer extends Module {
  readonly normFirst: boolean;
  activation: TransformerActivation;
  selfAttn: MultiheadAttention;
  multiheadAttn: MultiheadAttention;
  linear1: Linear;
  dropout: Dropout;
  linear2: Linear;
  norm1: LayerNorm;
  norm2: LayerNorm;
  norm3: LayerNorm;
  dropout1: Dropout;
  dropout2: Dropout;
  dropout3: Dropout;

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super();
    const { dimFeedforward, dropout, activation, layerNormEps, batchFirst, normFirst, bias } = layerOptions(
      "TransformerDecoderLayer",
      dModel,
      nhead,
      options,
    );
    const norm = (): LayerNorm => new LayerNorm(dModel, { eps: layerNormEps, bias });
    this.normFirst = normFirst;
    this.activation = activation;
    this.selfAttn = new MultiheadAttention(dModel, nhead, { dropout, bias, batchFirst });
    this.multiheadAttn = new MultiheadAttention(dModel, nhead, { dropout, bias, batchFirst });
    this.linear1 = new Linear(dModel, dimFeedforward, { bias });
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, { bias });
    this.norm1 = norm();
    this.norm2 = norm();
    this.norm3 = norm();
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
    this.dropout3 = new Dropout(dropout);
  }

  forward(tgt: Tensor, memory: Tensor, masks: TransformerDecoderMasks = {}): Tensor {
    refuseUnless("TransformerDecoderLayer", signature, [tgt, memory, masks]);
    const { norm1, norm2, norm3 } = this;
    const own = {
      attnMask: masks.tgtMask,
      keyPaddingMask: masks.tgtKeyPaddingMask,
      isCausal: masks.tgtIsCausal,
    };
    const other = {
      attnMask: masks.memoryMask,
      keyPaddingMask: masks.memoryKeyPaddingMask,
      isCausal: masks.memoryIsCausal,
    };
    return throughParts(tgt, this.normFirst, [
      [norm1, (x) => this.dropout1.forward(attended(this.selfAttn, x, x, own))],
      [norm2, (x) => this.dropout2.forward(attended(this.multiheadAttn, x, memory, other))],
      [norm3, (x) => this.dropout3.forward(fed(this, x))],
    ]);
  }
}
