import { InternalError } from "../base/errors.ts";
import {
  add,
  cast,
  div,
  eq,
  filled,
  filledLike,
  flip,
  le,
  lt,
  mul,
  neg,
  permute,
  reshape,
  restore,
  sub,
  where,
} from "../ir/build.ts";
import { type Node, node } from "../ir/node.ts";
import type { Op } from "../ir/op.ts";
import { attentionOperand } from "./vjp-attention.ts";
import {
  allReduceOperand,
  concatOperand,
  dotLeft,
  dotRight,
  expandOperand,
  extremum,
  prodOperand,
  sliceOperand,
} from "./vjp-structured.ts";

/**
 * The gradient that one operand of `n` gets, given the gradient `g` of `n`. `g` has the dtype that `n` computes in.
 * Conventions where a function has a kink are PyTorch's.
 */
export type OperandRule<K extends Op> = (n: Node<K>, g: Node, operand: number) => Node;

/** A rule per operand, null where none flows; the last one serves all further operands. */
export type VjpRule<K extends Op> = readonly (OperandRule<K> | null)[];

/** Piecewise constant: the gradient is there, and zero (PyTorch's choice, not null). */
const zero = (_: Node, g: Node): Node => filledLike(0, g);
const pass = (_: Node, g: Node): Node => g;

const together = (n: Node): Node => {
  throw new InternalError(`${n.op}: backward makes its gradients itself`);
};

/** The gradient of max and min goes to the operand that was taken, and in halves to both where they are equal. */
const taken =
  (loses: (mine: Node, other: Node) => Node) =>
  (n: Node, g: Node, operand: number): Node => {
    const mine = n.src[operand]!;
    const other = n.src[1 - operand]!;
    const half = mul(g, filledLike(0.5, g));
    return where(eq(mine, other), half, where(loses(mine, other), filledLike(0, g), g));
  };
const notMax = taken(lt);
const notMin = taken((mine, other) => lt(other, mine));

/** 2 / √π · e^(-x²), the slope of erf. */
const bell = (x: Node): Node => mul(filledLike(2 / Math.sqrt(Math.PI), x), node("exp", [neg(mul(x, x))], {}));

/** Gradient rules of every primitive. They may use the node's own value, and are differentiable themselves. */
export const vjpRules: { readonly [K in Op]: VjpRule<K> } = {
  input: [],
  constant: [],
  hostScalar: [],
  iota: [],
  variable: [pass],
  detach: [null],
  stated: [null, (n, g, operand) => n.attrs.rules[operand - 1]!(g, n)],
  recomputed: [pass],
  // Gradients of all operands come from those of all results together: `backward` sees to them.
  custom: [together],
  customResult: [null, together],
  neg: [(_, g) => neg(g)],
  abs: [({ src: [x] }, g) => mul(g, node("sign", [x!], {}))],
  sign: [zero],
  floor: [zero],
  ceil: [zero],
  round: [zero],
  sqrt: [(n, g) => div(g, mul(n, filledLike(2, n)))],
  exp: [(n, g) => mul(g, n)],
  log: [({ src: [x] }, g) => div(g, x!)],
  expm1: [(n, g) => mul(g, add(n, filledLike(1, n)))],
  log1p: [({ src: [x] }, g) => div(g, add(x!, filledLike(1, x!)))],
  sin: [({ src: [x] }, g) => mul(g, node("cos", [x!], {}))],
  cos: [({ src: [x] }, g) => mul(g, neg(node("sin", [x!], {})))],
  tanh: [(n, g) => mul(g, sub(filledLike(1, n), mul(n, n)))],
  sigmoid: [(n, g) => mul(mul(g, sub(filledLike(1, n), n)), n)],
  erf: [({ src: [x] }, g) => mul(g, bell(x!))],
  erfc: [({ src: [x] }, g) => neg(mul(g, bell(x!)))],
  // NaN is not ≤ 0, so its gradient passes, as PyTorch's does.
  relu: [(n, g) => where(le(n, filledLike(0, n)), filledLike(0, g), g)],
  not: [null],
  cast: [({ src: [x] }, g) => cast(g, x!.dtype === "f64" ? "f64" : "f32")],
  add: [pass, pass],
  sub: [pass, (_, g) => neg(g)],
  mul: [({ src: [, b] }, g) => mul(g, b!), ({ src: [a] }, g) => mul(g, a!)],
  div: [({ src: [, b] }, g) => div(g, b!), (n, g) => neg(mul(g, div(n, n.src[1]!)))],
  pow: [
    // x⁰ is 1 everywhere, at 0 too, so its slope is 0 and not 0 · x⁻¹.
    ({ src: [x, e] }, g) => {
      const slope = mul(e!, node("pow", [x!, sub(e!, filledLike(1, e!))], {}));
      return where(eq(e!, filledLike(0, e!)), filledLike(0, g), mul(g, slope));
    },
    // 0ᵉ is flat in e ≥ 0, where log 0 would make it NaN.
    (n, g) => {
      const [x, e] = n.src as readonly [Node, Node];
      const flat = node("and", [eq(x, filledLike(0, x)), le(filledLike(0, e), e)], {});
      return where(flat, filledLike(0, g), mul(g, mul(n, node("log", [x], {}))));
    },
  ],
  max: [notMax, notMax],
  min: [notMin, notMin],
  remainder: [
    pass,
    // a - remainder is a whole multiple of b, so rounding the quotient gives ⌊a / b⌋ where dividing first may not.
    (n, g) => neg(mul(g, node("round", [div(sub(n.src[0]!, n), n.src[1]!)], {}))),
  ],
  eq: [null],
  lt: [null],
  le: [null],
  and: [null],
  or: [null],
  xor: [null],
  shl: [null],
  shr: [null],
  where: [
    null,
    ({ src: [c] }, g) => where(c!, g, filledLike(0, g)),
    ({ src: [c] }, g) => where(c!, filledLike(0, g), g),
  ],
  fma: [({ src: [, b] }, g) => mul(g, b!), ({ src: [a] }, g) => mul(g, a!), pass],
  sum: [(n, g) => restore(g, n.attrs.axes, n.src[0]!.shape)],
  maxReduce: [(n, g) => extremum(n, g, n.attrs.axes)],
  minReduce: [(n, g) => extremum(n, g, n.attrs.axes)],
  prod: [prodOperand],
  argmax: [null],
  reshape: [({ src: [x] }, g) => reshape(g, x!.shape)],
  permute: [
    ({ attrs: { axes } }, g) =>
      permute(
        g,
        axes.map((_, i) => axes.indexOf(i)),
      ),
  ],
  expand: [expandOperand],
  slice: [sliceOperand],
  pad: [
    ({ src: [x], attrs }, g) =>
      node("slice", [g], { start: attrs.low, size: x!.shape, step: x!.shape.map(() => 1) }),
  ],
  concat: [concatOperand],
  barrier: [pass],
  dot: [dotLeft, dotRight],
  gather: [
    ({ src: [x, indices], attrs }, g) =>
      node("scatterAdd", [filled(0, x!.shape, g.dtype), indices!, g], { axis: attrs.axis }),
    null,
  ],
  scatterAdd: [
    pass,
    null,
    ({ src: [, indices], attrs }, g) => node("gather", [g, indices!], { axis: attrs.axis }),
  ],
  // Where indices repeat, an update that another one replaced gets that one's gradient, as in PyTorch.
  scatter: [
    ({ src: [, indices], attrs }, g) =>
      node("scatter", [g, indices!, filled(0, indices!.shape, g.dtype)], { axis: attrs.axis }),
    null,
    ({ src: [, indices], attrs }, g) => node("gather", [g, indices!], { axis: attrs.axis }),
  ],
  argsort: [null],
  cumsum: [({ attrs: { axis } }, g) => flip(node("cumsum", [flip(g, axis)], { axis }), axis)],
  attention: [attentionOperand("query"), attentionOperand("key"), attentionOperand("value"), null],
  // It is made where gradients are not to have gradients.
  attentionGradient: [null],
  allReduce: [allReduceOperand],
  // Plans have them, and graphs that gradients are made of do not.
  exchange: [null],
  received: [null],
  randomBits: [null],
};
