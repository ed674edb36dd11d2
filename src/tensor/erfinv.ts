import { cast } from "../ir/build.ts";
import { type Node, node } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
import {
  abs,
  add,
  div,
  erf,
  erfc,
  exp,
  gt,
  log,
  mul,
  neg,
  sqrt,
  square,
  sub,
  where,
} from "./operations/elementwise.ts";
import { floating } from "./operations/promote.ts";
import { stated } from "./operations/stated.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

// Rational approximations to some three digits, near 0 and beyond 0.7, as in PyTorch's calc_erfinv; Newton's steps make
// all digits of them.
const near = {
  over: [-0.140543331, 0.914624893, -1.645349621, 0.886226899],
  under: [0.012229801, -0.329097515, 1.442710462, -2.118377725, 1],
};
const far = {
  over: [1.641345311, 3.429567803, -1.624906493, -1.970840454],
  under: [1.6370678, 3.5438892, 1],
};

const ratio = ({ over, under }: typeof near, z: Node): Node => {
  const at = (coefficients: readonly number[]): Node =>
    coefficients.slice(1).reduce<Node>((y, c) => add(mul(y, z), c), mul(add(mul(z, 0), 1), coefficients[0]!));
  return div(at(over), at(under));
};

/** The inverse for f64 numbers from 0 on below 1, of which `rest` is 1 − y. */
function inverse(y: Node, rest: Node): Node {
  const isFar = gt(y, 0.7);
  const central = mul(y, ratio(near, square(where(isFar, 0, y))));
  const tail = ratio(far, sqrt(neg(log(div(where(isFar, rest, 1), 2)))));
  let x = where(isFar, tail, central);
  // Each side's residue has all digits where the other's would cancel.
  for (let i = 0; i < 3; i++) {
    const residue = where(isFar, sub(erfc(x), rest), sub(y, erf(x)));
    x = add(x, div(residue, mul(exp(neg(square(x))), 2 / Math.sqrt(Math.PI))));
  }
  return x;
}

/**
 * The inverse of the error function: `erf(erfinv(x))` is x. ±Infinity at ±1, NaN beyond.
 *
 * Takes any shape and dtype, integers and bools as f32; computes in f64 and rounds once.
 * Source: `torch.erfinv`. Example: `erfinv(u.mul(2).sub(1)).mul(Math.SQRT2)` makes normal numbers of uniform ones.
 */
export const erfinv = checked("erfinv", takes({ x: kind.tensor }), (input: Tensor): Tensor => {
  const x = floating(input.node);
  const wide = cast(node("detach", [x], {}), "f64");
  const size = abs(wide);
  const rest = sub(1, size);
  const isInside = gt(rest, 0);
  const inner = inverse(where(isInside, size, 0), where(isInside, rest, 1));
  // 1 / 0 at 1, and the NaN of a negative root beyond it.
  const value = where(isInside, inner, div(1, sqrt(rest)));
  const signed = where(gt(size, 0), mul(value, node("sign", [wide], {})), wide);
  const slope = (g: Node, n: Node): Node => mul(g, mul(exp(square(n)), Math.sqrt(Math.PI) / 2));
  return new Tensor(stated(cast(signed, x.dtype), [x, slope]));
});
