import { Dropout } from "../../nn/dropout.ts";
import { Embedding } from "../../nn/embedding.ts";
import { LayerNorm } from "../../nn/layer-norm.ts";
import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module.ts";
import { ModuleList } from "../../nn/module-list.ts";
import { fromArray } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { BertSizes } from "../bert/bert-config.ts";
import { BertIntermediate, BertOutput } from "../bert/bert-layer.ts";
import { attended } from "../self-attention.ts";
import type { Pass, Stage } from "../stages.ts";

// Fields are called what parameters are in the files of these models.

/** How many kinds of distances there are, in both directions together. */
export const distanceBuckets = 32;

class MPNetSelfAttention extends Module {
  private readonly heads: number;
  q: Linear;
  k: Linear;
  v: Linear;
  o: Linear;
  dropout: Dropout;

  constructor({ hidden, heads, attentionDropout }: BertSizes) {
    super();
    this.heads = heads;
    this.q = new Linear(hidden, hidden);
    this.k = new Linear(hidden, hidden);
    this.v = new Linear(hidden, hidden);
    this.o = new Linear(hidden, hidden);
    this.dropout = new Dropout(attentionDropout);
  }

  forward(x: Tensor, bias: Tensor): Tensor {
    const { q: query, k: key, v: value, dropout } = this;
    return this.o.forward(attended(x, bias, { query, key, value, dropout, heads: this.heads }));
  }
}

class MPNetAttention extends Module {
  attn: MPNetSelfAttention;
  LayerNorm: LayerNorm;
  dropout: Dropout;

  constructor(sizes: BertSizes) {
    super();
    this.attn = new MPNetSelfAttention(sizes);
    this.LayerNorm = new LayerNorm(sizes.hidden, { eps: sizes.eps });
    this.dropout = new Dropout(sizes.dropout);
  }

  forward(x: Tensor, bias: Tensor): Tensor {
    return this.LayerNorm.forward(this.dropout.forward(this.attn.forward(x, bias)).add(x));
  }
}

class MPNetLayer extends Module {
  attention: MPNetAttention;
  intermediate: BertIntermediate;
  output: BertOutput;

  constructor(sizes: BertSizes) {
    super();
    this.attention = new MPNetAttention(sizes);
    this.intermediate = new BertIntermediate(sizes);
    this.output = new BertOutput(sizes.intermediate, sizes);
  }

  forward(x: Tensor, bias: Tensor): Tensor {
    const attended = this.attention.forward(x, bias);
    return this.output.forward(this.intermediate.forward(attended), attended);
  }
}

/** Layers one after the other, which add the same numbers to their scores: for each head, one for each kind of distance. */
export class MPNetEncoder extends Module {
  layer: ModuleList<MPNetLayer>;
  relative_attention_bias: Embedding;

  constructor(sizes: BertSizes) {
    super();
    this.layer = new ModuleList(Array.from({ length: sizes.layers }, () => new MPNetLayer(sizes)));
    this.relative_attention_bias = new Embedding(distanceBuckets, sizes.heads);
  }

  /** `keys`: which keys queries attend to, of [batch, 1, 1, length]. */
  forward(x: Tensor, keys: Tensor | null): Tensor {
    const bias = this.biasOf(x, keys);
    return [...this.layer].reduce((y, layer) => layer.forward(y, bias), x);
  }

  private biasOf(x: Tensor, keys: Tensor | null): Tensor {
    const byDistance = this.relative_attention_bias.forward(distances(x.shape[1]!)).permute([2, 0, 1]);
    return keys === null
      ? byDistance
      : byDistance.unsqueeze(0).maskedFill(keys.logicalNot(), Number.NEGATIVE_INFINITY);
  }

  stages(): Stage[] {
    const known = new WeakMap<Pass, Tensor>();
    const biasOf = (x: Tensor, pass: Pass): Tensor => {
      const bias = known.get(pass) ?? this.biasOf(x, pass.keys);
      known.set(pass, bias);
      return bias;
    };
    return [...this.layer].map((layer, i) => ({
      // Where the numbers of distances are trained, all layers move.
      paths: [`layer.${i}`, ...(i === 0 ? ["relative_attention_bias"] : [])],
      forward: (x, pass) => layer.forward(x, biasOf(x, pass)),
    }));
  }
}

/** The kind of distance from each query to each key, of [length, length]. */
function distances(length: number): Tensor {
  const kinds = Int32Array.from({ length: length * length }, (_, i) =>
    kindOf((i % length) - Math.floor(i / length)),
  );
  return fromArray(kinds, [length, length]);
}

/**
 * Each direction has half of the kinds: one each for distances below 8, and 8 more for larger ones, two for each doubling;
 * the last one is for all from 91 on.
 */
function kindOf(distance: number): number {
  const half = distanceBuckets / 2;
  const exact = half / 2;
  const away = Math.abs(distance);
  const kind = away < exact ? away : Math.min(half - 1, exact + Math.floor(2 * Math.log2(away / exact)));
  return distance > 0 ? half + kind : kind;
}
