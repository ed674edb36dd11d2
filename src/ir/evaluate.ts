import { allocate, type TypedArray, writeElement } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import { type ElementwiseOp, evaluateElementwise, isElementwise } from "./evaluate-elementwise.ts";
import { movementRules } from "./evaluate-movement.ts";
import { reductionRules } from "./evaluate-reduction.ts";
import { specialRules } from "./evaluate-special.ts";
import type { Node } from "./node.ts";
import type { Op } from "./op.ts";

/**
 * The reference evaluator: what every primitive means, in plain TypeScript, and the oracle for every backend.
 *
 * Numerics: each operation rounds its result to its dtype once. In between it computes in f64: an f32 function is
 * JavaScript's `Math` rounded to f32. Sums, products, contractions, cumsum and scatterAdd of floats accumulate in
 * f64 in row-major order of the operand (a contraction: of the contracted axes as listed) and round once per
 * element of the result; those of integers wrap at every step.
 */
export function evaluate(order: readonly Node[], leaf: (n: Node) => TypedArray): Map<Node, TypedArray> {
  const values = new Map<Node, TypedArray>();
  for (const n of order) {
    const src = n.src.map((s) => {
      const value = values.get(s);
      if (value === undefined) throw new InternalError(`evaluate: ${n.op} comes before its operand ${s.op}`);
      return value;
    });
    values.set(n, evaluateNode(n, src, leaf));
  }
  return values;
}

/** The value of one node, given those of its operands. */
export function evaluateNode(n: Node, src: readonly TypedArray[], leaf: (n: Node) => TypedArray): TypedArray {
  const value = isElementwise(n)
    ? evaluateElementwise(n, src)
    : (rules[n.op as keyof typeof rules] as Rule<Op>)(n, src, leaf);
  if (value.length !== sizeOf(n.shape))
    throw new InternalError(`evaluate: ${n.op} of shape [${n.shape}] was given ${value.length} elements`);
  return value;
}

type Rule<K extends Op> = (
  n: Node<K>,
  src: readonly TypedArray[],
  leaf: (n: Node) => TypedArray,
) => TypedArray;

const provided = (n: Node, _: readonly TypedArray[], leaf: (n: Node) => TypedArray): TypedArray => leaf(n);
const same = (_: Node, [x]: readonly TypedArray[]): TypedArray => x!;

function iota(n: Node<"iota">): TypedArray {
  const { shape, axis, dtype } = n.attrs;
  const out = allocate(dtype, sizeOf(shape));
  const inner = sizeOf(shape.slice(axis + 1));
  for (let i = 0; i < out.length; i++) writeElement(dtype, out, i, Math.floor(i / inner) % shape[axis]!);
  return out;
}

function constant(n: Node<"constant">): TypedArray {
  const out = allocate(n.dtype, 1);
  writeElement(n.dtype, out, 0, n.attrs.value);
  return out;
}

const rules: { readonly [K in Exclude<Op, ElementwiseOp>]: Rule<K> } = {
  input: provided,
  hostScalar: provided,
  constant,
  iota,
  variable: same,
  detach: same,
  stated: same,
  recomputed: same,
  custom: () => allocate("f32", 0),
  customResult: same,
  ...reductionRules,
  ...movementRules,
  ...specialRules,
};
