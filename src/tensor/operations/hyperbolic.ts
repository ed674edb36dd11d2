import type { Node } from "../../ir/node.ts";
import { abs, add, div, eq, exp, expm1, gt, lt, mul, neg, reciprocal, where } from "./elementwise.ts";
import { floating } from "./promote.ts";
import { stated } from "./stated.ts";

/** From here on e⁻ᵃ is nothing beside eᵃ, in f64 too; √eᵃ then does not overflow before the result does. */
const large = 20;

/** ½ eᵃ, without overflow where the half is finite. */
function halfExp(a: Node): Node {
  const root = exp(mul(a, 0.5));
  return mul(mul(root, 0.5), root);
}

/** Hyperbolic sine, with all digits near 0. */
export function sinh(input: Node): Node {
  const x = floating(input);
  const a = abs(x);
  // (eᵃ - e⁻ᵃ) / 2, where e⁻ᵃ - 1 is -e / (e + 1) for e = eᵃ - 1.
  const e = expm1(a);
  const small = mul(add(e, div(e, add(e, 1))), 0.5);
  const size = where(gt(a, large), halfExp(a), small);
  const value = where(lt(x, 0), neg(size), where(eq(x, 0), x, size));
  return stated(value, [x, (g) => mul(g, cosh(x))]);
}

/** Hyperbolic cosine. */
export function cosh(input: Node): Node {
  const x = floating(input);
  const a = abs(x);
  const e = exp(a);
  const value = where(gt(a, large), halfExp(a), mul(add(e, reciprocal(e)), 0.5));
  return stated(value, [x, (g) => mul(g, sinh(x))]);
}
