import { allocate, type DType, type TypedArray, writeElement } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { flag, refuseOptions } from "../base/options.ts";
import { type Shape, sameShape, shapeText, sizeOf } from "../base/shape.ts";
import { currentTrace, hostNode } from "../engine/trace.ts";
import { dimOf } from "../tensor/operations/dims.ts";
import { pad, stack } from "../tensor/operations/movement.ts";
import { storedNumber } from "../tensor/operations/number.ts";
import { Tensor } from "../tensor/tensor.ts";
import { rawElements } from "./dataset.ts";

/** What is put where there is nothing, and on which side. */
export interface PadOptions {
  /** Default 0; what the dtype does not hold throws. */
  paddingValue?: number;
  /** Default "right": behind what there is. */
  paddingSide?: "right" | "left";
}

/** Options of `padSequence`. */
export interface PadSequenceOptions extends PadOptions {
  /** Whether the batch is the first dimension, [B, T, …], and not the second, [T, B, …]; default false, as in PyTorch. */
  batchFirst?: boolean;
}

/**
 * Sequences of different lengths, [length, …], as one tensor, padded to the longest: `torch.nn.utils.rnn.pad_sequence`.
 *
 * Takes tensors of one dtype that agree in all dimensions but the first. Gives [T, B, …], or [B, T, …] with
 * `batchFirst`. Throws `ShapeError` where shapes do not agree, `DTypeError` where dtypes differ. A gradient flows
 * through. Example: `padSequence([tensor([1, 2]), tensor([3])], { batchFirst: true })` is [[1, 2], [3, 0]].
 */
export function padSequence(sequences: Iterable<Tensor>, options: PadSequenceOptions = {}): Tensor {
  const given = [...sequences];
  refuseOptions("padSequence", options, { paddingValue: null, paddingSide: null, batchFirst: flag });
  const { paddingValue, left } = checkedOptions("padSequence", options);
  const [first] = given;
  if (first === undefined) throw new ArgumentError("padSequence: no sequences; give at least one");
  for (const t of given) {
    if (!(t instanceof Tensor))
      throw new ArgumentError(`padSequence: takes tensors, not ${typeof t}; make one of it with tensor(…)`);
    if (t.ndim === 0 || !sameShape(t.shape.slice(1), first.shape.slice(1)))
      throw new ShapeError(
        `padSequence: sequences of shapes ${given.map(({ shape }) => shapeText(shape)).join(", ")}; ` +
          "each has a first dimension, its length, and all others are the same",
      );
    if (t.dtype !== first.dtype)
      throw new DTypeError(
        `padSequence: sequences of ${first.dtype} and ${t.dtype}; cast them to one dtype with to()`,
      );
  }
  const { dtype } = first;
  const fill = paddingIn("padSequence", paddingValue, dtype);
  const longest = Math.max(...given.map(({ shape }) => shape[0]!));
  const item = first.shape.slice(1);
  const { batchFirst = false } = options;
  const count = given.length;
  if (isGraph(given)) {
    const padded = given.map(({ node, shape }) =>
      pad(node, pairs(node.shape, 0, longest - shape[0]!, left), paddingValue),
    );
    return new Tensor(stack(padded, batchFirst ? 0 : 1));
  }
  const size = sizeOf(item);
  const out = filled(dtype, count * longest * size, fill);
  for (const [b, sequence] of given.entries()) {
    const data = rawElements(sequence);
    const start = left ? longest - sequence.shape[0]! : 0;
    if (batchFirst) out.set(data, (b * longest + start) * size);
    else
      for (let t = 0; t < sequence.shape[0]!; t++)
        out.set(data.subarray(t * size, (t + 1) * size), ((start + t) * count + b) * size);
  }
  return new Tensor(hostNode(out, dtype, [...(batchFirst ? [count, longest] : [longest, count]), ...item]));
}

/**
 * The sequences in a batch that is padded at the right, without what they are padded with: what `padSequence` does, undone.
 *
 * Takes [T, B, …], or [B, T, …] with `batchFirst`, and the lengths of the sequences, a list or a vector of integers, which
 * is read. Gives a tensor of [length, …] for each. A gradient flows through.
 * Throws `ShapeError` where there are not as many lengths as sequences, or a length that is not there.
 * Source: `torch.nn.utils.rnn.unpad_sequence`. Example: `unpadSequence(batch, [2, 1], { batchFirst: true })`.
 */
export function unpadSequence(
  padded: Tensor,
  lengths: Tensor | readonly number[],
  options: { batchFirst?: boolean } = {},
): Tensor[] {
  refuseOptions("unpadSequence", options, { batchFirst: flag });
  const { batchFirst = false } = options;
  if (!(padded instanceof Tensor) || padded.ndim < 2)
    throw new ShapeError("unpadSequence: takes a batch, [T, B, …]; give a tensor of two dimensions or more");
  const counts = lengths instanceof Tensor ? [...lengths.dataSync()] : [...lengths];
  const [batch, time] = batchFirst ? [0, 1] : [1, 0];
  if (counts.length !== padded.shape[batch])
    throw new ShapeError(
      `unpadSequence: ${counts.length} lengths for the ${padded.shape[batch]} sequences of shape ${shapeText(padded.shape)}`,
    );
  return counts.map((count, i) => {
    if (!Number.isInteger(count) || count < 0 || count > padded.shape[time]!)
      throw new ShapeError(
        `unpadSequence: a length of ${count} in a batch of shape ${shapeText(padded.shape)}; it is from 0 to ${padded.shape[time]}`,
      );
    return padded.select(batch, i).narrow(0, 0, count);
  });
}

/**
 * A tensor whose size along a dimension (`dim`, by default the last) is padded to the next multiple of a number, so that
 * batches of many lengths have few shapes, each of which a step is recorded for once. One that fits is given as it is.
 *
 * Throws `ArgumentError` for a multiple that is no whole number of at least 1. A gradient flows through.
 * Example: `padToMultiple(ids, 8)` makes [4, 13] of token ids [4, 16].
 */
export function padToMultiple(
  x: Tensor,
  multiple: number,
  options: PadOptions & { dim?: number } = {},
): Tensor {
  refuseOptions("padToMultiple", options, { paddingValue: null, paddingSide: null, dim: null });
  const { dim = -1 } = options;
  const { paddingValue, left } = checkedOptions("padToMultiple", options);
  if (!(x instanceof Tensor))
    throw new ArgumentError(`padToMultiple: takes a tensor, not ${typeof x}; make one of it with tensor(…)`);
  if (!Number.isInteger(multiple) || multiple < 1)
    throw new ArgumentError(
      `padToMultiple: the multiple is ${multiple}; it must be a whole number of at least 1`,
    );
  const { dtype, shape } = x;
  if (shape.length === 0) throw new ShapeError("padToMultiple: a scalar has no dimension to be padded");
  const axis = dimOf("padToMultiple", dim, shape.length, shape);
  const size = shape[axis]!;
  const extra = (multiple - (size % multiple)) % multiple;
  const fill = paddingIn("padToMultiple", paddingValue, dtype);
  if (extra === 0) return x;
  if (isGraph([x])) return new Tensor(pad(x.node, pairs(shape, axis, extra, left), paddingValue));
  const next = shape.map((n, i) => (i === axis ? n + extra : n));
  const [line, wide] = [sizeOf(shape.slice(axis)), sizeOf(next.slice(axis))];
  const out = filled(dtype, sizeOf(next), fill);
  const data = rawElements(x);
  for (let o = 0; o * line < data.length; o++)
    out.set(data.subarray(o * line, (o + 1) * line), o * wide + (left ? wide - line : 0));
  return new Tensor(hostNode(out, dtype, next));
}

function checkedOptions(op: string, { paddingValue = 0, paddingSide = "right" }: PadOptions) {
  if (typeof paddingValue !== "number")
    throw new ArgumentError(`${op}: paddingValue is ${String(paddingValue)}; it must be a number`);
  if (paddingSide !== "right" && paddingSide !== "left")
    throw new ArgumentError(`${op}: paddingSide is ${String(paddingSide)}; it is "right" or "left"`);
  return { paddingValue, left: paddingSide === "left" };
}

/**
 * Whether what is made of tensors has to be a graph: a gradient goes through, or a step is recorded. Data of a loader is
 * put together here instead, as each batch with lengths of its own would be another plan.
 */
const isGraph = (tensors: readonly Tensor[]): boolean =>
  currentTrace().recording || tensors.some((t) => t.requiresGrad);

/** What `pad` takes to lengthen one dimension. */
const pairs = (shape: Shape, axis: number, extra: number, left: boolean): number[] => {
  const padding = new Array<number>(2 * (shape.length - axis)).fill(0);
  padding[2 * (shape.length - 1 - axis) + (left ? 0 : 1)] = extra;
  return padding;
};

function filled(dtype: DType, length: number, value: number): TypedArray {
  const out = allocate(dtype, length);
  if (value === 0 || length === 0) return out;
  writeElement(dtype, out, 0, value);
  return out.fill(out[0]!);
}

/** What is padded with, as the dtype holds it: a fraction among integers is refused, and not cut off. */
function paddingIn(op: string, value: number, dtype: DType): number {
  const fill = storedNumber(op, value, dtype);
  if (fill !== value && !Number.isNaN(value))
    throw new ArgumentError(
      `${op}: paddingValue is ${value}, which ${dtype} does not hold; give a whole number`,
    );
  return fill;
}
