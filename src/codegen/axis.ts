import { type DType, isFloat } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import { settings } from "../base/settings.ts";
import { constant, count, KernelBuilder, ops, ref, typeOf } from "../lowered/build.ts";
import type { Expr, Lowered, Name, Place } from "../lowered/ir.ts";
import { verify } from "../lowered/verify.ts";
import type { AxisKernel } from "../plan/kernel.ts";
import { axis, inner, outer, stridesOf } from "./axis-parts.ts";
import { cellOf } from "./cells.ts";
import { lowerScatter } from "./scatter.ts";

const { add, and, convert, div, lt, mul, ne, not, or, sub, within } = ops;

/** Work along one axis, element by element: tasks are outer indices. `lanes`: elements in the target's vectors. */
export function lowerAxis(kernel: AxisKernel, lanes: number): Lowered {
  const lowered = lower(kernel, lanes);
  if (settings.verify) verify(lowered);
  return lowered;
}

function lower(kernel: AxisKernel, lanes: number): Lowered {
  const { kind, accesses } = kernel;
  for (const { dtype } of accesses)
    if (kind !== "scatter" && ["i8", "f16", "bf16"].includes(dtype))
      throw new DTypeError(`no kernel along an axis for ${dtype}; cast to f32 first`);
  if (kind === "scatter" || kind === "scatterAdd") return lowerScatter(kernel, kind, lanes);
  const b = new KernelBuilder();
  for (const [i, { dtype }] of accesses.entries())
    b.access({
      cell: cellOf(dtype),
      memory: { argument: i, alias: i },
      // argmax has one result along the axis.
      extents: [outer, kind === "argmax" && i === 1 ? count(1) : axis, inner],
      strides: stridesOf(i),
      written: i === 1,
    });
  b.for(
    outer,
    (o) =>
      b.for(inner, (i) => {
        const at = (access: number) => (along: Expr) => ({ access, at: [o, along, i] });
        bodies[kind]({ b, dtype: accesses[0]!.dtype, source: at(0), result: at(1) });
      }),
    { hint: "o", parallel: "tasks" },
  );
  return b.kernel(kind);
}

/** One line of elements: places in the operand and the result by their indices along the axis. */
interface Line {
  readonly b: KernelBuilder;
  readonly dtype: DType;
  source(index: Expr): Place;
  result(index: Expr): Place;
}

const zero = count(0);
const one = count(1);

/** Whether x sorts after y (descending: before it); NaN counts as the largest. */
function after(dtype: DType, x: Expr, y: Expr, descending = false): Expr {
  const [big, small] = descending ? [y, x] : [x, y];
  const greater = lt(small, big);
  return isFloat(dtype) ? or(greater, and(ne(big, big), not(ne(small, small)))) : greater;
}

function argmax({ b, dtype, source, result }: Line): void {
  const top = b.var("top", b.load(source(within(zero, axis, "empty axes have no maximum"))));
  const best = b.var("best", constant(typeOf("i32"), 0));
  b.for(
    axis,
    (i) => {
      const value = b.let("value", b.load(source(i)));
      b.if(after(dtype, value, ref(top)), () => {
        b.set(top, value);
        b.set(best, convert(i, "i32"));
      });
    },
    { from: one },
  );
  b.store(result(zero), ref(best));
}

/** Floats are added in f64 and rounded only when stored, as the definition does and PyTorch on the CPU; i32 wraps. */
function cumsum({ b, dtype, source, result }: Line): void {
  const wide = isFloat(dtype) ? "f64" : "i32";
  const sum = b.var("sum", constant(typeOf(wide), 0));
  b.for(axis, (i) => {
    const value = b.load(source(i));
    b.set(sum, add(ref(sum), convert(value, wide)));
    b.store(result(i), convert(ref(sum), value.type.scalar));
  });
}

/**
 * Indices by heap sort, which needs no memory but the result. It is stable because equal values are told apart by their
 * indices: no two elements are the same in the order that it sorts by.
 */
function argsort(descending: boolean) {
  return ({ b, dtype, source, result }: Line): void => {
    /** An element's index, which the result holds at some place, and its value. */
    const element = (at: Expr) => {
      const index = b.let("index", b.load(result(at)));
      return { index, value: b.let("value", valueAt(index)) };
    };
    const valueAt = (index: Expr) =>
      b.load(source(within(convert(index, "index"), axis, "the result holds indices along the axis")));
    const comesAfter = (x: Expr, i: Expr, y: Expr, j: Expr) =>
      or(after(dtype, x, y, descending), and(lt(j, i), not(after(dtype, y, x, descending))));
    const write = (at: Expr, index: Expr) => b.store(result(at), index);
    const index = (hint: string, value: Expr, below: Expr): Name =>
      b.var(hint, value, { least: zero, below });
    b.for(axis, (i) => write(i, convert(i, "i32")));
    // [0, last) is unsorted; what is at `start` and after it is in a heap, the last in order at its top.
    const start = index("start", div(axis, count(2)), add(axis, one));
    const last = index("last", axis, add(axis, one));
    const moved = b.var("moved", constant(typeOf("i32"), 0));
    b.while(lt(one, ref(last)), () => {
      const take = (from: Name) => {
        const before = b.let("before", sub(ref(from), one));
        b.set(moved, b.load(result(before)));
        return before;
      };
      b.if(
        lt(zero, ref(start)),
        () => b.set(start, take(start)),
        () => {
          const before = take(last);
          write(before, b.load(result(within(zero, axis, "there are two elements at least"))));
          b.set(last, before);
        },
      );
      const value = b.let("value", valueAt(ref(moved)));
      const root = index("root", within(ref(start), axis, "a heap's root is one of the elements"), axis);
      const child = index("child", add(mul(ref(root), count(2)), one), add(axis, axis));
      b.while(lt(ref(child), ref(last)), () => {
        const first = element(ref(child));
        const candidate = b.var("candidate", first.index);
        const best = b.var("best", first.value);
        b.if(lt(add(ref(child), one), ref(last)), () => {
          const rival = element(add(ref(child), one));
          b.if(comesAfter(rival.value, rival.index, ref(best), ref(candidate)), () => {
            b.set(child, add(ref(child), one));
            b.set(candidate, rival.index);
            b.set(best, rival.value);
          });
        });
        b.if(not(comesAfter(ref(best), ref(candidate), value, ref(moved))), () => b.break());
        write(ref(root), ref(candidate));
        b.set(root, within(ref(child), axis, "a child is one of the elements"));
        b.set(child, add(mul(ref(root), count(2)), one));
      });
      write(ref(root), ref(moved));
    });
  };
}

const bodies: {
  readonly [K in Exclude<AxisKernel["kind"], "scatter" | "scatterAdd">]: (line: Line) => void;
} = {
  argmax,
  cumsum,
  argsort: argsort(false),
  argsortDescending: argsort(true),
};
