import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { empty, zeros } from "../tensor/create.ts";
import { cat, linear } from "../tensor/functions.ts";
import { computeDtype } from "../tensor/operations/promote.ts";
import { Parameter } from "../tensor/parameter.ts";
import { refuseUnless, takes } from "../tensor/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type AttentionSizes, asBias, attentionMask } from "./attention-masks.ts";
import { dropout } from "./dropout.ts";
import { xavierNormal_, xavierUniform_, zeros_ } from "./init/index.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module.ts";
import { scaledDotProductAttention } from "./scaled-dot-product-attention.ts";

/** Options of `MultiheadAttention`. */
export interface MultiheadAttentionOptions {
  /** The probability with which, in training, a weight of attention is dropped; 0. */
  dropout?: number;
  /** Whether projections, inward and outward, have biases. */
  bias?: boolean;
  /** Whether it learns a key and a value that every query sees beside those given; false. */
  addBiasKv?: boolean;
  /** Whether every query sees a key and a value of zeros beside those given; false. */
  addZeroAttn?: boolean;
  /** The size of keys; embedDim unless given. */
  kdim?: number | null;
  /** The size of values; embedDim unless given. */
  vdim?: number | null;
  /** Whether inputs and outputs are [batch, length, size], not [length, batch, size]; false. */
  batchFirst?: boolean;
}

/** Options of a forward pass of `MultiheadAttention`. Masks say what is left out. */
export interface MultiheadAttentionMasks {
  /** Of [batch, keys], or [keys] without a batch: true for keys that are left out, or numbers to add to scores. */
  keyPaddingMask?: Tensor | null;
  /**
   * Of [queries, keys], or [batch · heads, queries, keys]: true where a query does not attend to a key, or numbers to add
   * to scores.
   */
  attnMask?: Tensor | null;
  /** Whether weights are given too; true. Without, attention is one operation that does not store them. */
  needWeights?: boolean;
  /** Whether weights are given as their mean over heads; true. */
  averageAttnWeights?: boolean;
  /** Says that `attnMask` is the causal one, so that it need not be looked at; false. */
  isCausal?: boolean;
}

const signature = takes(
  { embedDim: kind.number, numHeads: kind.number },
  {
    dropout: kind.number,
    bias: kind.boolean,
    addBiasKv: kind.boolean,
    addZeroAttn: kind.boolean,
    kdim: kind.nullable(kind.number),
    vdim: kind.nullable(kind.number),
    batchFirst: kind.boolean,
  },
);

const forwardSignature = takes(
  { query: kind.tensor, key: kind.tensor, value: kind.tensor },
  {
    keyPaddingMask: kind.nullable(kind.tensor),
    attnMask: kind.nullable(kind.tensor),
    needWeights: kind.boolean,
    averageAttnWeights: kind.boolean,
    isCausal: kind.boolean,
  },
);

/**
 * concat(head₁, …) · outProjᵀ with headᵢ = softmax(Qᵢ Kᵢᵀ / √size + mask) · Vᵢ, where Q, K and V are projections of
 * queries, keys and values, of which each head takes its part.
 *
 * Takes queries of [L, N, embedDim], keys of [S, N, kdim] and values of [S, N, vdim]; with `batchFirst` [N, L, …] and
 * [N, S, …]; or all without N. Gives [output, weights]: an output in the queries' shape, and weights of [N, L, S], with
 * `averageAttnWeights: false` [N, numHeads, L, S], or null with `needWeights: false`, which is faster by far where
 * sequences are long. Masks are of bools, true for what is left out (the inverse of `scaledDotProductAttention`'s), or of
 * floats that are added to scores. A query that may attend to nothing gets NaN, and without weights the projection of
 * zeros, as in PyTorch.
 *
 * `inProjWeight` is [3 · embedDim, embedDim], its rows those of Q, K and V in turn; where kdim or vdim differs, there are
 * `qProjWeight`, `kProjWeight` and `vProjWeight` instead. They start by Xavier's uniform rule, `inProjBias` and the bias
 * of `outProj` from 0, `biasK` and `biasV` by Xavier's normal rule, the weight of `outProj` as a `Linear`'s.
 * Throws `ArgumentError` for sizes that cannot be, as heads that do not divide embedDim, and for `isCausal` without a
 * mask, `ShapeError` for inputs and masks that do not fit, `DTypeError` for dtypes that differ.
 * Source: Vaswani et al., "Attention Is All You Need", 2017; `torch.nn.MultiheadAttention`.
 * Example:
 * ```ts
 * const x = randn([5, 3, 8]);
 * const keyPaddingMask = zeros([3, 5], { dtype: "bool" });
 * const [output] = new nn.MultiheadAttention(8, 2).forward(x, x, x, { keyPaddingMask, needWeights: false });
 * return output;
 * ```
 */
export class MultiheadAttention extends Module {
  readonly embedDim: number;
  readonly numHeads: number;
  readonly kdim: number;
  readonly vdim: number;
  readonly batchFirst: boolean;
  readonly addZeroAttn: boolean;
  /** The probability with which a weight is dropped in training. It may be set at any time. */
  dropout: number;
  inProjWeight: Parameter | null;
  qProjWeight: Parameter | null;
  kProjWeight: Parameter | null;
  vProjWeight: Parameter | null;
  inProjBias: Parameter | null;
  biasK: Parameter | null;
  biasV: Parameter | null;
  outProj: Linear;

  constructor(embedDim: number, numHeads: number, options: MultiheadAttentionOptions = {}) {
    super();
    refuseUnless("MultiheadAttention", signature, [embedDim, numHeads, options]);
    const { bias = true, addBiasKv = false, addZeroAttn = false, batchFirst = false } = options;
    const { kdim, vdim } = { kdim: options.kdim ?? embedDim, vdim: options.vdim ?? embedDim };
    for (const [name, size] of Object.entries({ embedDim, numHeads, kdim, vdim }))
      if (!Number.isInteger(size) || size < 1)
        throw new ArgumentError(`MultiheadAttention: ${name} is ${size}; it is a whole number from 1 on`);
    if (embedDim % numHeads !== 0)
      throw new ArgumentError(
        `MultiheadAttention: ${numHeads} heads do not divide embedDim ${embedDim}; each has a part of the same size`,
      );
    const { dropout = 0 } = options;
    if (!(dropout >= 0 && dropout <= 1))
      throw new ArgumentError(`MultiheadAttention: dropout is ${dropout}; a probability is from 0 to 1`);
    this.embedDim = embedDim;
    this.numHeads = numHeads;
    this.kdim = kdim;
    this.vdim = vdim;
    this.batchFirst = batchFirst;
    this.addZeroAttn = addZeroAttn;
    this.dropout = dropout;
    const weight = (rows: number, columns: number): Parameter => new Parameter(empty([rows, columns]));
    const packed = kdim === embedDim && vdim === embedDim;
    this.inProjWeight = packed ? weight(3 * embedDim, embedDim) : null;
    this.qProjWeight = packed ? null : weight(embedDim, embedDim);
    this.kProjWeight = packed ? null : weight(embedDim, kdim);
    this.vProjWeight = packed ? null : weight(embedDim, vdim);
    this.inProjBias = bias ? new Parameter(empty([3 * embedDim])) : null;
    this.biasK = addBiasKv ? new Parameter(empty([1, 1, embedDim])) : null;
    this.biasV = addBiasKv ? new Parameter(empty([1, 1, embedDim])) : null;
    this.outProj = new Linear(embedDim, embedDim, { bias });
    this.resetParameters();
  }

  /** Draws all weights anew, those of `outProj` as a `Linear`'s, and makes biases of projections 0. */
  resetParameters(): void {
    const { inProjWeight, qProjWeight, kProjWeight, vProjWeight, biasK, biasV } = this;
    for (const weight of [inProjWeight, qProjWeight, kProjWeight, vProjWeight])
      if (weight !== null) xavierUniform_(weight);
    this.outProj.resetParameters();
    for (const bias of [this.inProjBias, this.outProj.bias]) if (bias !== null) zeros_(bias);
    for (const bias of [biasK, biasV]) if (bias !== null) xavierNormal_(bias);
  }

  forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options: MultiheadAttentionMasks = {},
  ): [output: Tensor, weights: Tensor | null] {
    refuseUnless("MultiheadAttention", forwardSignature, [query, key, value, options]);
    const { attnMask, keyPaddingMask, needWeights = true, averageAttnWeights = true } = options;
    const sizes = this.sizesOf(query, key, value);
    const { isBatched } = sizes;
    if (options.isCausal && !attnMask)
      throw new ArgumentError(
        "MultiheadAttention: isCausal says of attnMask that it is the causal one, and there is none; give it, as " +
          "nn.Transformer.generateSquareSubsequentMask makes it. Where it need not be looked at, it is not computed.",
      );
    const [q, k, v] = this.projected(query, key, value).map((x) => this.inHeads(x, sizes)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const [keys, values] = [this.lengthened(k, this.biasK), this.lengthened(v, this.biasV)];
    const added = keys.size(-2) - sizes.keys;
    // Every query sees what was added, which the causal rule would hide.
    const isCausal = (options.isCausal ?? false) && !needWeights && !keyPaddingMask && added === 0;
    const mask = attentionMask(attnMask, keyPaddingMask, sizes, added, computeDtype(q.dtype));
    const dropoutP = this.training ? this.dropout : 0;
    let weights: Tensor | null = null;
    let heads: Tensor;
    if (needWeights) {
      weights = this.weightsOf(q, keys, mask);
      if (dropoutP > 0) weights = dropout(weights, { p: dropoutP });
      heads = weights.matmul(values);
      if (averageAttnWeights) weights = weights.mean(1);
    } else
      heads = scaledDotProductAttention(q, keys, values, {
        attnMask: isCausal ? null : mask,
        dropoutP,
        isCausal,
      });
    const output = this.outProj.forward(this.joined(heads, sizes));
    if (isBatched || weights === null) return [output, weights];
    return [output, weights.squeeze(0)];
  }

  /** How many there are of what; throws where inputs do not fit. */
  private sizesOf(query: Tensor, key: Tensor, value: Tensor): AttentionSizes {
    const isBatched = query.ndim === 3;
    const inputs = { query, key, value };
    const wrong = (why: string): ShapeError =>
      new ShapeError(
        `MultiheadAttention: ${Object.entries(inputs)
          .map(([name, x]) => `${name} ${shapeText(x.shape)}`)
          .join(", ")}: ${why}`,
      );
    if ((query.ndim !== 2 && !isBatched) || key.ndim !== query.ndim || value.ndim !== query.ndim)
      throw wrong(
        `all three are ${this.batchFirst ? "[batch, length, size]" : "[length, batch, size]"}, or all [length, size]`,
      );
    const lasts = { query: this.embedDim, key: this.kdim, value: this.vdim };
    for (const [name, size] of Object.entries(lasts))
      if (inputs[name as "query"].size(-1) !== size)
        throw wrong(`the last dimension of the ${name} must be ${size}`);
    const [length, batch] = isBatched && this.batchFirst ? [1, 0] : [0, 1];
    if (key.shape[length] !== value.shape[length]) throw wrong("there is one value for each key");
    const samples = inputs.query.shape[batch]!;
    if (isBatched && (key.shape[batch] !== samples || value.shape[batch] !== samples))
      throw wrong(
        `the batch, dimension ${batch}${this.batchFirst ? "" : " without batchFirst"}, is not one size`,
      );
    return {
      batch: isBatched ? samples : 1,
      heads: this.numHeads,
      queries: query.shape[length]!,
      keys: key.shape[length]!,
      isBatched,
    };
  }

  /** Queries, keys and values: of one tensor they are one product, as are keys and values of one. */
  private projected(query: Tensor, key: Tensor, value: Tensor): Tensor[] {
    const { embedDim, inProjWeight, inProjBias } = this;
    const bias = (first: number, count: number): Tensor | undefined =>
      inProjBias === null || count === 3
        ? (inProjBias ?? undefined)
        : inProjBias.narrow(0, first * embedDim, count * embedDim);
    if (inProjWeight === null)
      return [
        linear(query, this.qProjWeight!, bias(0, 1)),
        linear(key, this.kProjWeight!, bias(1, 1)),
        linear(value, this.vProjWeight!, bias(2, 1)),
      ];
    const product = (x: Tensor, first: number, count: number): Tensor[] => {
      const weight = count === 3 ? inProjWeight : inProjWeight.narrow(0, first * embedDim, count * embedDim);
      return linear(x, weight, bias(first, count)).split(embedDim, -1);
    };
    if (query === key && key === value) return product(query, 0, 3);
    if (key === value) return [...product(query, 0, 1), ...product(key, 1, 2)];
    return [query, key, value].flatMap((x, i) => product(x, i, 1));
  }

  /** [batch, heads, length, size of a head], as a view. */
  private inHeads(x: Tensor, { isBatched }: AttentionSizes): Tensor {
    const { numHeads, embedDim } = this;
    const parts = x.reshape([...x.shape.slice(0, -1), numHeads, embedDim / numHeads]);
    if (!isBatched) return parts.unsqueeze(0).transpose(1, 2);
    return parts.permute(this.batchFirst ? [0, 2, 1, 3] : [1, 2, 0, 3]);
  }

  /** The inverse of `inHeads`. */
  private joined(x: Tensor, { isBatched, batch, queries }: AttentionSizes): Tensor {
    const { embedDim } = this;
    if (!isBatched) return x.squeeze(0).transpose(0, 1).reshape([queries, embedDim]);
    return this.batchFirst
      ? x.transpose(1, 2).reshape([batch, queries, embedDim])
      : x.permute([2, 0, 1, 3]).reshape([queries, batch, embedDim]);
  }

  /** Keys or values, in heads, with what is added to them at the end. */
  private lengthened(x: Tensor, learned: Parameter | null): Tensor {
    const [batch, heads, , size] = x.shape as [number, number, number, number];
    const parts = [x];
    if (learned !== null) parts.push(learned.reshape([1, heads, 1, size]).expand([batch, heads, 1, size]));
    if (this.addZeroAttn) parts.push(zeros([batch, heads, 1, size], { dtype: x.dtype }));
    return parts.length === 1 ? x : cat(parts, 2);
  }

  /** softmax(q · kᵀ / √size + mask). */
  private weightsOf(q: Tensor, k: Tensor, mask: Tensor | null): Tensor {
    const scores = q.mul(1 / Math.sqrt(q.size(-1))).matmul(k.transpose(-2, -1));
    // Added, as in PyTorch, so that a query without a key has NaN for its gradient too.
    return (mask === null ? scores : scores.add(asBias(mask))).softmax(-1);
  }
}
