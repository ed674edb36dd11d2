import { ArgumentError } from "../base/errors.ts";
import { disown, isPromiseLike } from "../base/promise.ts";
import { shapeText } from "../base/shape.ts";
import { Tensor } from "../tensor/tensor.ts";

/** Throws for what is no list of calls: a task's arguments stand in an array of their own. */
export function refuseCalls(calls: readonly unknown[]): void {
  if (!Array.isArray(calls) || !calls.every(Array.isArray))
    throw new ArgumentError(
      "together: give an array of calls, each an array of the arguments of its loss: [[x, y], [u, v]]",
    );
}

/** Throws where there are no calls, or not a finite weight for each; null: each has a weight of 1. */
export function refuseWeights(calls: number, weights: readonly number[] | null): void {
  if (calls === 0) throw new ArgumentError("together: no calls; give the arguments of at least one");
  if (weights === null) return;
  if (weights.length !== calls || !weights.every(Number.isFinite))
    throw new ArgumentError(
      `together: weights are [${weights.join(", ")}] for ${calls} calls; give each a finite number`,
    );
}

/** Throws for an argument without elements, a mean over which would be NaN, and for one that is not there yet. */
export function refuseArguments(args: readonly unknown[]): void {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg instanceof Tensor) {
      if (arg.numel > 0) continue;
      throw new ArgumentError(
        `trainStep: argument ${i + 1} is an empty batch, of shape ${shapeText(arg.shape)}; skip it`,
      );
    }
    if (isPromiseLike(arg)) {
      disown(arg);
      throw new ArgumentError(`trainStep: argument ${i + 1} is a promise; await it before the call`);
    }
  }
}

/** What a call is called in a report: the strings among its arguments. */
export function taskOf(args: readonly unknown[]): string {
  let task = "";
  for (const arg of args) if (typeof arg === "string") task = task === "" ? arg : `${task} ${arg}`;
  return task;
}
