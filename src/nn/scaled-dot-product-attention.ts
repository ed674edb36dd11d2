import { isFloat } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { broadcastShapes, type Shape, sameShape, shapeText, sizeOf } from "../base/shape.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { randomKey } from "../tensor/draws.ts";
import { attention } from "../tensor/operations/attention.ts";
import { checked, takes } from "../tensor/signature.ts";
import { Tensor } from "../tensor/tensor.ts";

/** Options of `scaledDotProductAttention`. */
export interface AttentionOptions {
  /**
   * Which keys each query attends to: bools, true for those that take part (the inverse of `nn.MultiheadAttention`'s
   * masks), or numbers that are added to the scores. It broadcasts to [*, L, S]; none unless given.
   */
  attnMask?: Tensor | null;
  /** The probability with which a weight is dropped; 0. It holds whatever a module's mode is. */
  dropoutP?: number;
  /** Whether query i attends to keys 0 to i only, counted from the first of each also where L is not S; false. */
  isCausal?: boolean;
  /** What scores are multiplied by; 1/√E unless given. */
  scale?: number | null;
  /** Whether keys and values may have fewer heads than queries, each for as many heads in a row; false. */
  enableGqa?: boolean;
}

const op = "scaledDotProductAttention";

/**
 * softmax(query · keyᵀ · scale + mask) · value: for each query, a mean of values by how well their keys agree with it.
 *
 * Takes a query of [*, L, E], keys of [*, S, E] and values of [*, S, Ev], whose leading dimensions (batch and heads)
 * broadcast; gives [*, L, Ev]. With `enableGqa` these are [*, Hq, L, E], [*, H, S, E] and [*, H, S, Ev], where H divides
 * Hq. All are of one floating dtype; of bf16 and f16 the result is f32, as a product's is.
 *
 * A query that attends to no key (its mask is false, or -Infinity, everywhere, or S is 0) gives zeros and passes no
 * gradient on, as in PyTorch 2.13 on both of its ways on a CPU, with masks of either kind. A NaN in a score makes the
 * query's result NaN; what a mask keeps out should be finite, as 0 · NaN is NaN.
 *
 * Throws `ShapeError` for shapes that do not fit, heads that do not divide and masks that do not broadcast,
 * `DTypeError` for dtypes, `ArgumentError` for a probability that is none and for a mask beside `isCausal`.
 * Source: Vaswani et al., "Attention Is All You Need", 2017; `torch.nn.functional.scaled_dot_product_attention`.
 * Example: `nn.scaledDotProductAttention(q, k, v, { isCausal: true })`.
 */
export const scaledDotProductAttention = checked(
  op,
  takes(
    { query: kind.tensor, key: kind.tensor, value: kind.tensor },
    {
      attnMask: kind.nullable(kind.tensor),
      dropoutP: kind.number,
      isCausal: kind.boolean,
      scale: kind.nullable(kind.number),
      enableGqa: kind.boolean,
    },
  ),
  attentionOf,
);

function attentionOf(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { attnMask, dropoutP = 0, isCausal = false, scale, enableGqa = false }: AttentionOptions = {},
): Tensor {
  const shapes = `query ${shapeText(query.shape)}, key ${shapeText(key.shape)}, value ${shapeText(value.shape)}`;
  checkOperands(query, key, value, shapes);
  if (!(dropoutP >= 0 && dropoutP <= 1))
    throw new ArgumentError(`${op}: dropoutP is ${dropoutP}; a probability is from 0 to 1`);
  if (isCausal && attnMask)
    throw new ArgumentError(
      `${op}: attnMask beside isCausal; give one mask of both, attnMask.logicalAnd(ones([L, S]).tril())`,
    );
  // Heads of keys and of values that differ in number are repeated for each head of queries, others are shared.
  const group = enableGqa ? groupOf(query, key, value, shapes) : 1;
  const [k, v] = enableGqa && group === 1 ? [key, value].map((x) => repeated(x, query)) : [key, value];
  const ofBatch = ({ shape }: Tensor) => shape.slice(0, group > 1 ? -3 : -2);
  const met = [k!, v!].reduce<Shape | null>(
    (all, x) => all && broadcastShapes(all, ofBatch(x)),
    ofBatch(query),
  );
  if (met === null)
    throw new ShapeError(
      `${op}: ${shapes}: dimensions before the last two do not broadcast${enableGqa ? "" : "; for fewer heads of keys than of queries, say enableGqa: true"}`,
    );
  const batch = group > 1 ? [...met, query.shape.at(-3)!] : met;
  const scores = [...batch, query.shape.at(-2)!, key.shape.at(-2)!];
  const mask = attnMask ? checkedMask(attnMask, scores, query) : null;
  const size = query.shape.at(-1)!;
  return new Tensor(
    attention(query.node, k!.node, v!.node, {
      mask: mask?.node ?? null,
      isCausal,
      // Scores of empty vectors are 0, whatever they are scaled by.
      scale: scale ?? (size === 0 ? 1 : 1 / Math.sqrt(size)),
      dropped: dropoutP > 0 && sizeOf(scores) > 0 ? { p: dropoutP, key: randomKey() } : null,
      batch,
      group,
    }),
  );
}

function checkOperands(query: Tensor, key: Tensor, value: Tensor, shapes: string): void {
  for (const { dtype } of [query, key, value])
    if (dtype !== query.dtype || !isFloat(dtype))
      throw new DTypeError(
        `${op}: query, key and value are of ${query.dtype}, ${key.dtype} and ${value.dtype}; they are of one ` +
          'floating-point dtype: cast them with to("f32")',
      );
  if (Math.min(query.ndim, key.ndim, value.ndim) < 2)
    throw new ShapeError(`${op}: ${shapes}: each has two dimensions at least, [*, positions, size]`);
  if (query.shape.at(-1) !== key.shape.at(-1))
    throw new ShapeError(`${op}: ${shapes}: queries and keys have one size, their last dimension`);
  if (key.shape.at(-2) !== value.shape.at(-2))
    throw new ShapeError(
      `${op}: ${shapes}: there is one value for each key, in the dimension before the last`,
    );
}

/** How many heads of queries share one of keys and values; 1 too where those two differ in number. */
function groupOf(query: Tensor, key: Tensor, value: Tensor, shapes: string): number {
  const [heads, ofKeys, ofValues] = [query, key, value].map((t) => t.shape.at(-3));
  if (heads === undefined || ofKeys === undefined || ofValues === undefined)
    throw new ShapeError(
      `${op}: ${shapes}: with enableGqa each has a dimension of heads, [*, heads, positions, size]`,
    );
  for (const own of [ofKeys, ofValues])
    if (own !== heads && (own === 0 || heads % own !== 0))
      throw new ShapeError(
        `${op}: ${shapes}: ${own} heads of keys or values do not divide the ${heads} heads of queries; enableGqa needs ` +
          "that each serves as many queries' heads",
      );
  return ofKeys === ofValues && ofKeys > 0 ? heads / ofKeys : 1;
}

/** Keys or values with each head repeated for the queries' heads that share it. */
function repeated(x: Tensor, query: Tensor): Tensor {
  const times = x.shape.at(-3) === 0 ? 1 : query.shape.at(-3)! / x.shape.at(-3)!;
  return times === 1 ? x : x.repeatInterleave(times, -3);
}

/** A mask that broadcasts to the scores, of bools or of numbers that may be added to them. */
function checkedMask(mask: Tensor, scores: Shape, { dtype }: Tensor): Tensor {
  if (mask.dtype !== "bool" && mask.dtype !== "f32" && mask.dtype !== dtype)
    throw new DTypeError(
      `${op}: attnMask is of ${mask.dtype}; it is of bool, of f32 or of the query's ${dtype}: cast it with to("bool")`,
    );
  const met = broadcastShapes(mask.shape, scores);
  if (met === null || !sameShape(met, scores))
    throw new ShapeError(
      `${op}: attnMask of shape ${shapeText(mask.shape)} does not broadcast to the scores, ${shapeText(scores)}: ` +
        "[*, L, S] of the query's L positions and the key's S",
    );
  return mask;
}
