import type { Dropout } from "../nn/dropout.ts";
import type { Linear } from "../nn/linear.ts";
import { scaledDotProductAttention } from "../nn/scaled-dot-product-attention.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** What attends to itself: projections, what drops weights in training, and how many heads there are. */
export interface SelfAttention {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly dropout: Dropout;
  readonly heads: number;
}

/** Attention of x, of [batch, length, size], to itself; `keys`: which positions are attended to, or what scores gain. */
export function attended(x: Tensor, keys: Tensor | null, attention: SelfAttention): Tensor {
  const [batch, length, size] = x.shape as [number, number, number];
  const { query, key, value, dropout, heads } = attention;
  const byHead = (projection: Linear): Tensor =>
    projection
      .forward(x)
      .reshape([batch, length, heads, size / heads])
      .transpose(1, 2);
  const { training, p } = dropout;
  return scaledDotProductAttention(byHead(query), byHead(key), byHead(value), {
    attnMask: keys,
    dropoutP: training ? p : 0,
  })
    .transpose(1, 2)
    .reshape([batch, length, size]);
}
