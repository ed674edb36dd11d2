import { NonFiniteError } from "../base/errors.ts";
import { addCheck } from "../engine/trace.ts";
import { add, isfinite, like, not } from "../tensor/operations/elementwise.ts";
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
