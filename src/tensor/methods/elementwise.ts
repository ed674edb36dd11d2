import { type DType, isFloat } from "../../base/dtype.ts";
import { cast } from "../../ir/build.ts";
import * as act from "../operations/activation.ts";
import * as ops from "../operations/elementwise.ts";
import { cosh, sinh } from "../operations/hyperbolic.ts";
import { log2, log10, logaddexp, logit, xlogy } from "../operations/logarithmic.ts";
import { type HasNode, Methods, operandOf, optionalOperand, type Scalar } from "./base.ts";

/** Elementwise methods, named and behaving as PyTorch's. */
export abstract class ElementwiseMethods<T extends HasNode> extends Methods<T> {
  /** this + alpha · other. */
  add(other: T | Scalar, { alpha = 1 }: { alpha?: Scalar } = {}): T {
    return this.wrap(ops.add(this.node, operandOf(other), operandOf(alpha)));
  }
  /** this − alpha · other. */
  sub(other: T | Scalar, { alpha = 1 }: { alpha?: Scalar } = {}): T {
    return this.wrap(ops.sub(this.node, operandOf(other), operandOf(alpha)));
  }
  /** this · other. */
  mul(other: T | Scalar): T {
    return this.wrap(ops.mul(this.node, operandOf(other)));
  }
  /** this / other, in floating point unless a rounding mode is given. */
  div(other: T | Scalar, { roundingMode = null }: { roundingMode?: ops.RoundingMode } = {}): T {
    return this.wrap(ops.div(this.node, operandOf(other), roundingMode));
  }
  /** ⌊this / other⌋. */
  floorDivide(other: T | Scalar): T {
    return this.wrap(ops.floorDivide(this.node, operandOf(other)));
  }
  /** The remainder with the sign of the divisor. */
  remainder(other: T | Scalar): T {
    return this.wrap(ops.remainder(this.node, operandOf(other)));
  }
  /** The remainder with the sign of the dividend. */
  fmod(other: T | Scalar): T {
    return this.wrap(ops.fmod(this.node, operandOf(other)));
  }
  /** This to a power. */
  pow(other: T | Scalar): T {
    return this.wrap(ops.pow(this.node, operandOf(other)));
  }
  /** The larger of two; NaN if either is. */
  maximum(other: T | Scalar): T {
    return this.wrap(ops.maximum(this.node, operandOf(other)));
  }
  /** The smaller of two; NaN if either is. */
  minimum(other: T | Scalar): T {
    return this.wrap(ops.minimum(this.node, operandOf(other)));
  }
  /** log(eˣ + eʸ) without overflow. */
  logaddexp(other: T | Scalar): T {
    return this.wrap(logaddexp(this.node, operandOf(other)));
  }
  /** this · log other, and 0 where this is 0. */
  xlogy(other: T | Scalar): T {
    return this.wrap(xlogy(this.node, operandOf(other)));
  }
  /** √(this² + other²). */
  hypot(other: T | Scalar): T {
    return this.wrap(ops.hypot(this.node, operandOf(other)));
  }
  /** Whether equal. */
  eq(other: T | Scalar): T {
    return this.wrap(ops.eq(this.node, operandOf(other)));
  }
  /** Whether not equal. */
  ne(other: T | Scalar): T {
    return this.wrap(ops.ne(this.node, operandOf(other)));
  }
  /** Whether less. */
  lt(other: T | Scalar): T {
    return this.wrap(ops.lt(this.node, operandOf(other)));
  }
  /** Whether less or equal. */
  le(other: T | Scalar): T {
    return this.wrap(ops.le(this.node, operandOf(other)));
  }
  /** Whether greater. */
  gt(other: T | Scalar): T {
    return this.wrap(ops.gt(this.node, operandOf(other)));
  }
  /** Whether greater or equal. */
  ge(other: T | Scalar): T {
    return this.wrap(ops.ge(this.node, operandOf(other)));
  }
  /** Both true (not 0). */
  logicalAnd(other: T | Scalar): T {
    return this.wrap(ops.and(this.node, operandOf(other)));
  }
  /** Either true (not 0). */
  logicalOr(other: T | Scalar): T {
    return this.wrap(ops.or(this.node, operandOf(other)));
  }
  /** One of them true (not 0). */
  logicalXor(other: T | Scalar): T {
    return this.wrap(ops.xor(this.node, operandOf(other)));
  }
  /** Bitwise and of integers, logical of bools. */
  bitwiseAnd(other: T | Scalar): T {
    return this.wrap(ops.bitwise("and", this.node, operandOf(other)));
  }
  /** Bitwise or of integers, logical of bools. */
  bitwiseOr(other: T | Scalar): T {
    return this.wrap(ops.bitwise("or", this.node, operandOf(other)));
  }
  /** Bitwise xor of integers, logical of bools. */
  bitwiseXor(other: T | Scalar): T {
    return this.wrap(ops.bitwise("xor", this.node, operandOf(other)));
  }
  /** Whether 0 or false. */
  logicalNot(): T {
    return this.wrap(ops.not(this.node));
  }
  /** Bitwise complement of integers, logical of bools. */
  bitwiseNot(): T {
    return this.wrap(ops.bitwiseNot(this.node));
  }
  /** The negative. */
  neg(): T {
    return this.wrap(ops.neg(this.node));
  }
  /** The magnitude. */
  abs(): T {
    return this.wrap(ops.abs(this.node));
  }
  /** −1, 0 or 1. */
  sign(): T {
    return this.wrap(ops.sign(this.node));
  }
  /** The square. */
  square(): T {
    return this.wrap(ops.square(this.node));
  }
  /** 1 / this. */
  reciprocal(): T {
    return this.wrap(ops.reciprocal(this.node));
  }
  /** The next whole number down. */
  floor(): T {
    return this.wrap(ops.floor(this.node));
  }
  /** The next whole number up. */
  ceil(): T {
    return this.wrap(ops.ceil(this.node));
  }
  /** Towards zero. */
  trunc(): T {
    return this.wrap(ops.trunc(this.node));
  }
  /** What `trunc` leaves. */
  frac(): T {
    return this.wrap(ops.frac(this.node));
  }
  /** The square root. */
  sqrt(): T {
    return this.wrap(ops.sqrt(this.node));
  }
  /** 1 / the square root. */
  rsqrt(): T {
    return this.wrap(ops.rsqrt(this.node));
  }
  /** eˣ. */
  exp(): T {
    return this.wrap(ops.exp(this.node));
  }
  /** 2ˣ. */
  exp2(): T {
    return this.wrap(ops.exp2(this.node));
  }
  /** The natural logarithm. */
  log(): T {
    return this.wrap(ops.log(this.node));
  }
  /** The logarithm to base 2. */
  log2(): T {
    return this.wrap(log2(this.node));
  }
  /** The logarithm to base 10. */
  log10(): T {
    return this.wrap(log10(this.node));
  }
  /** log(1 + x), exact near 0. */
  log1p(): T {
    return this.wrap(ops.log1p(this.node));
  }
  /** eˣ − 1, exact near 0. */
  expm1(): T {
    return this.wrap(ops.expm1(this.node));
  }
  /** Sine. */
  sin(): T {
    return this.wrap(ops.sin(this.node));
  }
  /** Cosine. */
  cos(): T {
    return this.wrap(ops.cos(this.node));
  }
  /** Tangent. */
  tan(): T {
    return this.wrap(ops.tan(this.node));
  }
  /** Hyperbolic sine. */
  sinh(): T {
    return this.wrap(sinh(this.node));
  }
  /** Hyperbolic cosine. */
  cosh(): T {
    return this.wrap(cosh(this.node));
  }
  /** Hyperbolic tangent. */
  tanh(): T {
    return this.wrap(ops.tanh(this.node));
  }
  /** 1 / (1 + e⁻ˣ). */
  sigmoid(): T {
    return this.wrap(ops.sigmoid(this.node));
  }
  /** The error function. */
  erf(): T {
    return this.wrap(ops.erf(this.node));
  }
  /** 1 − erf x. */
  erfc(): T {
    return this.wrap(ops.erfc(this.node));
  }
  /** Whether NaN. */
  isnan(): T {
    return this.wrap(ops.isnan(this.node));
  }
  /** Whether an infinity. */
  isinf(): T {
    return this.wrap(ops.isinf(this.node));
  }
  /** Whether neither NaN nor an infinity. */
  isfinite(): T {
    return this.wrap(ops.isfinite(this.node));
  }
  /** To nearest, halves to even. */
  round({ decimals = 0 }: { decimals?: number } = {}): T {
    return this.wrap(ops.round(this.node, decimals));
  }
  /** log(x / (1 − x)). */
  logit(eps?: number): T {
    return this.wrap(logit(this.node, eps));
  }
  /** this + weight · (end − this). */
  lerp(end: T | Scalar, weight: T | Scalar): T {
    return this.wrap(ops.lerp(this.node, operandOf(end), operandOf(weight)));
  }
  /** this + value · a · b. */
  addcmul(a: T, b: T, { value = 1 }: { value?: number } = {}): T {
    return this.wrap(ops.addcmul(this.node, a.node, b.node, value));
  }
  /** this + value · a / b. */
  addcdiv(a: T, b: T, { value = 1 }: { value?: number } = {}): T {
    return this.wrap(ops.addcdiv(this.node, a.node, b.node, value));
  }
  /** No less than `min`, no more than `max`. */
  clamp({ min, max }: { min?: T | Scalar; max?: T | Scalar }): T {
    return this.wrap(ops.clamp(this.node, optionalOperand(min), optionalOperand(max)));
  }
  /** NaN and infinities replaced by finite numbers. */
  nanToNum({ nan = 0, posinf, neginf }: { nan?: number; posinf?: number; neginf?: number } = {}): T {
    return this.wrap(ops.nanToNum(this.node, nan, posinf, neginf));
  }
  /** This where the condition holds, else `otherwise`. */
  where(condition: T, otherwise: T | Scalar): T {
    return this.wrap(ops.where(condition.node, this.node, operandOf(otherwise)));
  }
  /** `value` where the mask is true, else this. */
  maskedFill(mask: T, value: T | Scalar): T {
    return this.wrap(ops.maskedFill(this.node, mask.node, operandOf(value)));
  }
  /** |this − other| ≤ atol + rtol · |other|. */
  isclose(
    other: T | Scalar,
    { rtol = 1e-5, atol = 1e-8, equalNan = false }: { rtol?: number; atol?: number; equalNan?: boolean } = {},
  ): T {
    return this.wrap(ops.isclose(this.node, operandOf(other), rtol, atol, equalNan));
  }
  /** max(x, 0). */
  relu(): T {
    return this.wrap(act.relu(this.node));
  }
  /** x clamped to [0, 6]. */
  relu6(): T {
    return this.wrap(act.relu6(this.node));
  }
  /** The self-normalizing elu. */
  selu(): T {
    return this.wrap(act.selu(this.node));
  }
  /** x · sigmoid(x). */
  silu(): T {
    return this.wrap(act.silu(this.node));
  }
  /** x · tanh(softplus(x)). */
  mish(): T {
    return this.wrap(act.mish(this.node));
  }
  /** log sigmoid(x), without overflow. */
  logSigmoid(): T {
    return this.wrap(act.logSigmoid(this.node));
  }
  /** x / (1 + |x|). */
  softsign(): T {
    return this.wrap(act.softsign(this.node));
  }
  /** x − tanh x. */
  tanhshrink(): T {
    return this.wrap(act.tanhshrink(this.node));
  }
  /** clamp(x / 6 + ½, 0, 1). */
  hardsigmoid(): T {
    return this.wrap(act.hardsigmoid(this.node));
  }
  /** x · hardsigmoid(x). */
  hardswish(): T {
    return this.wrap(act.hardswish(this.node));
  }
  /** x clamped to [minVal, maxVal]. */
  hardtanh({ minVal = -1, maxVal = 1 }: { minVal?: number; maxVal?: number } = {}): T {
    return this.wrap(act.hardtanh(this.node, minVal, maxVal));
  }
  /** x, or negativeSlope · x where negative. */
  leakyRelu({ negativeSlope = 0.01 }: { negativeSlope?: number } = {}): T {
    return this.wrap(act.leakyRelu(this.node, negativeSlope));
  }
  /** x, or weight · x where negative. */
  prelu(weight: T): T {
    return this.wrap(act.prelu(this.node, weight.node));
  }
  /** x, or alpha · (eˣ − 1) where negative. */
  elu({ alpha = 1 }: { alpha?: number } = {}): T {
    return this.wrap(act.elu(this.node, alpha));
  }
  /** x, or alpha · (e^(x / alpha) − 1) where negative. */
  celu({ alpha = 1 }: { alpha?: number } = {}): T {
    return this.wrap(act.celu(this.node, alpha));
  }
  /** x · Φ(x). */
  gelu({ approximate = "none" }: { approximate?: "none" | "tanh" } = {}): T {
    return this.wrap(act.gelu(this.node, approximate));
  }
  /** log(1 + e^(beta x)) / beta. */
  softplus({ beta = 1, threshold = 20 }: { beta?: number; threshold?: number } = {}): T {
    return this.wrap(act.softplus(this.node, beta, threshold));
  }
  /** x, or 0 within ±lambda. */
  hardshrink({ lambda = 0.5 }: { lambda?: number } = {}): T {
    return this.wrap(act.hardshrink(this.node, lambda));
  }
  /** x moved towards 0 by lambda. */
  softshrink({ lambda = 0.5 }: { lambda?: number } = {}): T {
    return this.wrap(act.softshrink(this.node, lambda));
  }
  /** x where above the threshold, else `value`. */
  threshold(threshold: number, value: number): T {
    return this.wrap(act.threshold(this.node, threshold, value));
  }
  /** This as another dtype, or as that of another tensor. */
  to(dtype: DType | { readonly dtype: DType }): T {
    return this.wrap(cast(this.node, typeof dtype === "string" ? dtype : dtype.dtype));
  }
  /** As f32. */
  float(): T {
    return this.to("f32");
  }
  /** As f64. */
  double(): T {
    return this.to("f64");
  }
  /** As i32. */
  int(): T {
    return this.to("i32");
  }
  /** As f16. */
  half(): T {
    return this.to("f16");
  }
  /** As bf16. */
  bfloat16(): T {
    return this.to("bf16");
  }
  /** Whether its dtype is one of floating-point numbers. */
  isFloatingPoint(): boolean {
    return isFloat(this.node.dtype);
  }
  /** As bool: not 0. */
  bool(): T {
    return this.to("bool");
  }
}
