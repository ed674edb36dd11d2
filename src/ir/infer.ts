import { type DType, isFloat } from "../base/dtype.ts";
import { DTypeError, InternalError, ShapeError } from "../base/errors.ts";
import { type Shape, sameShape, shapeText, sizeOf } from "../base/shape.ts";
import { inferAttention, inferAttentionGradient } from "./infer-attention.ts";
import { type Node, type Op, type OpAttrs, ops } from "./op.ts";

/** Shape and dtype of a result. */
export interface Inferred {
  readonly shape: Shape;
  readonly dtype: DType;
}

type Rule<K extends Op> = (src: readonly Node[], attrs: OpAttrs[K], op: Op) => Inferred;

/** What is like a node in shape and dtype: the node itself, as most of all that is inferred is. */
const like = (n: Node): Inferred => n;

function same(src: readonly Node[], op: Op): Node {
  const a = src[0]!;
  for (let i = 1; i < src.length; i++) {
    const b = src[i]!;
    if (!sameShape(a.shape, b.shape))
      throw new ShapeError(`${op}: operands have shapes ${src.map((s) => shapeText(s.shape)).join(" and ")}`);
    if (a.dtype !== b.dtype)
      throw new DTypeError(
        `${op}: operands are ${src.map((s) => s.dtype).join(" and ")}; cast one to the other`,
      );
  }
  return a;
}

const need = (ok: boolean, op: Op, src: readonly Node[], what: string): void => {
  if (!ok) throw new DTypeError(`${op}: takes ${what}, not ${src.map((s) => s.dtype).join(" and ")}`);
};

const float = (src: readonly Node[], _: unknown, op: Op): Inferred => {
  need(isFloat(src[0]!.dtype), op, src, "a floating-point tensor; cast it first");
  return like(src[0]!);
};
const numeric = (src: readonly Node[], _: unknown, op: Op): Inferred => {
  const a = same(src, op);
  need(a.dtype !== "bool", op, src, "numbers; cast the bool tensor first");
  return like(a);
};
const floats = (src: readonly Node[], _: unknown, op: Op): Inferred => {
  same(src, op);
  return float(src, _, op);
};
const compare = (src: readonly Node[], _: unknown, op: Op): Inferred => ({
  shape: same(src, op).shape,
  dtype: "bool",
});
const bits = (src: readonly Node[], _: unknown, op: Op): Inferred => {
  const a = same(src, op);
  need(!isFloat(a.dtype), op, src, "bool or integers");
  return like(a);
};
const axisOf = (axis: number, n: Node, op: Op): void => {
  if (!Number.isInteger(axis) || axis < 0 || axis >= n.shape.length)
    throw new ShapeError(`${op}: axis ${axis} of a tensor of shape ${shapeText(n.shape)}`);
};
const reduced = (src: readonly Node[], { axes }: { axes: readonly number[] }, op: Op): Inferred => {
  const n = src[0]!;
  for (let i = 0; i < axes.length; i++) {
    axisOf(axes[i]!, n, op);
    if (i > 0 && axes[i]! <= axes[i - 1]!) throw new InternalError(`${op}: axes ${axes} are not ascending`);
  }
  need(n.dtype !== "bool", op, src, "numbers; cast the bool tensor first");
  if (op === "maxReduce" || op === "minReduce")
    for (const a of axes)
      if (n.shape[a] === 0) throw new ShapeError(`${op}: axis ${a} of shape ${shapeText(n.shape)} is empty`);
  return { shape: n.shape.filter((_, i) => !axes.includes(i)), dtype: n.dtype };
};
const leaf = (_: readonly Node[], a: { shape: Shape; dtype: DType }): Inferred => ({
  shape: a.shape,
  dtype: a.dtype,
});
/** Throws where places along an axis are more than an i32 tells apart. */
const counted = (shape: Shape, axis: number, op: Op): Shape => {
  if (shape[axis]! > 2 ** 31)
    throw new ShapeError(
      `${op}: axis ${axis} of shape ${shapeText(shape)} has more than 2^31 places, and i32 counts no further; work on parts of it`,
    );
  return shape;
};
const agreeBut = (axis: number, a: Node, b: Node, op: Op): void => {
  axisOf(axis, a, op);
  if (a.shape.length !== b.shape.length || a.shape.some((d, i) => i !== axis && d !== b.shape[i]))
    throw new ShapeError(
      `${op}: shapes ${shapeText(a.shape)} and ${shapeText(b.shape)} must agree but for axis ${axis}`,
    );
};

const scattered = (src: readonly Node[], { axis }: { axis: number }, op: Op): Inferred => {
  const [data, indices, updates] = src as [Node, Node, Node];
  agreeBut(axis, data, indices, op);
  need(
    indices.dtype === "i32" && data.dtype === updates.dtype,
    op,
    src,
    "i32 indices and updates of the data's dtype",
  );
  if (!sameShape(indices.shape, updates.shape))
    throw new ShapeError(
      `${op}: indices ${shapeText(indices.shape)} and updates ${shapeText(updates.shape)} differ`,
    );
  return like(data);
};

/** Throws where two axes that a product runs over together differ. */
function pair(a: Node, b: Node, left: number, right: number): void {
  axisOf(left, a, "dot");
  axisOf(right, b, "dot");
  if (a.shape[left] !== b.shape[right])
    throw new ShapeError(
      `dot: ${shapeText(a.shape)} and ${shapeText(b.shape)}: axis ${left} and axis ${right} differ (${a.shape[left]} and ${b.shape[right]})`,
    );
}

/** Adds the sizes of a factor's axes that are the product's own. */
function pushFree(shape: number[], n: Node, batch: readonly number[], contract: readonly number[]): void {
  for (let i = 0; i < n.shape.length; i++)
    if (!batch.includes(i) && !contract.includes(i)) shape.push(n.shape[i]!);
}

const rules: { readonly [K in Op]: Rule<K> } = {
  input: leaf,
  constant: (_, a) => ({ shape: [], dtype: a.dtype }),
  hostScalar: (_, a) => ({ shape: [], dtype: a.dtype }),
  iota: (_, { shape, axis, dtype }, op) => ({ shape: counted(shape, axis, op), dtype }),
  variable: ([x]) => like(x!),
  detach: ([x]) => like(x!),
  stated: ([x]) => like(x!),
  recomputed: ([x]) => like(x!),
  custom: () => ({ shape: [0], dtype: "f32" }),
  customResult: ([x]) => like(x!),
  neg: numeric,
  abs: numeric,
  sign: numeric,
  floor: float,
  ceil: float,
  round: float,
  sqrt: float,
  exp: float,
  log: float,
  expm1: float,
  log1p: float,
  sin: float,
  cos: float,
  tanh: float,
  sigmoid: float,
  erf: float,
  erfc: float,
  relu: numeric,
  not: (src, _, op) => {
    need(src[0]!.dtype === "bool", op, src, "a bool tensor");
    return like(src[0]!);
  },
  cast: ([x], a) => ({ shape: x!.shape, dtype: a.dtype }),
  add: numeric,
  sub: numeric,
  mul: numeric,
  div: floats,
  pow: numeric,
  max: numeric,
  min: numeric,
  remainder: numeric,
  eq: compare,
  lt: compare,
  le: compare,
  and: bits,
  or: bits,
  xor: bits,
  shl: bits,
  shr: bits,
  where: (src, _, op) => {
    need(src[0]!.dtype === "bool", op, src, "a bool condition first");
    same([src[1]!, src[2]!], op);
    if (!sameShape(src[0]!.shape, src[1]!.shape))
      throw new ShapeError(
        `where: condition ${shapeText(src[0]!.shape)} and values ${shapeText(src[1]!.shape)} differ`,
      );
    return like(src[1]!);
  },
  fma: floats,
  sum: reduced,
  maxReduce: reduced,
  minReduce: reduced,
  prod: reduced,
  argmax: (src, { axis }, op) => {
    const { shape } = reduced(src, { axes: [axis] }, op);
    counted(src[0]!.shape, axis, op);
    return { shape, dtype: "i32" };
  },
  reshape: ([x], { shape }) => {
    if (sizeOf(shape) !== sizeOf(x!.shape))
      throw new ShapeError(
        `reshape: ${shapeText(x!.shape)} has ${sizeOf(x!.shape)} elements, ${shapeText(shape)} has ${sizeOf(shape)}`,
      );
    return { shape, dtype: x!.dtype };
  },
  permute: ([x], { axes }) => {
    const rank = x!.shape.length;
    if (axes.length !== rank || new Set(axes).size !== rank || axes.some((a) => a < 0 || a >= rank))
      throw new ShapeError(`permute: axes [${axes}] do not reorder shape ${shapeText(x!.shape)}`);
    return { shape: axes.map((a) => x!.shape[a]!), dtype: x!.dtype };
  },
  expand: ([x], { shape }) => {
    if (shape.length !== x!.shape.length || x!.shape.some((d, i) => d !== 1 && d !== shape[i]))
      throw new ShapeError(`expand: ${shapeText(x!.shape)} does not broadcast to ${shapeText(shape)}`);
    return { shape, dtype: x!.dtype };
  },
  slice: ([x], { start, size, step }) => {
    const s = x!.shape;
    const fits = s.every((d, i) => {
      const last = start[i]! + (size[i]! - 1) * step[i]!;
      return size[i] === 0 || (start[i]! >= 0 && start[i]! < d && last >= 0 && last < d && step[i] !== 0);
    });
    if (start.length !== s.length || size.length !== s.length || step.length !== s.length || !fits)
      throw new ShapeError(
        `slice: start [${start}] size [${size}] step [${step}] does not fit shape ${shapeText(s)}`,
      );
    return { shape: size, dtype: x!.dtype };
  },
  pad: ([x], { low, high }) => {
    if (
      low.length !== x!.shape.length ||
      high.length !== x!.shape.length ||
      [...low, ...high].some((p) => p < 0)
    )
      throw new ShapeError(`pad: low [${low}] high [${high}] for shape ${shapeText(x!.shape)}`);
    return { shape: x!.shape.map((d, i) => d + low[i]! + high[i]!), dtype: x!.dtype };
  },
  concat: (src, { axis }, op) => {
    if (src.length === 0) throw new ShapeError("concat: needs at least one tensor");
    const a = src[0]!;
    for (const b of src) {
      agreeBut(axis, a, b, op);
      need(a.dtype === b.dtype, op, src, "tensors of one dtype");
    }
    return {
      shape: a.shape.map((d, i) => (i === axis ? src.reduce((n, b) => n + b.shape[axis]!, 0) : d)),
      dtype: a.dtype,
    };
  },
  barrier: ([x]) => like(x!),
  dot: (src, axes, op) => {
    const [a, b] = src as [Node, Node];
    need(a.dtype === b.dtype && a.dtype !== "bool", op, src, "two tensors of one numeric dtype");
    const { leftBatch, rightBatch, leftContract, rightContract } = axes;
    for (let i = 0; i < leftBatch.length; i++) pair(a, b, leftBatch[i]!, rightBatch[i]!);
    for (let i = 0; i < leftContract.length; i++) pair(a, b, leftContract[i]!, rightContract[i]!);
    const shape = leftBatch.map((l) => a.shape[l]!);
    pushFree(shape, a, leftBatch, leftContract);
    pushFree(shape, b, rightBatch, rightContract);
    return { shape, dtype: a.dtype };
  },
  gather: (src, { axis }, op) => {
    agreeBut(axis, src[0]!, src[1]!, op);
    need(src[1]!.dtype === "i32", op, src, "i32 indices");
    return { shape: src[1]!.shape, dtype: src[0]!.dtype };
  },
  scatterAdd: scattered,
  scatter: scattered,
  argsort: ([x], { axis }, op) => {
    axisOf(axis, x!, op);
    return { shape: counted(x!.shape, axis, op), dtype: "i32" };
  },
  cumsum: (src, { axis }, op) => {
    axisOf(axis, src[0]!, op);
    return numeric(src, undefined, op);
  },
  attention: inferAttention,
  attentionGradient: inferAttentionGradient,
  allReduce: (src, _, op) => {
    const [{ dtype } = { dtype: "bool" as const }] = src;
    need(dtype !== "bool" && src.every((s) => s.dtype === dtype), op, src, "tensors of one numeric dtype");
    return { shape: [src.reduce((sum, s) => sum + sizeOf(s.shape), 0)], dtype };
  },
  exchange: (src) => ({ shape: [0], dtype: src[0]!.dtype }),
  received: (src, { shape }) => ({ shape, dtype: src[0]!.dtype }),
  randomBits: (src, { shape }, op) => {
    need(src[0]!.dtype === "i32" && sameShape(src[0]!.shape, [2]), op, src, "a key of shape [2], i32");
    return { shape, dtype: "i32" };
  },
};

/** Shape and dtype of an operation's result; throws `ShapeError` or `DTypeError` with the actual values. */
export function infer<K extends Op>(op: K, src: readonly Node[], attrs: OpAttrs[K]): Inferred {
  const { operands } = ops[op];
  if (operands >= 0 && src.length !== operands)
    throw new InternalError(`${op}: takes ${operands} operands, got ${src.length}`);
  const inferred = (rules[op] as Rule<K>)(src, attrs, op);
  // An operand's own shape has been looked at.
  if (src.length === 0 || inferred.shape !== src[0]!.shape) refuseTooMany(op, src, inferred.shape);
  return inferred;
}

/** Elements that no value reaches: arrays of JavaScript, random counters and tasks of kernels count them in 32 bits. */
const tooMany = 2 ** 32;

/** Throws `ShapeError` for a value of more elements than there can be. */
export function refuseTooMany(op: Op, src: readonly Node[], shape: Shape): void {
  const elements = sizeOf(shape);
  if (elements < tooMany) return;
  const from = src.length === 0 ? "" : ` of ${src.map((s) => shapeText(s.shape)).join(" and ")}`;
  throw new ShapeError(
    `${op}${from}: the result would have shape ${shapeText(shape)}, which is ${elements} elements; a value has fewer than ` +
      "2^32. Work on parts of it, such as smaller batches or the pieces that chunk() and split() give.",
  );
}
