import { allocate, dtypes, isFloat, readElement, type TypedArray } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { contiguousStrides, type Shape, sizeOf } from "../base/shape.ts";
import { threefry2x32 } from "../base/threefry.ts";
import type { Stored } from "./collective.ts";
import { evaluateAttention, evaluateAttentionGradient } from "./evaluate-attention.ts";
import { offsetsOf } from "./evaluate-movement.ts";
import type { Node } from "./node.ts";
import { sumInOrder } from "./sum-in-order.ts";

/** Offsets of the first element of every line along one axis, and the step between a line's elements. */
function lines(shape: Shape, axis: number): { firsts: Int32Array; stride: number; length: number } {
  const strides = contiguousStrides(shape);
  const others = (values: readonly number[]) => values.filter((_, i) => i !== axis);
  return { firsts: offsetsOf(others(shape), others(strides)), stride: strides[axis]!, length: shape[axis]! };
}

/** For every element of `indices`, the offset in `data` of its line along `axis`. */
function lineOffsets(
  data: Node,
  indices: Node,
  axis: number,
): { firsts: Int32Array; stride: number; length: number } {
  const strides = contiguousStrides(data.shape);
  return {
    firsts: offsetsOf(
      indices.shape,
      strides.map((s, i) => (i === axis ? 0 : s)),
    ),
    stride: strides[axis]!,
    length: data.shape[axis]!,
  };
}

function onlyInPlans({ op }: Node): never {
  throw new InternalError(`${op}: kernels are made of it, and it has no value by itself`);
}

/** Values of the primitives that index, sort, scan or draw. */
export const specialRules = {
  /** An index out of range reads the nearest element; checks report it before anything is written. */
  gather: (n: Node<"gather">, [data, indices]: readonly TypedArray[]): TypedArray => {
    const { firsts, stride, length } = lineOffsets(n.src[0]!, n.src[1]!, n.attrs.axis);
    const out = allocate(n.dtype, sizeOf(n.shape));
    if (length === 0) return out;
    for (let i = 0; i < out.length; i++) {
      const index = Math.min(length - 1, Math.max(0, indices![i]!));
      out[i] = data![firsts[i]! + index * stride]!;
    }
    return out;
  },

  /** An update whose index is out of range is dropped. */
  scatterAdd: (n: Node<"scatterAdd">, [data, indices, updates]: readonly TypedArray[]): TypedArray => {
    const { firsts, stride, length } = lineOffsets(n.src[0]!, n.src[1]!, n.attrs.axis);
    const totals = Float64Array.from(data!);
    const whole = !isFloat(n.dtype);
    for (let i = 0; i < updates!.length; i++) {
      const index = indices![i]!;
      if (index < 0 || index >= length) continue;
      const at = firsts[i]! + index * stride;
      const total = totals[at]! + updates![i]!;
      totals[at] = n.dtype === "bool" ? Number(total !== 0) : whole ? total | 0 : total;
    }
    const out = allocate(n.dtype, totals.length);
    out.set(totals);
    return out;
  },

  /** An update whose index is out of range is dropped. Moves raw elements, storage dtypes too. */
  scatter: (n: Node<"scatter">, [data, indices, updates]: readonly TypedArray[]): TypedArray => {
    const { firsts, stride, length } = lineOffsets(n.src[0]!, n.src[1]!, n.attrs.axis);
    const out = data!.slice();
    for (let i = 0; i < updates!.length; i++) {
      const index = indices![i]!;
      if (index >= 0 && index < length) out[firsts[i]! + index * stride] = updates![i]!;
    }
    return out;
  },

  /** NaN counts as the largest, as in PyTorch: last where ascending, first where descending. */
  argsort: (n: Node<"argsort">, [x]: readonly TypedArray[]): TypedArray => {
    const { dtype } = n.src[0]!;
    const { firsts, stride, length } = lines(n.shape, n.attrs.axis);
    const out = new Int32Array(sizeOf(n.shape));
    const order = Array.from({ length }, (_, i) => i);
    for (const first of firsts) {
      const at = (i: number): number => readElement(dtype, x!, first + i * stride);
      const ascending = (i: number, j: number): number => compare(at(i), at(j));
      const sorted = order.toSorted(n.attrs.descending ? (i, j) => ascending(j, i) : ascending);
      for (let i = 0; i < length; i++) out[first + i * stride] = sorted[i]!;
    }
    return out;
  },

  cumsum: (n: Node<"cumsum">, [x]: readonly TypedArray[]): TypedArray => {
    const { firsts, stride, length } = lines(n.shape, n.attrs.axis);
    const out = allocate(n.dtype, x!.length);
    const whole = !isFloat(n.dtype);
    for (const first of firsts) {
      let total = 0;
      for (let i = 0; i < length; i++) {
        const at = first + i * stride;
        total = whole ? (total + x![at]!) | 0 : total + x![at]!;
        out[at] = total;
      }
    }
    return out;
  },

  attention: evaluateAttention,
  attentionGradient: evaluateAttentionGradient,

  allReduce: (n: Node<"allReduce">, parts: readonly TypedArray[]): TypedArray => {
    const { by } = n.attrs;
    const all = Array.from({ length: by.size }, (_, rank) =>
      parts.map((part) => (rank === by.rank ? part : allocate(n.dtype, part.length))),
    );
    const stored = (part: TypedArray): Stored => ({
      length: part.byteLength,
      address: null,
      bytes: () => new Uint8Array(part.buffer, part.byteOffset, part.byteLength),
    });
    const takes = all.map((of) => of.map(stored));
    const unit = dtypes[n.dtype].bytes;
    by.begin({
      parts: takes[by.rank]!,
      unit,
      shares: false,
      takes,
      bind: null,
      updates: [],
      share: null,
    }).finish();
    const out = allocate(n.dtype, sizeOf(n.shape));
    let at = 0;
    for (const [i, { length }] of parts.entries()) {
      const slots = all.map((of) => of[i]!);
      sumInOrder(slots, out.subarray(at, at + length), n.dtype);
      at += length;
    }
    return out;
  },

  exchange: onlyInPlans,
  received: onlyInPlans,

  /** Element e is word e mod 2 of the block that counter (⌊e / 2⌋, 0) gives. */
  randomBits: (n: Node<"randomBits">, [key]: readonly TypedArray[]): TypedArray => {
    const out = new Int32Array(sizeOf(n.shape));
    for (let e = 0; e < out.length; e += 2) {
      const [first, second] = threefry2x32(key![0]!, key![1]!, e / 2, 0);
      out[e] = first;
      if (e + 1 < out.length) out[e + 1] = second;
    }
    return out;
  },
};

function compare(a: number, b: number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1;
  if (Number.isNaN(b)) return -1;
  return a < b ? -1 : a > b ? 1 : 0;
}
