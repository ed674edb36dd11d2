import { type DType, isFloat } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { type Shape, shapeText } from "../base/shape.ts";
import { addCheck, currentTrace } from "../engine/trace.ts";
import { cast, reshape, sliceAxis } from "../ir/build.ts";
import { type Node, node, withGrad } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
import type { TensorOptions } from "./create.ts";
import {
  bits,
  exponentialNode,
  type Generator,
  generator as generatorKind,
  normalNode,
  shr,
  uniformNode,
} from "./draws.ts";
import * as ops from "./operations/elementwise.ts";
import { storedNumber } from "./operations/number.ts";
import { broadcastShape } from "./operations/promote.ts";
import { any, cumsum, sum } from "./operations/reduction.ts";
import { topk } from "./operations/sorting.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/** Options of functions that draw. */
export interface RandomOptions extends TensorOptions {
  /** Whose numbers they are; the shared ones. */
  generator?: Generator | null;
}

function make(
  op: string,
  shape: Shape,
  options: RandomOptions,
  draw: (shape: Shape, dtype: DType, from?: Generator | null) => Node,
): Tensor {
  const dtype = options.dtype ?? "f32";
  if (!isFloat(dtype)) throw new DTypeError(`${op}: draws floating-point numbers, not ${dtype}; use randint`);
  const value = withGrad(false, () => cast(draw([...shape], dtype, options.generator), dtype));
  const result = new Tensor(value);
  // Numbers that several steps use are drawn once, not again in each.
  result.kept = !currentTrace().recording;
  return result.requiresGrad_(options.requiresGrad ?? false);
}

const drawn = { generator: generatorKind };
const tensorOptions = { dtype: kind.dtype, requiresGrad: kind.boolean, ...drawn };
const shaped = takes({ shape: kind.shape }, tensorOptions);
const another = takes({ x: kind.tensor }, tensorOptions);

/** Uniform numbers in [0, 1). */
export const rand = checked(
  "rand",
  shaped,
  (shape: Shape, options: RandomOptions = {}): Tensor => make("rand", shape, options, uniformNode),
);
/** Standard normal numbers. */
export const randn = checked(
  "randn",
  shaped,
  (shape: Shape, options: RandomOptions = {}): Tensor => make("randn", shape, options, normalNode),
);
/** Uniform numbers in [low, high). */
export const uniform = checked(
  "uniform",
  takes({ shape: kind.shape, low: kind.maybe(kind.number), high: kind.maybe(kind.number) }, tensorOptions),
  (shape: Shape, low = 0, high = 1, options: RandomOptions = {}): Tensor =>
    make("uniform", shape, options, (s, d, g) => ops.add(ops.mul(uniformNode(s, d, g), high - low), low)),
);
/** Normal numbers of a mean and standard deviation: in a shape, or one for each element of tensors of them. */
export const normal: {
  (shape: Shape, mean?: number, std?: number, options?: RandomOptions): Tensor;
  (mean: Tensor, std?: Tensor | number, options?: { generator?: Generator | null }): Tensor;
  (mean: number, std: Tensor, options?: { generator?: Generator | null }): Tensor;
} = (first: Shape | Tensor | number, second?: Tensor | number, ...rest: unknown[]): Tensor =>
  first instanceof Tensor || second instanceof Tensor
    ? normalOfEach(first as Tensor | number, second, ...(rest as []))
    : normalIn(first as Shape, second, ...(rest as []));

const normalIn = checked(
  "normal",
  takes(
    { shape: kind.shape, mean: kind.maybe(kind.number), std: kind.maybe(kind.nonNegative) },
    tensorOptions,
  ),
  (shape: Shape, mean = 0, std = 1, options: RandomOptions = {}): Tensor =>
    make("normal", shape, options, (s, d, g) => ops.add(ops.mul(normalNode(s, d, g), std), mean)),
);

const normalOfEach = checked(
  "normal",
  takes({ mean: kind.operand, std: kind.maybe(kind.operand) }, drawn),
  (
    mean: Tensor | number,
    std: Tensor | number = 1,
    { generator }: { generator?: Generator | null } = {},
  ): Tensor => {
    const [m, s] = [mean, std].map((x) => (x instanceof Tensor ? node("detach", [x.node], {}) : x)) as [
      Node | number,
      Node | number,
    ];
    if (typeof s === "number" ? !(s >= 0) : false)
      throw new ArgumentError(`normal: the standard deviation is ${s}; it is from 0 on`);
    if (typeof s === "object")
      addCheck(
        cast(any(ops.lt(s, 0)), "i32"),
        () => new ArgumentError("normal: a standard deviation is below 0; each is from 0 on"),
      );
    const dtype = (mean instanceof Tensor ? mean : (std as Tensor)).dtype;
    const shape = broadcastShape([m, s], "normal");
    return make("normal", shape, { dtype, generator: generator ?? null }, (at, d, g) =>
      ops.add(ops.mul(normalNode(at, d, g), s), m),
    );
  },
);

/** Uniform numbers in another tensor's shape and dtype. */
export const randLike = checked(
  "randLike",
  another,
  (x: Tensor, options: RandomOptions = {}): Tensor => rand(x.shape, { dtype: x.dtype, ...options }),
);
/** Standard normal numbers in another tensor's shape and dtype. */
export const randnLike = checked(
  "randnLike",
  another,
  (x: Tensor, options: RandomOptions = {}): Tensor => randn(x.shape, { dtype: x.dtype, ...options }),
);

/** Whole numbers in [low, high), i32 unless asked otherwise. */
export const randint = checked(
  "randint",
  takes({ low: kind.number, high: kind.number, shape: kind.shape }, tensorOptions),
  randintOf,
);

function randintOf(low: number, high: number, shape: Shape, options: RandomOptions = {}): Tensor {
  const count = high - low;
  if (!Number.isInteger(low) || !Number.isInteger(high) || count < 1 || count > 2 ** 31 - 1)
    throw new ArgumentError(
      `randint: from ${low} to below ${high}; it takes whole numbers, the first the smaller`,
    );
  for (const end of [low, high - 1]) storedNumber("randint", end, options.dtype ?? "i32");
  const value = ops.add(ops.remainder(shr(bits([...shape], options.generator), 1), count), low);
  return new Tensor(cast(value, options.dtype ?? "i32")).requiresGrad_(options.requiresGrad ?? false);
}

/** Whole numbers in [low, high), in another tensor's shape and dtype. */
export const randintLike = checked(
  "randintLike",
  takes({ x: kind.tensor, low: kind.number, high: kind.number }, tensorOptions),
  (x: Tensor, low: number, high: number, options: RandomOptions = {}): Tensor =>
    randintOf(low, high, x.shape, { dtype: x.dtype, ...options }),
);

/** The numbers from 0 to n - 1 in random order, i32. */
export const randperm = checked(
  "randperm",
  takes({ n: { ...kind.size, error: ArgumentError } }, drawn),
  (n: number, { generator }: { generator?: Generator | null } = {}): Tensor =>
    new Tensor(node("argsort", [bits([n], generator)], { axis: 0, descending: false })),
);

/** 1 with each element's probability, else 0, in its dtype. */
export const bernoulli = checked("bernoulli", takes({ probabilities: kind.tensor }, drawn), bernoulliOf);

function bernoulliOf(
  probabilities: Tensor,
  { generator = null }: { generator?: Generator | null } = {},
): Tensor {
  const p = probabilities.node;
  if (isFloat(p.dtype)) checkProbabilities("bernoulli", p);
  return make("bernoulli", p.shape, { dtype: p.dtype, generator }, (s, d, g) =>
    cast(ops.lt(uniformNode(s, d, g), node("detach", [p], {})), d),
  );
}

/** Has probabilities checked before the next step writes anything. */
function checkProbabilities(op: string, p: Node): void {
  addCheck(
    cast(any(ops.not(ops.and(ops.ge(p, 0), ops.le(p, 1)))), "i32"),
    () => new ArgumentError(`${op}: a probability is not from 0 to 1; clamp() or sigmoid() them first`),
  );
}

/** Indices drawn in proportion to weights along the last dimension, i32. */
export const multinomial = checked(
  "multinomial",
  takes({ weights: kind.tensor, count: kind.number }, { replacement: kind.boolean, ...drawn }),
  multinomialOf,
);

function multinomialOf(
  weights: Tensor,
  count: number,
  { replacement = false, generator = null }: { replacement?: boolean; generator?: Generator | null } = {},
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
  if (!replacement)
    return new Tensor(topk(ops.div(w, exponentialNode(w.shape, "f32", generator)), count, -1).indices);
  const levels = cumsum(w, -1);
  const total = sliceAxis(levels, rank - 1, classes! - 1, 1);
  const drawnAt = ops.mul(uniformNode([...w.shape.slice(0, -1), count], "f32", generator), total);
  const below = ops.le(
    reshape(levels, [...w.shape.slice(0, -1), 1, classes!]),
    reshape(drawnAt, [...drawnAt.shape, 1]),
  );
  return new Tensor(ops.minimum(sum(below, -1), classes! - 1));
}

/** What dropout multiplies by: 1 / (1 - p), or 0 with probability p. */
export const dropoutMask = checked(
  "dropoutMask",
  takes({ shape: kind.shape, p: kind.number, dtype: kind.maybe(kind.dtype) }),
  dropoutMaskOf,
);

function dropoutMaskOf(shape: Shape, p: number, dtype: DType = "f32"): Tensor {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(`dropout: p is ${p}; it must be from 0 to 1`);
  const mask = make("dropout", shape, { dtype }, (s, d) => {
    const kept = cast(ops.ge(uniformNode(s, d), p), d);
    return p === 1 ? kept : ops.mul(kept, 1 / (1 - p));
  });
  mask.kept = false;
  return mask;
}
