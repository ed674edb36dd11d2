import { Dropout } from "../../nn/dropout.ts";
import { LayerNorm } from "../../nn/layer-norm.ts";
import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module.ts";
import { ModuleList } from "../../nn/module-list.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { attended } from "../self-attention.ts";
import type { Stage } from "../stages.ts";
import type { BertSizes } from "./bert-config.ts";

// Fields are called what parameters are in the files of these models.

class BertSelfAttention extends Module {
  private readonly heads: number;
  query: Linear;
  key: Linear;
  value: Linear;
  dropout: Dropout;

  constructor({ hidden, heads, attentionDropout }: BertSizes) {
    super();
    this.heads = heads;
    this.query = new Linear(hidden, hidden);
    this.key = new Linear(hidden, hidden);
    this.value = new Linear(hidden, hidden);
    this.dropout = new Dropout(attentionDropout);
  }

  forward(x: Tensor, keys: Tensor | null): Tensor {
    const { query, key, value, dropout } = this;
    return attended(x, keys, { query, key, value, dropout, heads: this.heads });
  }
}

/** norm(dropout(dense(x)) + residual). */
export class BertOutput extends Module {
  dense: Linear;
  LayerNorm: LayerNorm;
  dropout: Dropout;

  constructor(from: number, { hidden, eps, dropout }: BertSizes) {
    super();
    this.dense = new Linear(from, hidden);
    this.LayerNorm = new LayerNorm(hidden, { eps });
    this.dropout = new Dropout(dropout);
  }

  forward(x: Tensor, residual: Tensor): Tensor {
    return this.LayerNorm.forward(this.dropout.forward(this.dense.forward(x)).add(residual));
  }
}

class BertAttention extends Module {
  self: BertSelfAttention;
  output: BertOutput;

  constructor(sizes: BertSizes) {
    super();
    this.self = new BertSelfAttention(sizes);
    this.output = new BertOutput(sizes.hidden, sizes);
  }

  forward(x: Tensor, keys: Tensor | null): Tensor {
    return this.output.forward(this.self.forward(x, keys), x);
  }
}

/** activation(dense(x)), which is wider than x. */
export class BertIntermediate extends Module {
  dense: Linear;
  private readonly activation: (x: Tensor) => Tensor;

  constructor({ hidden, intermediate, activation }: BertSizes) {
    super();
    this.dense = new Linear(hidden, intermediate);
    this.activation = activation;
  }

  forward(x: Tensor): Tensor {
    return this.activation(this.dense.forward(x));
  }
}

/** Attention, and a perceptron of two layers; each adds to what it takes, and the sum is normalized. */
class BertLayer extends Module {
  attention: BertAttention;
  intermediate: BertIntermediate;
  output: BertOutput;

  constructor(sizes: BertSizes) {
    super();
    this.attention = new BertAttention(sizes);
    this.intermediate = new BertIntermediate(sizes);
    this.output = new BertOutput(sizes.intermediate, sizes);
  }

  forward(x: Tensor, keys: Tensor | null): Tensor {
    const attended = this.attention.forward(x, keys);
    return this.output.forward(this.intermediate.forward(attended), attended);
  }
}

/** Layers one after the other. */
export class BertEncoder extends Module {
  layer: ModuleList<BertLayer>;

  constructor(sizes: BertSizes) {
    super();
    this.layer = new ModuleList(Array.from({ length: sizes.layers }, () => new BertLayer(sizes)));
  }

  /** `keys`: which keys queries attend to, of [batch, 1, 1, length]. */
  forward(x: Tensor, keys: Tensor | null): Tensor {
    return [...this.layer].reduce((y, layer) => layer.forward(y, keys), x);
  }

  stages(): Stage[] {
    return [...this.layer].map((layer, i) => ({
      paths: [`layer.${i}`],
      forward: (x, { keys }) => layer.forward(x, keys),
    }));
  }
}

/** tanh(dense(x)) of the first token. */
export class BertPooler extends Module {
  dense: Linear;

  constructor({ hidden }: BertSizes) {
    super();
    this.dense = new Linear(hidden, hidden);
  }

  forward(x: Tensor): Tensor {
    return this.ofFirst(x.select(1, 0));
  }

  /** As `forward`, of the first tokens alone. */
  ofFirst(first: Tensor): Tensor {
    return this.dense.forward(first).tanh();
  }
}
