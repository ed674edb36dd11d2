import { type DType, integerRange, roundTo } from "../../base/dtype.ts";
import { ArgumentError } from "../../base/errors.ts";
import { type Node, node } from "../../ir/node.ts";

/**
 * Plain numbers among operands. JavaScript has one kind of number where Python has two, so that a number says by its
 * value which of them it is: a whole one is an integer, where the dtype that it meets holds it, and any other a float.
 */

/** What an elementwise operation takes: a tensor's node (or a `floatNumber`), or a plain number or boolean. */
export type Operand = Node | number | boolean;

const floats = new WeakSet<Node>();

/** A number that is a float though it may be whole. It is exact in every dtype that it meets, and promotes as a number. */
export function floatNumber(value: number): Node {
  const n = node("constant", [], { value, dtype: "f64" });
  floats.add(n);
  return n;
}

/** Whether an operand is a plain number, boolean or `floatNumber`, and no tensor. */
export const isNumber = (x: Operand): boolean =>
  typeof x !== "object" || (x.op === "constant" && floats.has(x));

/** The value of a plain number, boolean or `floatNumber`; null for a tensor. */
export function numberOf(x: Operand): number | null {
  if (typeof x !== "object") return Number(x);
  return isNumber(x) ? (x as Node<"constant">).attrs.value : null;
}

/** The dtype that a number has by itself, before the dtype that it meets has been asked whether it holds it. */
export function numberDtype(x: Operand): DType {
  if (typeof x === "boolean") return "bool";
  return typeof x === "number" && Number.isInteger(x) ? "i32" : "f32";
}

/** Whether a dtype holds a number as the integer that it is; of floats and bool: always. */
export function holds(dtype: DType, value: number): boolean {
  const range = integerRange(dtype);
  return range === null || (value >= range[0] && value <= range[1]);
}

/**
 * A number as it is assigned to elements of a dtype: an integer loses its fraction, as in PyTorch. Throws for a number that
 * the dtype does not hold, where storing it would wrap, or make an infinity of what is finite.
 */
export function storedNumber(op: string, value: number | boolean, dtype: DType): number {
  const range = integerRange(dtype);
  const given = Number(value);
  if (range === null) {
    if (Number.isFinite(given) && !Number.isFinite(roundTo(dtype, given)))
      throw new ArgumentError(
        `${op}: ${given} does not fit ${dtype}, where it would be infinite; give ±Infinity`,
      );
    return given;
  }
  if (!(given >= range[0] && given <= range[1]))
    throw new ArgumentError(`${op}: ${given} does not fit ${dtype}, which holds ${range[0]} to ${range[1]}`);
  return Math.trunc(given) + 0;
}

/**
 * Whether a bound bounds nothing: a whole number below all integers of a tensor's dtype as a lower bound, or above them as
 * an upper one. It must not make them floating point.
 */
export function boundsNothing(x: Operand, bound: Operand | undefined, side: "min" | "max"): boolean {
  if (typeof bound !== "number" || typeof x !== "object" || !Number.isInteger(bound)) return false;
  const range = isNumber(x) ? null : integerRange(x.dtype);
  return range !== null && (side === "min" ? bound < range[0] : bound > range[1]);
}
