import { allocate, isFloat, type TypedArray } from "../base/dtype.ts";
import { contiguousStrides, sizeOf } from "../base/shape.ts";
import { offsetsOf } from "./evaluate-movement.ts";
import type { Node } from "./node.ts";

/** A fold's first value and step, for floats (in f64) or integers (wrapping). */
interface Fold {
  readonly from: number;
  readonly step: (a: number, b: number) => number;
}

// -0 is what adds nothing to anything: a sum over one element keeps its sign (over none it is +0, see `fold`).
const addFloats: Fold = { from: -0, step: (a, b) => a + b };
const addIntegers: Fold = { from: 0, step: (a, b) => (a + b) | 0 };
const multiplyFloats: Fold = { from: 1, step: (a, b) => a * b };
const multiplyIntegers: Fold = { from: 1, step: Math.imul };
const largest: Fold = { from: Number.NEGATIVE_INFINITY, step: Math.max };
const smallest: Fold = { from: Number.POSITIVE_INFINITY, step: Math.min };

type Reduction = "sum" | "maxReduce" | "minReduce" | "prod";

function fold(n: Node<Reduction>, x: TypedArray, { from, step }: Fold): TypedArray {
  const { shape } = n.src[0]!;
  const kept = contiguousStrides(n.shape);
  let next = 0;
  const targets = offsetsOf(
    shape,
    shape.map((_, i) => (n.attrs.axes.includes(i) ? 0 : kept[next++]!)),
  );
  const totals = new Float64Array(sizeOf(n.shape)).fill(x.length === 0 ? from + 0 : from);
  for (let i = 0; i < x.length; i++) totals[targets[i]!] = step(totals[targets[i]!]!, x[i]!);
  const out = allocate(n.dtype, totals.length);
  out.set(totals);
  return out;
}

/** Values of the reductions and of `dot`. */
export const reductionRules = {
  sum: (n: Node<"sum">, [x]: readonly TypedArray[]): TypedArray =>
    fold(n, x!, isFloat(n.dtype) ? addFloats : addIntegers),
  prod: (n: Node<"prod">, [x]: readonly TypedArray[]): TypedArray =>
    fold(n, x!, isFloat(n.dtype) ? multiplyFloats : multiplyIntegers),
  maxReduce: (n: Node<"maxReduce">, [x]: readonly TypedArray[]): TypedArray => fold(n, x!, largest),
  minReduce: (n: Node<"minReduce">, [x]: readonly TypedArray[]): TypedArray => fold(n, x!, smallest),

  argmax: (n: Node<"argmax">, [x]: readonly TypedArray[]): TypedArray => {
    const { shape } = n.src[0]!;
    const strides = contiguousStrides(shape);
    const others = (values: readonly number[]) => values.filter((_, i) => i !== n.attrs.axis);
    const firsts = offsetsOf(others(shape), others(strides));
    const stride = strides[n.attrs.axis]!;
    return Int32Array.from(firsts, (first) => {
      let best = 0;
      for (let i = 0; i < shape[n.attrs.axis]!; i++) {
        const value = x![first + i * stride]!;
        if (Number.isNaN(value)) return i;
        if (value > x![first + best * stride]!) best = i;
      }
      return best;
    });
  },

  dot: (n: Node<"dot">, [left, right]: readonly TypedArray[]): TypedArray => {
    const { leftBatch, rightBatch, leftContract, rightContract } = n.attrs;
    const l = walk(n.src[0]!, leftBatch, leftContract);
    const r = walk(n.src[1]!, rightBatch, rightContract);
    const out = allocate(n.dtype, sizeOf(n.shape));
    const whole = !isFloat(n.dtype);
    let at = 0;
    for (let b = 0; b < l.batch.length; b++)
      for (const i of l.free)
        for (const j of r.free) {
          const first = l.batch[b]! + i;
          const second = r.batch[b]! + j;
          let total = 0;
          for (let k = 0; k < l.contract.length; k++) {
            const a = left![first + l.contract[k]!]!;
            const c = right![second + r.contract[k]!]!;
            total = whole ? (total + Math.imul(a, c)) | 0 : total + a * c;
          }
          out[at++] = total;
        }
    return out;
  },
};

/** Offsets of one operand of a dot along its batch, free and contracted axes. */
function walk(x: Node, batch: readonly number[], contract: readonly number[]) {
  const strides = contiguousStrides(x.shape);
  const along = (axes: readonly number[]) =>
    offsetsOf(
      axes.map((a) => x.shape[a]!),
      axes.map((a) => strides[a]!),
    );
  const free = x.shape.map((_, i) => i).filter((i) => !batch.includes(i) && !contract.includes(i));
  return { batch: along(batch), free: along(free), contract: along(contract) };
}
