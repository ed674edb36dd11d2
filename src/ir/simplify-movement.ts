import { isFloat, roundTo } from "../base/dtype.ts";
import { type Shape, sameShape } from "../base/shape.ts";
import { isOp, type Node } from "./node.ts";
import type { OpAttrs } from "./op.ts";
import { type Builder, constantOf } from "./simplify-builder.ts";

/** Movement chains become one, movement that moves nothing goes away, and constants stay constants. All exact. */

const isReshape = (n: Node): n is Node<"reshape"> => isOp(n, "reshape");

/** A uniform constant in another shape, or null. */
function uniform(x: Node, shape: Shape, b: Builder): Node | null {
  const c = constantOf(x);
  return c === null ? null : b.filled(c, shape, x.dtype);
}

/** Simplification of the movement primitives. */
export const movementSimplifications = {
  reshape: ([x]: readonly Node[], { shape }: OpAttrs["reshape"], b: Builder): Node | null => {
    if (sameShape(x!.shape, shape)) return x!;
    if (isReshape(x!)) return b.make("reshape", x.src, { shape });
    // A reshaped constant is made anew, unless it is the reshape that `filled` itself starts from.
    return x!.op === "constant" && shape.every((d) => d === 1) ? null : uniform(x!, shape, b);
  },

  permute: ([x]: readonly Node[], { axes }: OpAttrs["permute"], b: Builder): Node | null => {
    const moves = axes.filter((a) => x!.shape[a] !== 1);
    if (moves.every((a, i) => i === 0 || a > moves[i - 1]!))
      return b.make("reshape", [x!], { shape: axes.map((a) => x!.shape[a]!) });
    if (isOp(x!, "permute"))
      return b.make("permute", x.src, { axes: axes.map((a) => (x as Node<"permute">).attrs.axes[a]!) });
    return uniform(
      x!,
      axes.map((a) => x!.shape[a]!),
      b,
    );
  },

  expand: ([x]: readonly Node[], { shape }: OpAttrs["expand"], b: Builder): Node | null => {
    if (sameShape(x!.shape, shape)) return x!;
    if (isOp(x!, "expand")) return b.make("expand", x.src, { shape });
    // expand(reshape(constant)) is the very form that constants are kept in.
    return isReshape(x!) && x.src[0]!.op === "constant" ? null : uniform(x!, shape, b);
  },

  slice: ([x]: readonly Node[], attrs: OpAttrs["slice"], b: Builder): Node | null => {
    const { start, size, step } = attrs;
    if (sameShape(size, x!.shape) && start.every((s, i) => s === 0 && (step[i] === 1 || size[i] === 1)))
      return x!;
    const constant = uniform(x!, size, b);
    if (constant !== null || size.includes(0)) return constant;
    if (isOp(x!, "slice")) {
      const inner = x.attrs;
      return b.make("slice", x.src, {
        start: start.map((s, i) => inner.start[i]! + s * inner.step[i]!),
        size,
        step: step.map((s, i) => s * inner.step[i]!),
      });
    }
    if (isOp(x!, "pad")) {
      const { low } = x.attrs;
      const inside = (index: number, axis: number): boolean => index >= 0 && index < x.src[0]!.shape[axis]!;
      const moved = start.map((s, i) => s - low[i]!);
      if (moved.every((s, i) => inside(s, i) && inside(s + (size[i]! - 1) * step[i]!, i)))
        return b.make("slice", x.src, { start: moved, size, step });
    }
    return null;
  },

  pad: ([x]: readonly Node[], { low, high, value }: OpAttrs["pad"], b: Builder): Node | null => {
    if (low.every((p) => p === 0) && high.every((p) => p === 0)) return x!;
    if (Object.is(constantOf(x!), roundTo(x!.dtype, value)))
      return uniform(
        x!,
        x!.shape.map((d, i) => d + low[i]! + high[i]!),
        b,
      );
    if (!isOp(x!, "pad") || !Object.is(x.attrs.value, value)) return null;
    const inner = x.attrs;
    return b.make("pad", x.src, {
      low: low.map((p, i) => p + inner.low[i]!),
      high: high.map((p, i) => p + inner.high[i]!),
      value,
    });
  },

  /**
   * Constants are no work that is worth doing later, and movement moves in front: as on the other side of the barrier, it
   * is joined to what follows.
   */
  barrier: ([x]: readonly Node[], { phase }: OpAttrs["barrier"], b: Builder): Node | null => {
    if (constantOf(x!) !== null) return x!;
    if (isOp(x!, "barrier")) return b.make("barrier", x.src, { phase: Math.max(phase, x.attrs.phase) });
    if (!isReshape(x!) && !isOp(x!, "permute") && !isOp(x!, "expand") && !isOp(x!, "slice")) return null;
    return b.make(x.op, [b.make("barrier", x.src, { phase })], x.attrs);
  },

  concat: (src: readonly Node[], { axis }: OpAttrs["concat"], b: Builder): Node | null => {
    if (src.length === 1) return src[0]!;
    const some = src.filter((s) => s.shape[axis] !== 0);
    return some.length === src.length || some.length === 0 ? null : b.make("concat", some, { axis });
  },
};

type ReduceAttrs = { readonly axes: readonly number[] };

/** A reduction over nothing but axes of size 1 moves elements only. */
function overOnes([x]: readonly Node[], { axes }: ReduceAttrs, b: Builder): Node | null {
  if (!axes.every((a) => x!.shape[a] === 1)) return null;
  return b.make("reshape", [x!], { shape: x!.shape.filter((_, i) => !axes.includes(i)) });
}

/** The extremum of a constant is the constant. */
const extremum = (src: readonly Node[], attrs: ReduceAttrs, b: Builder): Node | null =>
  overOnes(src, attrs, b) ??
  uniform(
    src[0]!,
    src[0]!.shape.filter((_, i) => !attrs.axes.includes(i)),
    b,
  );

/** Simplification of the reductions. */
export const reductionSimplifications = {
  maxReduce: extremum,
  minReduce: extremum,
  prod: overOnes,
  /** A sum of whole constants is a product where every partial sum is exact, in whatever order a backend adds. */
  sum: (src: readonly Node[], attrs: ReduceAttrs, b: Builder): Node | null => {
    const moved = overOnes(src, attrs, b);
    if (moved !== null) return moved;
    const x = src[0]!;
    const c = constantOf(x);
    if (c === null) return null;
    const count = attrs.axes.reduce((product, a) => product * x.shape[a]!, 1);
    const exact = x.dtype === "f32" ? 2 ** 24 : 2 ** 53;
    if (isFloat(x.dtype) && !(Number.isInteger(c) && Math.abs(c) * count <= exact)) return null;
    // A sum of nothing is 0, not -0, whatever the constant's sign.
    const total = count === 0 ? 0 : isFloat(x.dtype) ? c * count : Math.imul(c, count);
    return b.filled(
      total,
      x.shape.filter((_, i) => !attrs.axes.includes(i)),
      x.dtype,
    );
  },
  /** A running sum begins with 0, so that of -0 alone is 0: see the rule of `add`. */
  cumsum: ([x]: readonly Node[], { axis }: OpAttrs["cumsum"], b: Builder): Node | null =>
    x!.shape[axis] === 1 ? b.make("add", [x!, b.filled(0, x!.shape, x!.dtype)], {}) : null,
};
