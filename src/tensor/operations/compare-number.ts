import { integerRange, isFloat } from "../../base/dtype.ts";
import { cast, filled } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { numberOf } from "./number.ts";
import { computeDtype, type Operand } from "./promote.ts";

/**
 * The comparison of a tensor of integers or bools with a plain number, exact whatever the number is: no dtype need hold
 * both. Null where the operands are no such two.
 */
export function compareWithNumber(op: "eq" | "lt" | "le", a: Operand, b: Operand): Node | null {
  const [left, right] = [numberOf(a), numberOf(b)];
  const number = left ?? right;
  if (number === null || (left !== null && right !== null)) return null;
  const numberFirst = left !== null;
  const x = (numberFirst ? b : a) as Node;
  if (isFloat(x.dtype)) return null;
  const everywhere = (holds: boolean): Node => filled(Number(holds), x.shape, "bool");
  if (Number.isNaN(number) || (op === "eq" && !Number.isInteger(number))) return everywhere(false);
  // The whole number that lies to all whole numbers as `number` does: x < 2.5 is x < 3, and x ≤ 2.5 is x ≤ 2.
  const up = op === "lt" ? !numberFirst : numberFirst;
  const whole = op === "eq" ? number : up ? Math.ceil(number) : Math.floor(number);
  const [low, high] = integerRange(x.dtype) ?? [0, 1];
  if (whole < low) return everywhere(op !== "eq" && numberFirst);
  if (whole > high) return everywhere(op !== "eq" && !numberFirst);
  const dtype = x.dtype === "bool" ? "i32" : computeDtype(x.dtype);
  const [tensor, constant] = [cast(x, dtype), filled(whole + 0, x.shape, dtype)];
  return node(op, numberFirst ? [constant, tensor] : [tensor, constant], {});
}
