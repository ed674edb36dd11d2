import { allocate, type TypedArray, writeElement } from "../base/dtype.ts";
import { contiguousStrides, type Shape, sizeOf } from "../base/shape.ts";
import type { Node } from "./node.ts";

/** start + Σ stride · index, for every index of a shape in row-major order. */
export function offsetsOf(shape: Shape, strides: readonly number[], start = 0): Int32Array {
  const out = new Int32Array(sizeOf(shape));
  if (out.length === 0) return out;
  out[0] = start;
  // Filled axis by axis from the innermost: what is there already repeats, further along.
  let filled = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    for (let i = 1; i < shape[axis]!; i++)
      for (let j = 0; j < filled; j++) out[i * filled + j] = out[j]! + i * strides[axis]!;
    filled *= shape[axis]!;
  }
  return out;
}

/** The elements of `x` at some offsets, in a new array of `n`'s dtype. */
function pick(n: Node, x: TypedArray, offsets: Int32Array): TypedArray {
  const out = allocate(n.dtype, offsets.length);
  for (let i = 0; i < out.length; i++) out[i] = x[offsets[i]!]!;
  return out;
}

/** Stores the elements of `x` at some offsets of `out`. */
function place(out: TypedArray, x: TypedArray, offsets: Int32Array): void {
  for (let i = 0; i < x.length; i++) out[offsets[i]!] = x[i]!;
}

/** Values of the movement primitives. They move raw elements, storage dtypes too. */
export const movementRules = {
  reshape: (_: Node<"reshape">, [x]: readonly TypedArray[]): TypedArray => x!,

  barrier: (_: Node<"barrier">, [x]: readonly TypedArray[]): TypedArray => x!,

  permute: (n: Node<"permute">, [x]: readonly TypedArray[]): TypedArray => {
    const strides = contiguousStrides(n.src[0]!.shape);
    return pick(
      n,
      x!,
      offsetsOf(
        n.shape,
        n.attrs.axes.map((a) => strides[a]!),
      ),
    );
  },

  expand: (n: Node<"expand">, [x]: readonly TypedArray[]): TypedArray => {
    const { shape } = n.src[0]!;
    const strides = contiguousStrides(shape);
    return pick(
      n,
      x!,
      offsetsOf(
        n.shape,
        strides.map((s, i) => (shape[i] === 1 ? 0 : s)),
      ),
    );
  },

  slice: (n: Node<"slice">, [x]: readonly TypedArray[]): TypedArray => {
    const strides = contiguousStrides(n.src[0]!.shape);
    const { start, step } = n.attrs;
    const first = strides.reduce((sum, s, i) => sum + s * start[i]!, 0);
    return pick(
      n,
      x!,
      offsetsOf(
        n.shape,
        strides.map((s, i) => s * step[i]!),
        first,
      ),
    );
  },

  pad: (n: Node<"pad">, [x]: readonly TypedArray[]): TypedArray => {
    const out = allocate(n.dtype, sizeOf(n.shape));
    for (let i = 0; i < out.length; i++) writeElement(n.dtype, out, i, n.attrs.value);
    const strides = contiguousStrides(n.shape);
    const first = strides.reduce((sum, s, i) => sum + s * n.attrs.low[i]!, 0);
    place(out, x!, offsetsOf(n.src[0]!.shape, strides, first));
    return out;
  },

  concat: (n: Node<"concat">, src: readonly TypedArray[]): TypedArray => {
    const out = allocate(n.dtype, sizeOf(n.shape));
    const strides = contiguousStrides(n.shape);
    let first = 0;
    n.src.forEach((s, i) => {
      place(out, src[i]!, offsetsOf(s.shape, strides, first));
      first += s.shape[n.attrs.axis]! * strides[n.attrs.axis]!;
    });
    return out;
  },
};
