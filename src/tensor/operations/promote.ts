import { type DType, dtypes, isFloat, promoteTypes } from "../../base/dtype.ts";
import { DTypeError, ShapeError } from "../../base/errors.ts";
import { broadcastShapes, type Shape, sameShape, shapeText } from "../../base/shape.ts";
import { cast, expand, reshape } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { holds, isNumber, numberDtype, type Operand } from "./number.ts";

export type { Operand } from "./number.ts";

/** The dtype in which values of a dtype are computed: storage dtypes are widened. */
export function computeDtype(dtype: DType): DType {
  return dtypes[dtype].compute ? dtype : isFloat(dtype) ? "f32" : "i32";
}

/** A node in the dtype it computes in. */
export const widen = (x: Node): Node => cast(x, computeDtype(x.dtype));

/** A node as floating point: integers and bool become f32. */
export const floating = (x: Node): Node => cast(x, isFloat(x.dtype) ? computeDtype(x.dtype) : "f32");

/** Throws `DTypeError` for a tensor of integers or bools, where what an operation makes of them would not be one. */
export function refuseIntegers(op: string, { dtype }: { readonly dtype: DType }): void {
  if (!isFloat(dtype))
    throw new DTypeError(
      `${op}: takes a floating-point tensor, this one is ${dtype}; cast it with to("f32")`,
    );
}

/** A node as numbers: bool becomes i32. */
export const numeric = (x: Node): Node => (x.dtype === "bool" ? cast(x, "i32") : widen(x));

/**
 * The dtype that operands meet in, as `torch.result_type`: among dtypes of one category (bool, integers, floats)
 * those of tensors with dimensions win over scalar tensors, and those over plain numbers. A whole number is an integer
 * only where an integer dtype that they would meet in holds it, and else a float: none wraps.
 */
export function resultDtype(operands: readonly Operand[]): DType {
  const first = operands[0]!;
  if (typeof first === "object" && alike(operands, first.dtype)) return first.dtype;
  const ranks: (DType | null)[] = [null, null, null];
  for (const x of operands) {
    const number = isNumber(x);
    const rank = number ? 2 : (x as Node).shape.length === 0 ? 1 : 0;
    const dtype = number ? numberDtype(x) : (x as Node).dtype;
    ranks[rank] = ranks[rank] === null ? dtype : promoteTypes(ranks[rank], dtype);
  }
  const [tensors, scalars, numbers] = ranks as [DType | null, DType | null, DType | null];
  const met = combine(tensors, combine(scalars, numbers)) ?? "f32";
  if (isFloat(met)) return met;
  const computed = computeDtype(met);
  return operands.every((x) => typeof x !== "number" || holds(computed, x)) ? met : "f32";
}

function combine(higher: DType | null, lower: DType | null): DType | null {
  if (higher === null || lower === null) return higher ?? lower;
  if (isFloat(higher)) return higher;
  return higher === "bool" || isFloat(lower) ? promoteTypes(higher, lower) : higher;
}

/** A plain number or boolean as a constant of shape []. */
export const constant = (value: number | boolean, dtype: DType): Node =>
  node("constant", [], { value: Number(value), dtype });

/** `x` repeated up to a shape, by the rules of broadcasting. */
export function broadcastTo(x: Node, shape: Shape, op: string): Node {
  if (sameShape(x.shape, shape)) return x;
  const missing = shape.length - x.shape.length;
  const fits = missing >= 0 && x.shape.every((d, i) => d === 1 || d === shape[missing + i]);
  if (!fits) throw new ShapeError(`${op}: ${shapeText(x.shape)} does not broadcast to ${shapeText(shape)}`);
  return expand(reshape(x, [...new Array<number>(missing).fill(1), ...x.shape]), shape);
}

/** The shape that operands broadcast to. */
export function broadcastShape(operands: readonly Operand[], op: string): Shape {
  let shape: Shape = [];
  for (const x of operands) {
    if (typeof x !== "object") continue;
    const met = broadcastShapes(shape, x.shape);
    if (met === null)
      throw new ShapeError(
        `${op}: shapes ${operands
          .filter((o) => typeof o === "object")
          .map((o) => shapeText(o.shape))
          .join(" and ")} do not broadcast: from the right, sizes must be equal or 1`,
      );
    shape = met;
  }
  return shape;
}

/** Whether operands are all tensors of a dtype and of one shape: the common case, in which nothing is to do. */
function alike(operands: readonly Operand[], dtype: DType): operands is Node[] {
  const first = operands[0]!;
  if (typeof first !== "object") return false;
  for (const x of operands)
    if (typeof x !== "object" || x.dtype !== dtype || !sameShape(x.shape, first.shape)) return false;
  return true;
}

/** Whether operands are all tensors of a dtype that is computed in, and of one shape. */
function haveMet(operands: readonly Operand[]): operands is Node[] {
  const first = operands[0]!;
  return typeof first === "object" && dtypes[first.dtype].compute && alike(operands, first.dtype);
}

/** Operands in one shape and one dtype: the one they meet in, widened to compute. */
export const meet = (op: string, operands: readonly Operand[]): Node[] =>
  haveMet(operands) ? operands : meetIn(computeDtype(resultDtype(operands)), op, operands);

/** Operands in one shape and a dtype. */
export function meetIn(dtype: DType, op: string, operands: readonly Operand[]): Node[] {
  if (alike(operands, dtype)) return operands;
  const shape = broadcastShape(operands, op);
  return operands.map((x) =>
    broadcastTo(typeof x === "object" ? cast(x, dtype) : constant(x, dtype), shape, op),
  );
}

/** As `meet`, in floating point. */
export function meetFloating(op: string, operands: readonly Operand[]): Node[] {
  const dtype = computeDtype(resultDtype(operands));
  return meetIn(isFloat(dtype) ? dtype : "f32", op, operands);
}

/** As `meet`, with bool as i32. */
export function meetNumeric(op: string, operands: readonly Operand[]): Node[] {
  const dtype = computeDtype(resultDtype(operands));
  return meetIn(dtype === "bool" ? "i32" : dtype, op, operands);
}
