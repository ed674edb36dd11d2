import { isFloat } from "../../base/dtype.ts";
import { ArgumentError, DTypeError } from "../../base/errors.ts";
import { sizeOf } from "../../base/shape.ts";
import { cast, filledLike } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { constantOf } from "../../ir/simplify-builder.ts";
import { checkElements } from "./check-elements.ts";
import { numberOf } from "./number.ts";
import { meetNumeric, type Operand } from "./promote.ts";

/** Division of integers into a whole quotient and a remainder, which has no value where the divisor is 0. */

const byZero = (op: string): ArgumentError =>
  new ArgumentError(
    `${op}: ZeroDivisionError: an integer divided by 0 has no value; replace zeros in the divisor with where(), or ` +
      'cast with to("f32"), where the result is NaN or infinite',
  );

/**
 * Dividend and divisor in one numeric dtype and shape. Throws where an integer would be divided by 0: at once where the
 * divisor's values are known, else before the next step writes anything.
 */
export function meetDivision(op: string, a: Operand, b: Operand): [Node, Node] {
  const [x, y] = meetNumeric(op, [a, b]) as [Node, Node];
  if (isFloat(x.dtype)) return [x, y];
  const isBool = (o: Operand): boolean =>
    typeof o === "object" ? o.dtype === "bool" : typeof o === "boolean";
  if (isBool(a) && isBool(b))
    throw new DTypeError(`${op}: takes numbers, not two of bool; cast with to("i32")`);
  if (sizeOf(y.shape) === 0) return [x, y];
  const known = numberOf(b) ?? constantOf(y);
  if (known !== null) {
    if (known === 0) throw byZero(op);
    return [x, y];
  }
  const demand = {
    meets: (divisor: number): boolean => divisor !== 0,
    fails: (): Node => node("eq", [y, filledLike(0, y)], {}),
    error: (): ArgumentError => byZero(op),
  };
  // A node of its own, so that the divisor itself can still be read if the check fails.
  return [x, checkElements(b as Node, demand, () => node("detach", [y], {})) ?? y];
}

/** The quotient of integers rounded towards zero, or down: exact in f64, which holds every i32. */
export function integerQuotient(x: Node, y: Node, rounding: "trunc" | "floor"): Node {
  const quotient = node("div", [cast(x, "f64"), cast(y, "f64")], {});
  // A cast to an integer rounds towards zero.
  return cast(rounding === "trunc" ? quotient : node("floor", [quotient], {}), x.dtype);
}

/** The remainder with the sign of the dividend: where `remainder` has the divisor's, one divisor less. */
export function integerFmod(x: Node, y: Node): Node {
  const rest = node("remainder", [x, y], {});
  if (x.dtype === "u8") return rest;
  const zero = filledLike(0, rest);
  const differs = node("lt", [node("xor", [rest, x], {}), zero], {});
  const off = node("and", [differs, node("not", [node("eq", [rest, zero], {})], {})], {});
  return node("where", [off, node("sub", [rest, y], {}), rest], {});
}
