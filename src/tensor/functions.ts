import { type HasNode, operandOf, type Scalar } from "./methods/base.ts";
import { einsum as einsumNode } from "./operations/einsum.ts";
import * as elementwise from "./operations/elementwise.ts";
import * as indexing from "./operations/indexing.ts";
import * as linalg from "./operations/linalg.ts";
import * as movement from "./operations/movement.ts";
import { broadcastShape } from "./operations/promote.ts";
import { Tensor } from "./tensor.ts";

/** Functions of several tensors, named and behaving as PyTorch's. */

const nodes = (tensors: readonly HasNode[]) => tensors.map((t) => t.node);

/** Tensors joined along a dimension. */
export const cat = (tensors: readonly Tensor[], dim = 0): Tensor =>
  new Tensor(movement.cat(nodes(tensors), dim));
/** As `cat`. */
export const concat = cat;
/** Tensors of one shape joined along a new dimension. */
export const stack = (tensors: readonly Tensor[], dim = 0): Tensor =>
  new Tensor(movement.stack(nodes(tensors), dim));

/** `then` where the condition holds, else `otherwise`. */
export const where = (condition: Tensor, then: Tensor | Scalar, otherwise: Tensor | Scalar): Tensor =>
  new Tensor(elementwise.where(condition.node, operandOf(then), operandOf(otherwise)));

/** The larger of two; NaN if either is. */
export const maximum = (a: Tensor, b: Tensor): Tensor => a.maximum(b);
/** The smaller of two; NaN if either is. */
export const minimum = (a: Tensor, b: Tensor): Tensor => a.minimum(b);
/** The matrix product; vectors, and batches that broadcast. */
export const matmul = (a: Tensor, b: Tensor): Tensor => a.matmul(b);

/** Sums of products by Einstein's convention: `einsum("bij,bjk->bik", a, b)`. */
export const einsum = (equation: string, ...operands: Tensor[]): Tensor =>
  new Tensor(einsumNode(equation, nodes(operands)));

/** x · weightᵀ + bias. */
export const linear = (x: Tensor, weight: Tensor, bias?: Tensor | null): Tensor =>
  new Tensor(linalg.linear(x.node, weight.node, bias?.node));

/** Normalizes over the last dimensions, then scales and shifts. */
export const layerNorm = (
  x: Tensor,
  normalizedShape: readonly number[],
  weight?: Tensor | null,
  bias?: Tensor | null,
  eps = 1e-5,
): Tensor => new Tensor(linalg.layerNorm(x.node, normalizedShape, weight?.node, bias?.node, eps));

/** 1 at each index, 0 elsewhere, along a new last dimension; without a count, as many classes as the largest index needs. */
export function oneHot(index: Tensor, numClasses?: number): Tensor {
  const count = numClasses ?? Math.max(0, ...index.dataSync()) + 1;
  return new Tensor(indexing.oneHot(index.node, count));
}

/** Tensors in one shape. */
export function broadcastTensors(...tensors: Tensor[]): Tensor[] {
  const shape = broadcastShape(nodes(tensors), "broadcastTensors");
  return tensors.map((t) => t.expand(shape));
}

/** A range of a dimension for `at`, as Python's start:stop:step. */
export const slice = (start: number | null = null, stop: number | null = null, step = 1): indexing.Slice => ({
  start,
  stop,
  step,
});

/** Whether two tensors have equal shapes and values within |a − b| ≤ atol + rtol · |b|. */
export function allclose(
  a: Tensor,
  b: Tensor,
  options: { rtol?: number; atol?: number; equalNan?: boolean } = {},
): boolean {
  return a.isclose(b, options).all().itemSync() === true;
}

/** Whether two tensors have equal shapes and equal values. */
export const equal = (a: Tensor, b: Tensor): boolean =>
  a.shape.length === b.shape.length &&
  a.shape.every((d, i) => d === b.shape[i]) &&
  a.eq(b).all().itemSync() === true;

/** Whether a value is a tensor. */
export const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;
