import { allocate, type DType, type TypedArray } from "../../../src/base/dtype.ts";
import { sizeOf } from "../../../src/base/shape.ts";
import type { Tensor } from "../../../src/tensor/index.ts";
import * as thaw from "../../../src/tensor/index.ts";
import { dtypeOf } from "../fixture.ts";

/** A tensor as a sample holds it: dtype by PyTorch's name, shape, its bytes in base64, and whether it takes a gradient. */
export interface Written {
  t: string;
  s: number[];
  d: string;
  g?: 1;
}

/** An argument as a sample holds it. */
export type Arg =
  | null
  | boolean
  | number
  | string
  | Written
  | { float: number | string }
  | { dtype: string }
  | { slice: (number | null)[] }
  | { ellipsis: 1 }
  | Arg[];

/** Whether an argument is a tensor. */
export const isWritten = (arg: unknown): arg is Written =>
  typeof arg === "object" && arg !== null && "t" in arg && "d" in arg;

/** The elements of a tensor, as their dtype stores them. */
export function rawOf({ t, s, d }: Written): TypedArray {
  const bytes = Uint8Array.from(Buffer.from(d, "base64"));
  const out = allocate(dtypeOf(t), sizeOf(s));
  new Uint8Array(out.buffer).set(bytes);
  return out;
}

/** A tensor of a sample. Its bits are taken as they are, those of bf16 and f16 by way of the numbers they stand for. */
export function tensorOf(written: Written, requiresGrad = written.g === 1): Tensor {
  const dtype = dtypeOf(written.t);
  return thaw.fromArray(valuesOf(written), written.s, { dtype, requiresGrad });
}

/** The elements of a tensor as numbers. */
export function valuesOf(written: Written): TypedArray {
  const dtype = dtypeOf(written.t);
  const raw = rawOf(written);
  return dtype === "bf16" || dtype === "f16" ? Float32Array.from(raw, (bits) => half(dtype, bits)) : raw;
}

const cell = new DataView(new ArrayBuffer(4));

/** The number that 16 bits stand for. */
function half(dtype: DType, bits: number): number {
  if (dtype === "bf16") {
    cell.setUint32(0, (bits << 16) >>> 0);
    return cell.getFloat32(0);
  }
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const rest = bits & 1023;
  if (exponent === 31) return rest === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? rest * 2 ** -24 : (1024 + rest) * 2 ** (exponent - 25));
}

/** An argument as thaw takes it; the tensors that take a gradient are added to `leaves`. */
export function argumentOf(arg: Arg, leaves: Tensor[]): unknown {
  if (Array.isArray(arg)) return arg.map((one) => argumentOf(one, leaves));
  if (typeof arg !== "object" || arg === null) return arg;
  if (isWritten(arg)) {
    const made = tensorOf(arg);
    if (arg.g === 1) leaves.push(made);
    return made;
  }
  if ("float" in arg) return floating(Number(arg.float));
  if ("dtype" in arg) return dtypeOf(arg.dtype);
  if ("slice" in arg)
    return thaw.slice(...(arg.slice.map((x) => x ?? undefined) as [number, number, number]));
  return "...";
}

/** A whole number that Python has as a float, where there is a way to say so. */
function floating(value: number): unknown {
  return Number.isInteger(value) ? new PythonFloat(value) : value;
}

/** Marks a whole number that is a float in Python until it is known whether it is an operand, where that counts. */
export class PythonFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}
