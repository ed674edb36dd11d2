import { bitCount } from "../base/bit-count.ts";
import { bytesOf, type DType, dtypes, readElement, type TypedArray } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { RowRanges } from "../base/row-ranges.ts";
import { type Shape, sameShape, shapeText, sizeOf } from "../base/shape.ts";
import { bitsOf } from "../nn/bits.ts";
import type { Module } from "../nn/module.ts";

/** A parameter's bits at one moment. */
export interface ParameterBits {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TypedArray;
}

/** The bits of a module's parameters at one moment, by path. */
export type Snapshot = ReadonlyMap<string, ParameterBits>;

/** A copy of every bit of a module's parameters as they are now. */
export function snapshot(module: Module): Snapshot {
  return new Map(
    module.namedParameters().map(([path, parameter]) => {
      const { dtype, shape } = parameter;
      return [path, { dtype, shape, data: bitsOf(parameter, "snapshot()") }];
    }),
  );
}

/** How a parameter differs between two moments. */
export interface ParameterChange {
  /** How many elements it has. */
  readonly elements: number;
  /** How many of them differ in any bit (0 and -0 differ). */
  readonly changed: number;
  /** How many bits differ. */
  readonly bitsChanged: number;
  /** The largest |after − before|; NaN where either is. */
  readonly maxChange: number;
  /** The mean of |after − before| over all elements. */
  readonly meanChange: number;
  /** Rows (along dimension 0) with a change, as ranges from a first row up to and without an end. */
  readonly rows: readonly (readonly [from: number, to: number])[];
  /** How many rows have a change. */
  readonly rowsChanged: number;
}

/** How each parameter differs between two snapshots of one module, or a snapshot and the module itself. */
export function compareParameters(before: Snapshot, after: Snapshot | Module): Map<string, ParameterChange> {
  const now = after instanceof Map ? (after as Snapshot) : snapshot(after as Module);
  for (const [path, bits] of now) refuseOther(path, before.get(path), bits);
  for (const [path, bits] of before) refuseOther(path, bits, now.get(path));
  return new Map([...now].map(([path, bits]) => [path, compare(before.get(path)!, bits)]));
}

/** The parameters that differ in any bit between two snapshots, and by how much; bit-identical ones are left out. */
export function changedParameters(before: Snapshot, after: Snapshot | Module): Map<string, ParameterChange> {
  return new Map([...compareParameters(before, after)].filter(([, change]) => change.changed > 0));
}

function refuseOther(
  path: string,
  before: ParameterBits | undefined,
  after: ParameterBits | undefined,
): void {
  const text = (bits: ParameterBits | undefined): string =>
    bits ? `${bits.dtype}${shapeText(bits.shape)}` : "missing";
  if (before && after && before.dtype === after.dtype && sameShape(before.shape, after.shape)) return;
  throw new ArgumentError(
    `changedParameters: ${path} is ${text(before)} before and ${text(after)} after; compare two snapshots of one module`,
  );
}

function compare(before: ParameterBits, after: ParameterBits): ParameterChange {
  const { dtype, shape } = after;
  const elements = after.data.length;
  const rows = new RowRanges(sizeOf(shape.slice(1)));
  const width = dtypes[dtype].bytes;
  const [old, now] = [bytesOf(before.data), bytesOf(after.data)];
  let [changed, bitsChanged, maxChange, sum] = [0, 0, 0, 0];
  for (let i = 0; i < elements; i++) {
    let bits = 0;
    for (let b = i * width; b < (i + 1) * width; b++) bits += bitCount(old[b]! ^ now[b]!);
    if (bits === 0) continue;
    changed++;
    bitsChanged += bits;
    const change = Math.abs(readElement(dtype, after.data, i) - readElement(dtype, before.data, i));
    maxChange = Math.max(maxChange, change);
    sum += change;
    rows.add(i);
  }
  const meanChange = elements === 0 ? 0 : sum / elements;
  return {
    elements,
    changed,
    bitsChanged,
    maxChange,
    meanChange,
    rows: rows.ranges,
    rowsChanged: rows.count,
  };
}
