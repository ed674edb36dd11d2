import { isFloat } from "../base/dtype.ts";
import { NonFiniteError } from "../base/errors.ts";
import { onceMore } from "../engine/once-more.ts";
import { addCheck, currentTrace } from "../engine/trace.ts";
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
 * dtype, a moment or a running statistic that overflows. It is of all that the step has assigned so far. What is made of
 * `gradients` element by element is computed once to be looked at and once more to be written, which takes no memory, and
 * less time than to keep all of it in between.
 */
export function requireFiniteWrites(gradients: Iterable<Node>): void {
  const { writes } = currentTrace();
  const values = [...writes].filter(([{ dtype }]) => isFloat(dtype));
  const twice = onceMore(
    values.map(([, value]) => value),
    new Set(gradients),
  );
  const bad = new Map<string, Node>();
  for (const [resident, value] of values) {
    const again = twice.get(value);
    if (again !== undefined) writes.set(resident, again.again);
    // A parameter and its moments are looked at in one pass; and all that is kept, of one shape.
    const key = again === undefined ? value.shape.join() : `${value.shape.join()} of ${again.source.id}`;
    const here = not(isfinite(value));
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
