import { isFloat } from "../base/dtype.ts";
import { DTypeError, ShapeError } from "../base/errors.ts";
import { type Shape, sameShape, shapeText } from "../base/shape.ts";
import { where } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** What `MultiheadAttention` is called with, and how many there are of what. */
export interface AttentionSizes {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  /** Whether there is a dimension of the batch in what was given. */
  readonly isBatched: boolean;
}

/**
 * The masks of modules as one of `scaledDotProductAttention`: bools, true where a query attends, or numbers that are
 * added; null where nothing is masked. Of one mask it is a view, and what it is broadcast over is not made. Beyond the
 * keys there are `added` ones, to which every query attends.
 */
export function attentionMask(
  attnMask: Tensor | null | undefined,
  keyPaddingMask: Tensor | null | undefined,
  sizes: AttentionSizes,
  added: number,
  dtype: Tensor["dtype"],
): Tensor | null {
  const attn = attnMask ? inHeads(attnMask, sizes) : null;
  const padding = keyPaddingMask ? ofKeys(keyPaddingMask, sizes) : null;
  const [a, b] = [attn, padding].map((mask) => mask && lengthened(attending(mask, dtype), added));
  if (!a || !b) return a ?? b ?? null;
  if (a.dtype === "bool" && b.dtype === "bool") return a.logicalAnd(b);
  return asBias(a).add(asBias(b));
}

/** A mask of pairs in a shape that broadcasts to [batch, heads, queries, keys]. */
function inHeads(mask: Tensor, { batch, heads, queries, keys, isBatched }: AttentionSizes): Tensor {
  refuseOthers("attnMask", mask);
  const own: Shape = [queries, keys];
  const each: Shape = [batch * heads, queries, keys];
  if (sameShape(mask.shape, own)) return mask;
  if (sameShape(mask.shape, each)) return mask.reshape([batch, heads, queries, keys]);
  throw new ShapeError(
    `MultiheadAttention: attnMask has shape ${shapeText(mask.shape)}; it must be ${shapeText(own)}, for ${queries} queries and ` +
      `${keys} keys, or ${shapeText(each)}, one for each ${isBatched ? "head of each sample" : "head"}`,
  );
}

/** A mask of keys in a shape that broadcasts to [batch, heads, queries, keys]. */
function ofKeys(mask: Tensor, { batch, keys, isBatched }: AttentionSizes): Tensor {
  refuseOthers("keyPaddingMask", mask);
  const wanted: Shape = isBatched ? [batch, keys] : [keys];
  if (!sameShape(mask.shape, wanted))
    throw new ShapeError(
      `MultiheadAttention: keyPaddingMask has shape ${shapeText(mask.shape)}; it must be ${shapeText(wanted)}, ` +
        `${isBatched ? "samples and " : ""}keys`,
    );
  return mask.reshape([batch, 1, 1, keys]);
}

function refuseOthers(name: string, { dtype }: Tensor): void {
  if (dtype !== "bool" && !isFloat(dtype))
    throw new DTypeError(
      `MultiheadAttention: ${name} is of ${dtype}; it is of bools, true for what is left out, or of floats that are added to ` +
        'scores: cast it with to("bool")',
    );
}

/** Modules say what is left out, `scaledDotProductAttention` what takes part. */
const attending = (mask: Tensor, dtype: Tensor["dtype"]): Tensor =>
  mask.dtype === "bool" ? mask.logicalNot() : mask.dtype === dtype ? mask : mask.to(dtype);

/** A mask with keys added at the end, to which all attend. */
const lengthened = (mask: Tensor, added: number): Tensor =>
  added === 0 ? mask : mask.pad([0, added], { value: mask.dtype === "bool" ? 1 : 0 });

/** A mask as numbers to add to scores. */
export const asBias = (mask: Tensor): Tensor => (mask.dtype === "bool" ? where(mask, 0, -Infinity) : mask);
