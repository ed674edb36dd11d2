import { cast, reshape, sliceAxis } from "../autodiff/build.ts";
import { type DType, isFloat } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { type Shape, shapeText } from "../base/shape.ts";
import { threefry2x32 } from "../base/threefry.ts";
import { currentTrace, hostEffect, hostScalar } from "../engine/trace.ts";
import { type Node, node, withGrad } from "../ir/node.ts";
import type { TensorOptions } from "./create.ts";
import * as ops from "./operations/elementwise.ts";
import { storedNumber } from "./operations/number.ts";
import { broadcastTo, constant } from "./operations/promote.ts";
import { cumsum, sum } from "./operations/reduction.ts";
import { topk } from "./operations/sorting.ts";
import { Tensor } from "./tensor.ts";

/**
 * Random numbers come from a counter, not from a stream: element e of the nth draw since `manualSeed(seed)` is
 * Threefry-2x32 of the key (the seed in one word, n) and the counter e. The key's words are inputs of a step, so a
 * captured step draws anew at each replay, and every backend draws the same bits.
 */
let seed = Math.floor(Math.random() * 2 ** 32);
let drawn = 0;

/** Where the random numbers stand: restoring it repeats them. */
export interface RandomState {
  readonly seed: number;
  readonly drawn: number;
}

/** Starts the random numbers anew from a whole number. */
export function manualSeed(value: number): void {
  if (!Number.isSafeInteger(value))
    throw new ArgumentError(`manualSeed: ${value} is not a whole number within ±2^53`);
  setRandomState({ seed: value, drawn: 0 });
}

/** Where the random numbers stand. */
export const getRandomState = (): RandomState => ({ seed, drawn });

/** Puts them back where they stood. */
export function setRandomState(state: RandomState): void {
  let before = state;
  hostEffect({
    apply() {
      before = { seed, drawn };
      ({ seed, drawn } = state);
    },
    undo() {
      ({ seed, drawn } = before);
    },
  });
}

/** The seed in one word: itself if it is a u32, else its low word mixed with its high one. */
function seedWord(): number {
  const high = Math.floor(seed / 2 ** 32);
  return high === 0 ? seed | 0 : seed ^ threefry2x32(high, 0, 0, 0)[0];
}

/** Random i32 words, from the next key. */
function bits(shape: Shape): Node {
  const words = [hostScalar(seedWord, "i32"), hostScalar(() => drawn | 0, "i32")];
  hostEffect({
    apply() {
      drawn++;
    },
    undo() {
      drawn--;
    },
  });
  const key = node(
    "concat",
    words.map((w) => reshape(w, [1])),
    { axis: 0 },
  );
  return node("randomBits", [key], { shape });
}

const shr = (x: Node, by: number): Node =>
  node("shr", [x, broadcastTo(constant(by, "i32"), x.shape, "random")], {});

/** Uniform numbers in [0, 1): all 24 bits of an f32, all 53 of an f64. */
function uniformNode(shape: Shape, dtype: DType): Node {
  if (dtype !== "f64") return ops.mul(cast(shr(bits(shape), 8), "f32"), 2 ** -24);
  const [high, low] = halves(bits([2, ...shape]));
  return ops.mul(ops.add(ops.mul(cast(shr(high, 5), "f64"), 2 ** 26), cast(shr(low, 6), "f64")), 2 ** -53);
}

/** The two halves of a first dimension of size 2. */
const halves = (x: Node): [Node, Node] =>
  [0, 1].map((i) => reshape(sliceAxis(x, 0, i, 1), x.shape.slice(1))) as [Node, Node];

/** Standard normal numbers by Box and Muller's method, one from each pair of uniforms. */
function normalNode(shape: Shape, dtype: DType): Node {
  const [a, b] = halves(uniformNode([2, ...shape], dtype));
  // 1 - u is never 0, whose logarithm is infinite.
  const radius = ops.sqrt(ops.mul(ops.log(ops.sub(1, a)), -2));
  return ops.mul(radius, ops.cos(ops.mul(b, 2 * Math.PI)));
}

function make(
  op: string,
  shape: Shape,
  options: TensorOptions,
  draw: (shape: Shape, dtype: DType) => Node,
): Tensor {
  if (shape.some((d) => !Number.isInteger(d) || d < 0))
    throw new ShapeError(`${op}: ${shapeText(shape)} is no shape`);
  const dtype = options.dtype ?? "f32";
  if (!isFloat(dtype)) throw new DTypeError(`${op}: draws floating-point numbers, not ${dtype}; use randint`);
  const value = withGrad(false, () => cast(draw([...shape], dtype), dtype));
  const result = new Tensor(value);
  // Numbers that several steps use are drawn once, not again in each.
  result.kept = !currentTrace().recording;
  return result.requiresGrad_(options.requiresGrad ?? false);
}

/** Uniform numbers in [0, 1). */
export const rand = (shape: Shape, options: TensorOptions = {}): Tensor =>
  make("rand", shape, options, uniformNode);
/** Standard normal numbers. */
export const randn = (shape: Shape, options: TensorOptions = {}): Tensor =>
  make("randn", shape, options, normalNode);
/** Uniform numbers in [low, high). */
export const uniform = (shape: Shape, low = 0, high = 1, options: TensorOptions = {}): Tensor =>
  make("uniform", shape, options, (s, d) => ops.add(ops.mul(uniformNode(s, d), high - low), low));
/** Normal numbers of a mean and standard deviation. */
export const normal = (shape: Shape, mean = 0, std = 1, options: TensorOptions = {}): Tensor =>
  make("normal", shape, options, (s, d) => ops.add(ops.mul(normalNode(s, d), std), mean));
/** Uniform numbers in another tensor's shape and dtype. */
export const randLike = (x: Tensor, options: TensorOptions = {}): Tensor =>
  rand(x.shape, { dtype: x.dtype, ...options });
/** Standard normal numbers in another tensor's shape and dtype. */
export const randnLike = (x: Tensor, options: TensorOptions = {}): Tensor =>
  randn(x.shape, { dtype: x.dtype, ...options });

/** Whole numbers in [low, high), i32 unless asked otherwise. */
export function randint(low: number, high: number, shape: Shape, options: TensorOptions = {}): Tensor {
  const count = high - low;
  if (!Number.isInteger(low) || !Number.isInteger(high) || count < 1 || count > 2 ** 31 - 1)
    throw new ArgumentError(
      `randint: from ${low} to below ${high}; it takes whole numbers, the first the smaller`,
    );
  for (const end of [low, high - 1]) storedNumber("randint", end, options.dtype ?? "i32");
  const value = ops.add(ops.remainder(shr(bits([...shape]), 1), count), low);
  return new Tensor(cast(value, options.dtype ?? "i32")).requiresGrad_(options.requiresGrad ?? false);
}

/** The numbers from 0 to n - 1 in random order, i32. */
export function randperm(n: number): Tensor {
  if (!Number.isInteger(n) || n < 0) throw new ArgumentError(`randperm: ${n} numbers`);
  return new Tensor(node("argsort", [bits([n])], { axis: 0, descending: false }));
}

/** 1 with each element's probability, else 0, in its dtype. */
export function bernoulli(probabilities: Tensor): Tensor {
  const p = probabilities.node;
  return make("bernoulli", p.shape, { dtype: p.dtype }, (s, d) =>
    cast(ops.lt(uniformNode(s, d), node("detach", [p], {})), d),
  );
}

/** Indices drawn in proportion to weights along the last dimension, i32. */
export function multinomial(
  weights: Tensor,
  count: number,
  { replacement = false }: { replacement?: boolean } = {},
): Tensor {
  const w = node("detach", [weights.node], {});
  const rank = w.shape.length;
  const classes = w.shape[rank - 1];
  if ((rank !== 1 && rank !== 2) || !isFloat(w.dtype))
    throw new ShapeError(
      `multinomial: weights are a floating-point vector or matrix, not ${w.dtype}${shapeText(w.shape)}`,
    );
  if (!Number.isInteger(count) || count < 1 || (!replacement && count > classes!))
    throw new ArgumentError(
      `multinomial: ${count} draws without replacement of ${classes}; draw fewer, or with replacement`,
    );
  // Without replacement: the largest of w / e for exponential e are drawn in that proportion, one after the other.
  const exponential = (): Node => ops.neg(ops.log(ops.sub(1, uniformNode(w.shape, "f32"))));
  if (!replacement) return new Tensor(topk(ops.div(w, exponential()), count, -1).indices);
  const levels = cumsum(w, -1);
  const total = sliceAxis(levels, rank - 1, classes! - 1, 1);
  const drawnAt = ops.mul(uniformNode([...w.shape.slice(0, -1), count], "f32"), total);
  const below = ops.le(
    reshape(levels, [...w.shape.slice(0, -1), 1, classes!]),
    reshape(drawnAt, [...drawnAt.shape, 1]),
  );
  return new Tensor(ops.minimum(sum(below, -1), classes! - 1));
}

/** What dropout multiplies by: 1 / (1 - p), or 0 with probability p. */
export function dropoutMask(shape: Shape, p: number, dtype: DType = "f32"): Tensor {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(`dropout: p is ${p}; it must be from 0 to 1`);
  const mask = make("dropout", shape, { dtype }, (s, d) => {
    const kept = cast(ops.ge(uniformNode(s, d), p), d);
    return p === 1 ? kept : ops.mul(kept, 1 / (1 - p));
  });
  mask.kept = false;
  return mask;
}
