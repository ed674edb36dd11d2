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

/** What a forward pass of `TransformerEncoderLayer` leaves out: masks as those of `MultiheadAttention`. */
export interface TransformerEncoderLayerMasks {
  /** Of [S, S] or [N · nhead, S, S]: true where a position does not attend to another, or numbers to add to scores. */
  srcMask?: Tensor | null;
  /** Of [N, S], or [S] without a batch: true for positions that none attends to, or numbers to add to scores. */
  srcKeyPaddingMask?: Tensor | null;
  /** Says that `srcMask` is the causal one, so that it need not be looked at; false. */
  isCausal?: boolean;
}

const signature = takes(
  { src: kind.tensor },
  {
    srcMask: kind.nullable(kind.tensor),
    srcKeyPaddingMask: kind.nullable(kind.tensor),
    isCausal: kind.boolean,
  },
);

/**
 * y = norm1(x + attention(x)), and norm2(y + linear2(activation(linear1(y)))) of that; with `normFirst`
 * y = x + attention(norm1(x)), and y + linear2(activation(linear1(norm2(y)))). In training, dropout acts on weights of
 * attention, after the activation, and on what each part adds.
 *
 * Takes src of [S, N, dModel], with `batchFirst` [N, S, dModel], or [S, dModel], and masks as `MultiheadAttention`; gives
 * src's shape. dModel is a multiple of `nhead`; `dimFeedforward` is 2048, `dropout` 0.1 and `layerNormEps` 1e-5 unless
 * given. Parameters are those of `selfAttn`, `linear1`, `linear2`, `norm1` and `norm2`, and start as theirs do. A position
 * that may attend to nothing gets what attention's projection makes of zeros. Outputs of padded positions are computed as
 * all others, where PyTorch's fast path, of eval mode without gradients, gives zeros.
 * Throws `ArgumentError` for sizes and options that cannot be, `ShapeError` for inputs and masks that do not fit,
 * `DTypeError` for dtypes that differ.
 * Source: Vaswani et al., "Attention Is All You Need", 2017; `torch.nn.TransformerEncoderLayer`.
 * Example: `new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 16, batchFirst: true }).forward(randn([3, 5, 8]))`.
 */
export class TransformerEncoderLayer extends Module {
  readonly normFirst: boolean;
  activation: TransformerActivation;
  selfAttn: MultiheadAttention;
  linear1: Linear;
  dropout: Dropout;
  linear2: Linear;
  norm1: LayerNorm;
  norm2: LayerNorm;
  dropout1: Dropout;
  dropout2: Dropout;

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super();
    const { dimFeedforward, dropout, activation, layerNormEps, batchFirst, normFirst, bias } = layerOptions(
      "TransformerEncoderLayer",
      dModel,
      nhead,
      options,
    );
    this.normFirst = normFirst;
    this.activation = activation;
    this.selfAttn = new MultiheadAttention(dModel, nhead, { dropout, bias, batchFirst });
    this.linear1 = new Linear(dModel, dimFeedforward, { bias });
    this.dropout = new Dropout(dropout);
    this.linear2 = new Linear(dimFeedforward, dModel, { bias });
    this.norm1 = new LayerNorm(dModel, { eps: layerNormEps, bias });
    this.norm2 = new LayerNorm(dModel, { eps: layerNormEps, bias });
    this.dropout1 = new Dropout(dropout);
    this.dropout2 = new Dropout(dropout);
  }

  forward(src: Tensor, masks: TransformerEncoderLayerMasks = {}): Tensor {
    refuseUnless("TransformerEncoderLayer", signature, [src, masks]);
    const { norm1, norm2 } = this;
    const { srcMask: attnMask, srcKeyPaddingMask: keyPaddingMask, isCausal } = masks;
    const own = { attnMask, keyPaddingMask, isCausal };
    return throughParts(src, this.normFirst, [
      [norm1, (x) => this.dropout1.forward(attended(this.selfAttn, x, x, own))],
      [norm2, (x) => this.dropout2.forward(fed(this, x))],
    ]);
  }
}
