import { allocate, type DType, dtypes, isFloat, readElement, writeElement } from "../base/dtype.ts";
import { type ElementwiseOp, evaluateElementwise } from "./evaluate-elementwise.ts";
import { isOp, type Node, node } from "./node.ts";
import type { OpAttrs } from "./op.ts";
import { type Builder, constantOf, type SimplifyRule } from "./simplify-builder.ts";

/**
 * Algebra on elementwise primitives. Rules give the same bits as what they replace, NaN, infinities and the
 * signs of zeros included; only x² is one product.
 */

type Rule<K extends ElementwiseOp> = SimplifyRule<K>;

/** The dtypes that hold every value of a dtype. */
const widerThan: { readonly [D in DType]: readonly DType[] } = {
  bool: ["u8", "i8", "i32", "bf16", "f16", "f32", "f64"],
  u8: ["i32", "bf16", "f16", "f32", "f64"],
  i8: ["i32", "bf16", "f16", "f32", "f64"],
  i32: ["f64"],
  bf16: ["f32", "f64"],
  f16: ["f32", "f64"],
  f32: ["f64"],
  f64: [],
};

/**
 * Whether adding a constant changes nothing. Of floats only -0 is that: -0 + 0 is 0. Integers have one zero, however
 * their constant was written.
 */
const addsNothing = (y: Node, sign: 1 | -1): boolean => {
  const c = constantOf(y);
  return c === 0 && (!isFloat(y.dtype) || Object.is(c * sign, -0));
};

const filledLike = (b: Builder, value: number, x: Node): Node => b.filled(value, x.shape, x.dtype);

/** f(f(x)) = f(x). */
const idempotent = ([x]: readonly Node[], op: ElementwiseOp): Node | null => (x!.op === op ? x! : null);

/** Rewrites of an operation some of whose operands may be constant; constants of commutative ones stand right. */
const algebra: { readonly [K in ElementwiseOp]?: Rule<K> } = {
  neg: ([x]) => (x!.op === "neg" ? x!.src[0]! : null),
  // Not where neg wraps: -1 in u8 is 255, and its own absolute value.
  abs: (src, attrs, b) =>
    src[0]!.op === "neg" && src[0]!.dtype !== "u8"
      ? b.make("abs", src[0]!.src, attrs)
      : idempotent(src, "abs"),
  sign: (src) => idempotent(src, "sign"),
  floor: (src) => idempotent(src, "floor"),
  ceil: (src) => idempotent(src, "ceil"),
  round: (src) => idempotent(src, "round"),
  relu: (src) => idempotent(src, "relu"),
  not: ([x]) => (x!.op === "not" ? x!.src[0]! : null),
  cast: ([x], { dtype }, b) => {
    if (x!.dtype === dtype) return x!;
    if (!isOp(x!, "cast")) return null;
    const from = x.src[0]!;
    return widerThan[from.dtype].includes(x.dtype) ? b.make("cast", [from], { dtype }) : null;
  },
  add: ([x, y], _, b) => {
    if (addsNothing(y!, 1)) return x!;
    if (y!.op === "neg") return b.make("sub", [x!, y!.src[0]!], {});
    return x!.op === "neg" ? b.make("sub", [y!, x!.src[0]!], {}) : null;
  },
  sub: ([x, y], _, b) => {
    if (addsNothing(y!, -1)) return x!;
    if (x === y && !isFloat(x!.dtype)) return filledLike(b, 0, x!);
    return y!.op === "neg" ? b.make("add", [x!, y!.src[0]!], {}) : null;
  },
  mul: ([x, y], _, b) => {
    const c = constantOf(y!);
    if (c === 1) return x!;
    if (c === -1) return b.make("neg", [x!], {});
    return c === 0 && !isFloat(x!.dtype) ? y! : null;
  },
  div: ([x, y]) => (constantOf(y!) === 1 ? x! : null),
  pow: ([x, y], _, b) => {
    const c = constantOf(y!);
    if (c === 0) return filledLike(b, 1, x!);
    if (c === 1) return x!;
    return c === 2 ? b.make("mul", [x!, x!], {}) : null;
  },
  max: ([x, y]) => (x === y ? x! : null),
  min: ([x, y]) => (x === y ? x! : null),
  eq: ([x, y], _, b) => (x === y && !isFloat(x!.dtype) ? b.filled(1, x!.shape, "bool") : null),
  le: ([x, y], _, b) => (x === y && !isFloat(x!.dtype) ? b.filled(1, x!.shape, "bool") : null),
  lt: ([x, y], _, b) => (x === y ? b.filled(0, x!.shape, "bool") : null),
  and: ([x, y]) => {
    if (x === y || (x!.dtype === "bool" && constantOf(y!) === 1)) return x!;
    return constantOf(y!) === 0 ? y! : null;
  },
  or: ([x, y]) => {
    if (x === y || constantOf(y!) === 0) return x!;
    return x!.dtype === "bool" && constantOf(y!) === 1 ? y! : null;
  },
  xor: ([x, y], _, b) => {
    if (x === y) return filledLike(b, 0, x!);
    return constantOf(y!) === 0 ? x! : null;
  },
  shl: ([x, y]) => (constantOf(y!) === 0 ? x! : null),
  shr: ([x, y]) => (constantOf(y!) === 0 ? x! : null),
  where: ([condition, then, otherwise], _, b) => {
    if (then === otherwise) return then!;
    const c = constantOf(condition!);
    if (c !== null) return c !== 0 ? then! : otherwise!;
    return condition!.op === "not" ? b.make("where", [condition!.src[0]!, otherwise!, then!], {}) : null;
  },
};

const commutative = new Set<ElementwiseOp>(["add", "mul", "max", "min", "eq", "and", "or", "xor"]);

/** The whole of what can be done about an elementwise operation: fold, order, then its algebra. */
export function elementwiseRule<K extends ElementwiseOp>(op: K): SimplifyRule<K> {
  const rule = algebra[op] as SimplifyRule<K> | undefined;
  const swaps = commutative.has(op);
  return (src, attrs, b) => {
    const first = constantOf(src[0]!) !== null;
    if (first && src.every((s) => constantOf(s) !== null)) return fold(op, src, attrs, b);
    if (swaps && first) return b.make(op, [src[1]!, src[0]!], attrs);
    return rule?.(src, attrs, b) ?? null;
  };
}

/** The constant that an operation makes of constants, as the reference evaluator computes it. */
function fold<K extends ElementwiseOp>(
  op: K,
  src: readonly Node[],
  attrs: OpAttrs[K],
  b: Builder,
): Node | null {
  const scalars = src.map((s) => node("constant", [], { value: constantOf(s)!, dtype: s.dtype }, false));
  const result = node(op, scalars, attrs, false);
  if (op !== "cast" && !dtypes[result.dtype].compute) return null;
  const values = scalars.map(({ dtype, attrs: { value } }) => {
    const array = allocate(dtype, 1);
    writeElement(dtype, array, 0, value);
    return array;
  });
  const value = readElement(result.dtype, evaluateElementwise(result as Node<ElementwiseOp>, values), 0);
  return b.filled(value, src[0]!.shape, result.dtype);
}
