import { ArgumentError } from "../base/errors.ts";
import { disown, isPromiseLike } from "../base/promise.ts";
import { inScope } from "../ir/origin.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { LossResult } from "./differentiate.ts";

/**
 * Calls a loss function; throws `ArgumentError` for one that is asynchronous: what it would do later is no part of the
 * step, so it is not begun where that can be seen.
 */
export function callLoss<A extends unknown[]>(loss: (...args: A) => LossResult, args: A): LossResult {
  if (Object.prototype.toString.call(loss) === "[object AsyncFunction]") throw promised("a promise");
  const result: unknown = inScope("the loss", () => loss(...args));
  if (isPromiseLike(result)) {
    disown(result);
    throw promised("a promise");
  }
  if (typeof result === "object" && result !== null && !(result instanceof Tensor)) {
    const names: string[] = [];
    for (const [name, value] of Object.entries(result)) {
      if (!isPromiseLike(value)) continue;
      disown(value);
      names.push(name);
    }
    if (names.length > 0) throw promised(`a promise as ${names.join(", ")}`);
  }
  return result as LossResult;
}

const promised = (what: string): ArgumentError =>
  new ArgumentError(
    `trainStep: loss gave ${what}; it must give a tensor, or { loss, … }, at once. ` +
      "Await what it needs before the call, and pass it as an argument.",
  );
