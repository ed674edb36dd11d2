import { ShapeError } from "../../base/errors.ts";
import { shapeText } from "../../base/shape.ts";
import { cast } from "../../ir/build.ts";
import * as ops from "../operations/arithmetic.ts";
import { clamp, div, exp2, full, mul, neg, type RoundingMode, sign } from "../operations/elementwise.ts";
import * as angles from "../operations/inverse-trigonometric.ts";
import { broadcastTo } from "../operations/promote.ts";
import { type HasNode, operandOf } from "./base.ts";
import { IndexingMethods } from "./indexing.ts";

/** Elementwise methods that are seldom used, and second names of others. */
export abstract class ArithmeticMethods<T extends HasNode> extends IndexingMethods<T> {
  /** As `sub`. */
  subtract(other: T | number | boolean, options?: { alpha?: number }): T {
    return this.sub(other, options);
  }
  /** As `mul`. */
  multiply(other: T | number | boolean): T {
    return this.mul(other);
  }
  /** As `div`. */
  divide(other: T | number | boolean, options?: { roundingMode?: RoundingMode }): T {
    return this.div(other, options);
  }
  /** As `gt`. */
  greater(other: T | number | boolean): T {
    return this.gt(other);
  }
  /** As `ge`. */
  greaterEqual(other: T | number | boolean): T {
    return this.ge(other);
  }
  /** As `lt`. */
  less(other: T | number | boolean): T {
    return this.lt(other);
  }
  /** As `le`. */
  lessEqual(other: T | number | boolean): T {
    return this.le(other);
  }
  /** As `ne`. */
  notEqual(other: T | number | boolean): T {
    return this.ne(other);
  }
  /** this / other, in floating point. */
  trueDivide(other: T | number | boolean): T {
    return this.wrap(div(this.node, operandOf(other)));
  }
  /** other − alpha · this. */
  rsub(other: T | number | boolean, { alpha = 1 }: { alpha?: number } = {}): T {
    return this.wrap(ops.rsub(this.node, operandOf(other), operandOf(alpha)));
  }
  /** This to a power, in f64. */
  floatPower(exponent: T | number | boolean): T {
    return this.wrap(ops.floatPower(this.node, operandOf(exponent)));
  }
  /** The larger of two; NaN only if both are. */
  fmax(other: T): T {
    return this.wrap(ops.fmax(this.node, other.node));
  }
  /** The smaller of two; NaN only if both are. */
  fmin(other: T): T {
    return this.wrap(ops.fmin(this.node, other.node));
  }
  /** log₂(2ˣ + 2ʸ) without overflow. */
  logaddexp2(other: T): T {
    return this.wrap(ops.logaddexp2(this.node, other.node));
  }
  /** The magnitude of this with the sign of other. */
  copysign(other: T | number): T {
    return this.wrap(angles.copysign(this.node, operandOf(other)));
  }
  /** 0 below 0, 1 above, `values` at 0. */
  heaviside(values: T): T {
    return this.wrap(ops.heaviside(this.node, values.node));
  }
  /** The greatest common divisor of integers. */
  gcd(other: T): T {
    return this.wrap(ops.gcd(this.node, other.node));
  }
  /** The least common multiple of integers. */
  lcm(other: T): T {
    return this.wrap(ops.lcm(this.node, other.node));
  }
  /** This itself. */
  positive(): T {
    if (this.node.dtype === "bool") return this.neg();
    return this.wrap(this.node);
  }
  /** As `neg`. */
  negative(): T {
    return this.wrap(neg(this.node));
  }
  /** As `abs`. */
  absolute(): T {
    return this.abs();
  }
  /** As `sign`. */
  sgn(): T {
    return this.wrap(sign(this.node));
  }
  /** Whether the sign bit is set, that of −0 too. */
  signbit(): T {
    return this.wrap(angles.signbit(this.node));
  }
  /** As `clamp`. */
  clip(range: { min?: T | number | null; max?: T | number | null }): T {
    return this.clamp(range as { min?: T | number; max?: T | number });
  }
  /** No less than a bound. */
  clampMin(min: T | number): T {
    return this.wrap(clamp(this.node, operandOf(min)));
  }
  /** No more than a bound. */
  clampMax(max: T | number): T {
    return this.wrap(clamp(this.node, undefined, operandOf(max)));
  }
  /** this · 2 to the power of other. */
  ldexp(other: T): T {
    return this.wrap(mul(this.node, exp2(other.node)));
  }
  /** Degrees as radians. */
  deg2rad(): T {
    return this.wrap(mul(this.node, Math.PI / 180));
  }
  /** Radians as degrees. */
  rad2deg(): T {
    return this.wrap(mul(this.node, 180 / Math.PI));
  }
  /** The arc sine. */
  asin(): T {
    return this.wrap(angles.asin(this.node));
  }
  /** The arc cosine. */
  acos(): T {
    return this.wrap(angles.acos(this.node));
  }
  /** The arc tangent. */
  atan(): T {
    return this.wrap(angles.atan(this.node));
  }
  /** The angle of the point (other, this), from −π to π. */
  atan2(other: T): T {
    return this.wrap(angles.atan2(this.node, other.node));
  }
  /** The inverse of `sinh`. */
  asinh(): T {
    return this.wrap(angles.asinh(this.node));
  }
  /** The inverse of `cosh`. */
  acosh(): T {
    return this.wrap(angles.acosh(this.node));
  }
  /** The inverse of `tanh`. */
  atanh(): T {
    return this.wrap(angles.atanh(this.node));
  }
  /** One value everywhere, in this tensor's shape and dtype. */
  fill(value: T | number | boolean): T {
    const x = operandOf(value);
    const { shape, dtype } = this.node;
    if (typeof x !== "object") return this.wrap(full(shape, x, dtype));
    if (x.shape.length > 0)
      throw new ShapeError(
        `fill: the value is one number, or a tensor of shape [], not ${shapeText(x.shape)}`,
      );
    return this.wrap(broadcastTo(cast(x, dtype), shape, "fill"));
  }
}
