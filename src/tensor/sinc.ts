import * as kind from "./argument-kinds.ts";
import { cos, div, eq, mul, sin, sub, where } from "./operations/elementwise.ts";
import { floating } from "./operations/promote.ts";
import { type Slope, stated } from "./operations/stated.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/**
 * sin πx / πx, and 1 at 0.
 *
 * Takes any shape and dtype, integers and bools as f32; gives its shape.
 * Source: `torch.sinc`. Example: `sinc(arange(-4, 5).mul(cutoff))` is a low-pass filter.
 */
export const sinc = checked("sinc", takes({ x: kind.tensor }), (input: Tensor): Tensor => {
  const x = floating(input.node);
  const angle = mul(x, Math.PI);
  const none = eq(angle, 0);
  const safe = where(none, 1, angle);
  // As in PyTorch it is 0 where the square vanishes.
  const slope: Slope = (g) => {
    const square = mul(mul(x, x), Math.PI);
    const rise = sub(mul(angle, cos(angle)), sin(angle));
    return where(eq(square, 0), 0, mul(g, div(rise, where(eq(square, 0), 1, square))));
  };
  return new Tensor(stated(where(none, 1, div(sin(safe), safe)), [x, slope]));
});
