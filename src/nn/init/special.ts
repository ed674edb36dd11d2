import { erf } from "../../base/erf.ts";
import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { shapeText, sizeOf } from "../../base/shape.ts";
import { noGrad } from "../../tensor/autograd.ts";
import { fromArray } from "../../tensor/create.ts";
import { where } from "../../tensor/functions.ts";
import { randn, uniform } from "../../tensor/random.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Initialisers that need more than a formula for a bound. */

/** Options of `truncNormal_`. */
export interface TruncNormalOptions {
  mean?: number;
  std?: number;
  /** Smallest value; -2. */
  a?: number;
  /** Largest value; 2. */
  b?: number;
}

/** Normal numbers redrawn until they are in [a, b]: made of uniform ones by the inverse of their distribution. */
export function truncNormal_<T extends Tensor>(target: T, options: TruncNormalOptions = {}): T {
  refuseOptions("truncNormal_", options, { mean: null, std: null, a: null, b: null });
  const { mean = 0, std = 1, a = -2, b = 2 } = options;
  if (!(std > 0) || !(a < b))
    throw new ArgumentError(`truncNormal_: std ${std}, from ${a} to ${b}; std must be positive, a below b`);
  const [low, high] = [a, b].map((x) => erf((x - mean) / std / Math.SQRT2)) as [number, number];
  if (low === high)
    throw new ArgumentError(
      `truncNormal_: hardly any number of mean ${mean} and std ${std} lies from ${a} to ${b}`,
    );
  noGrad(() => {
    const drawn = inverseErf(uniform(target.shape, low, high));
    target.copy_(
      drawn
        .mul(std * Math.SQRT2)
        .add(mean)
        .clamp({ min: a, max: b }),
    );
  });
  return target;
}

// Giles, "Approximating the erfinv function", 2010: relative error below 4e-7.
const central = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4, -1.25372503e-3, -4.17768164e-3,
  0.246640727, 1.50140941,
];
const tail = [
  -2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3, -7.6224613e-3, 9.43887047e-3,
  1.00167406, 2.83297682,
];

const horner = (coefficients: readonly number[], x: Tensor): Tensor =>
  coefficients
    .slice(2)
    .reduce((sum: Tensor, c) => sum.mul(x).add(c), x.mul(coefficients[0]!).add(coefficients[1]!));

function inverseErf(x: Tensor): Tensor {
  const w = x.mul(-1).add(1).mul(x.add(1)).log().neg();
  const far = w.ge(5);
  return where(far, horner(tail, w.sqrt().sub(3)), horner(central, w.sub(2.5))).mul(x);
}

/** Rows (or columns, if there are fewer) that are orthonormal, times `gain`; dimensions after the first are one. */
export function orthogonal_<T extends Tensor>(target: T, options: { gain?: number } = {}): T {
  refuseOptions("orthogonal_", options, { gain: null });
  const { gain = 1 } = options;
  const { shape } = target;
  if (shape.length < 2)
    throw new ShapeError(
      `orthogonal_: takes a tensor of two dimensions or more, not shape ${shapeText(shape)}`,
    );
  const [rows, columns] = [shape[0]!, sizeOf(shape.slice(1))];
  const [long, short] = [Math.max(rows, columns), Math.min(rows, columns)];
  if (short === 0) return target;
  const drawn = randn([short, long], { dtype: "f64" }).dataSync() as Float64Array;
  const basis = Array.from({ length: short }, (_, i) => drawn.slice(i * long, (i + 1) * long));
  orthonormalize(basis);
  const at = (row: number, column: number): number =>
    rows <= columns ? basis[row]![column]! : basis[column]![row]!;
  const values = Float64Array.from(
    { length: rows * columns },
    (_, i) => gain * at(Math.floor(i / columns), i % columns),
  );
  noGrad(() => target.copy_(fromArray(values, shape)));
  return target;
}

/**
 * Gram and Schmidt's method on rows in place, each row twice so that rounding leaves them orthogonal. Lengths are
 * positive throughout, which makes the result uniform over all orthogonal matrices (Mezzadri, 2007).
 */
function orthonormalize(rows: readonly Float64Array[]): void {
  for (const [i, row] of rows.entries()) {
    for (let pass = 0; pass < 2; pass++)
      for (const other of rows.slice(0, i)) {
        const along = dot(row, other);
        for (let k = 0; k < row.length; k++) row[k]! -= along * other[k]!;
      }
    const length = Math.sqrt(dot(row, row));
    for (let k = 0; k < row.length; k++) row[k]! /= length;
  }
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
