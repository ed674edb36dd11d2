import { isFloat } from "../base/dtype.ts";
import { NonFiniteError } from "../base/errors.ts";
import { addCheck, currentTrace, type Trace } from "../engine/trace.ts";
import { add, isfinite, like, not, or } from "../tensor/operations/elementwise.ts";
import { any } from "../tensor/operations/reduction.ts";
import type { GradientTransform } from "./gradient-transform.ts";
import type { Node } from "./transform.ts";

/** 1 where a value has a NaN or an infinity in it, as a status of a step. */
const status = (x: Node): Node => like(any(not(isfinite(x))), [], "i32", "finite");

/** Stops a step, before it writes anything, one of whose losses or gradients is not finite. */
export function requireFinite(losses: readonly Node[]): GradientTransform {
  return {
    name: "requireFinite",
    apply(gradients) {
      const found = [...losses, ...gradients.values()].map(status).reduce((a, b) => add(a, b));
      addCheck(
        found,
        () => new NonFiniteError("The loss or a gradient is NaN or infinite; nothing was updated."),
      );
      return gradients;
    },
  };
}

/**
 * Stops a step, before it writes anything, that would write a NaN or an infinity: for a rate that is too large for the
 * dtype, a moment or a running statistic that overflows. It is of all that the step has assigned so far.
 */
export function requireFiniteWrites(): void {
  const bad = new Map<string, Node>();
  for (const { dtype, shape, node } of writesOf(currentTrace())) {
    if (!isFloat(dtype)) continue;
    // Those of one shape are looked at together: a parameter and its moments in one pass.
    const key = shape.join();
    const here = not(isfinite(node));
    const before = bad.get(key);
    bad.set(key, before === undefined ? here : or(before, here));
  }
  if (bad.size === 0) return;
  const found = [...bad.values()].map((x) => like(any(x), [], "i32", "finite")).reduce((a, b) => add(a, b));
  addCheck(found, () => {
    const error = new NonFiniteError("The update would write a NaN or an infinity; nothing was updated.");
    ofWrites.add(error);
    return error;
  });
}

const ofWrites = new WeakSet<object>();

/** Whether an error is that of `requireFiniteWrites`, which does not say what would have been written where. */
export const isOfWrites = (error: unknown): boolean =>
  typeof error === "object" && error !== null && ofWrites.has(error);

/** What a trace is to write. */
const writesOf = ({ writes }: Trace) =>
  [...writes].map(([{ dtype, shape }, node]) => ({ dtype, shape, node }));
