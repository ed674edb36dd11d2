import { ArgumentError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import * as kind from "./argument-kinds.ts";
import { type HasNode, operandOf, type Scalar } from "./methods/base.ts";
import { einsum as einsumNode } from "./operations/einsum.ts";
import * as elementwise from "./operations/elementwise.ts";
import * as indexing from "./operations/indexing.ts";
import * as linalg from "./operations/linalg.ts";
import * as movement from "./operations/movement.ts";
import * as normalization from "./operations/normalization.ts";
import { broadcastShape } from "./operations/promote.ts";
import { checked, takes, takesAny } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/** Functions of several tensors, named and behaving as PyTorch's. */

const nodes = (tensors: readonly HasNode[]) => tensors.map((t) => t.node);

const joined = takes({ tensors: kind.tensors, dim: kind.maybe(kind.dim) });
const pair = takes({ a: kind.tensor, b: kind.tensor });
const closeness = { rtol: kind.nonNegative, atol: kind.nonNegative, equalNan: kind.boolean };

/** Tensors joined along a dimension. */
export const cat = checked(
  "cat",
  joined,
  (tensors: readonly Tensor[], dim = 0): Tensor => new Tensor(movement.cat(nodes(tensors), dim)),
);
/** As `cat`. */
export const concat = cat;
/** As `cat`. */
export const concatenate = cat;
/** Tensors of one shape joined along a new dimension. */
export const stack = checked(
  "stack",
  joined,
  (tensors: readonly Tensor[], dim = 0): Tensor => new Tensor(movement.stack(nodes(tensors), dim)),
);

/**
 * `then` where the condition holds, else `otherwise`. With the condition alone, which is read then, the indices where it
 * holds, a vector for each dimension.
 */
export const where: {
  (condition: Tensor): Tensor[];
  (condition: Tensor, then: Tensor | Scalar, otherwise: Tensor | Scalar): Tensor;
} = (condition: Tensor, ...values: [Tensor | Scalar, Tensor | Scalar] | []) =>
  (values.length === 0 ? whereTrue(condition) : whereElse(condition, ...values)) as never;

const whereTrue = checked("where", takes({ condition: kind.tensor }), (condition: Tensor): Tensor[] =>
  condition.nonzero({ asTuple: true }),
);
const whereElse = checked(
  "where",
  takes({ condition: kind.tensor, input: kind.operand, other: kind.operand }),
  (condition: Tensor, then: Tensor | Scalar, otherwise: Tensor | Scalar): Tensor =>
    new Tensor(elementwise.where(condition.node, operandOf(then), operandOf(otherwise))),
);

/** The larger of two; NaN if either is. */
export const maximum = checked("maximum", pair, (a: Tensor, b: Tensor): Tensor => a.maximum(b));
/** The smaller of two; NaN if either is. */
export const minimum = checked("minimum", pair, (a: Tensor, b: Tensor): Tensor => a.minimum(b));
/** The matrix product; vectors, and batches that broadcast. */
export const matmul = checked("matmul", pair, (a: Tensor, b: Tensor): Tensor => a.matmul(b));

/** Sums of products by Einstein's convention: `einsum("bij,bjk->bik", a, b)`. */
export const einsum = checked(
  "einsum",
  takesAny({ equation: kind.string, operands: kind.tensor }),
  (equation: string, ...operands: Tensor[]): Tensor => new Tensor(einsumNode(equation, nodes(operands))),
);

/** x · weightᵀ + bias. */
export const linear = checked(
  "linear",
  takes({ x: kind.tensor, weight: kind.tensor, bias: kind.nullable(kind.tensor) }),
  (x: Tensor, weight: Tensor, bias?: Tensor | null): Tensor =>
    new Tensor(linalg.linear(x.node, weight.node, bias?.node)),
);

/** Normalizes over the last dimensions, then scales and shifts. */
export const layerNorm = checked(
  "layerNorm",
  takes({
    x: kind.tensor,
    normalizedShape: kind.shape,
    weight: kind.nullable(kind.tensor),
    bias: kind.nullable(kind.tensor),
    eps: kind.maybe(kind.number),
  }),
  (
    x: Tensor,
    normalizedShape: readonly number[],
    weight?: Tensor | null,
    bias?: Tensor | null,
    eps = 1e-5,
  ): Tensor => new Tensor(normalization.layerNorm(x.node, normalizedShape, weight?.node, bias?.node, eps)),
);

/**
 * x / √(mean x² + eps) · weight, over the last dimensions: what `nn.RMSNorm` does, with a weight that is given.
 *
 * Takes x of a floating dtype and a shape that ends in `normalizedShape`, and a weight of `normalizedShape` or none.
 * Without eps it is that of the dtype, 2⁻²³ for f32 and 2⁻⁵² for f64. Gives x's shape.
 * Throws `ShapeError` for sizes that do not fit, `DTypeError` for integers.
 * Source: `torch.nn.functional.rms_norm`. Example: `rmsNorm(randn([2, 4]), [4])`.
 */
export const rmsNorm = checked(
  "rmsNorm",
  takes({
    x: kind.tensor,
    normalizedShape: kind.shape,
    weight: kind.nullable(kind.tensor),
    eps: kind.nullable(kind.number),
  }),
  (x: Tensor, normalizedShape: readonly number[], weight?: Tensor | null, eps?: number | null): Tensor =>
    new Tensor(normalization.rmsNorm(x.node, normalizedShape, weight?.node, eps)),
);

/**
 * Normalizes groups of channels to mean 0 and variance 1: what `nn.GroupNorm` does, with parameters that are given.
 *
 * Takes x of [N, C, …] and a floating dtype, and `numGroups` that divides C; weight and bias of [C], or none; eps, 1e-5
 * unless given, is added to the variance. Gives x's shape.
 * Throws `ShapeError` for sizes that do not fit and for groups of a single value, `ArgumentError` for channels that do
 * not divide, `DTypeError` for integers.
 * Source: `torch.nn.functional.group_norm`. Example: `groupNorm(randn([2, 6, 4]), 3)`.
 */
export const groupNorm = checked(
  "groupNorm",
  takes({
    x: kind.tensor,
    numGroups: kind.whole,
    weight: kind.nullable(kind.tensor),
    bias: kind.nullable(kind.tensor),
    eps: kind.maybe(kind.number),
  }),
  (x: Tensor, numGroups: number, weight?: Tensor | null, bias?: Tensor | null, eps = 1e-5): Tensor =>
    new Tensor(normalization.groupNorm(x.node, numGroups, weight?.node, bias?.node, eps)),
);

/** 1 at each index, 0 elsewhere, along a new last dimension; without a count, as many classes as the largest index needs. */
export const oneHot = checked(
  "oneHot",
  takes({ index: kind.tensor, numClasses: kind.maybe(kind.whole) }),
  (index: Tensor, numClasses?: number): Tensor => {
    const { shape } = index;
    if (index.numel === 0 && (numClasses === undefined || numClasses === -1))
      throw new ArgumentError(
        `oneHot: an index of shape ${shapeText(shape)} does not say how many classes there are; give numClasses`,
      );
    let largest = 0;
    if (numClasses === undefined || numClasses === -1)
      for (const i of index.dataSync()) largest = Math.max(largest, i);
    return new Tensor(
      indexing.oneHot(index.node, numClasses === undefined || numClasses === -1 ? largest + 1 : numClasses),
    );
  },
);

/** Tensors in one shape. */
export const broadcastTensors = checked(
  "broadcastTensors",
  takesAny({ tensors: kind.tensor }),
  (...tensors: Tensor[]): Tensor[] => {
    const shape = broadcastShape(nodes(tensors), "broadcastTensors");
    return tensors.map((t) => t.expand(shape));
  },
);

/** A range of a dimension for `at`, as Python's start:stop:step. */
export const slice = checked(
  "slice",
  takes({
    start: kind.nullable(kind.whole),
    stop: kind.nullable(kind.whole),
    step: kind.maybe(kind.whole),
  }),
  (start: number | null = null, stop: number | null = null, step = 1): indexing.Slice => ({
    start,
    stop,
    step,
  }),
);

/** Whether two tensors have equal shapes and values within |a − b| ≤ atol + rtol · |b|. */
export const allclose = checked(
  "allclose",
  takes({ a: kind.tensor, b: kind.tensor }, closeness),
  (a: Tensor, b: Tensor, options: { rtol?: number; atol?: number; equalNan?: boolean } = {}): boolean =>
    a.isclose(b, options).all().itemSync() === true,
);

/** Whether two tensors have equal shapes and equal values. */
export const equal = checked(
  "equal",
  pair,
  (a: Tensor, b: Tensor): boolean =>
    a.shape.length === b.shape.length &&
    a.shape.every((d, i) => d === b.shape[i]) &&
    a.eq(b).all().itemSync() === true,
);

/** Whether a value is a tensor. */
export const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;
