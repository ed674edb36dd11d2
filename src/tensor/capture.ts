import { ArgumentError } from "../base/errors.ts";
import { refuseOptions, wholeFrom } from "../base/options.ts";
import { type Captured, type CaptureOptions, makeCapture } from "../engine/capture.ts";
import { currentTrace } from "../engine/trace.ts";
import { discardGradients } from "./recorded-gradients.ts";
import { Tensor } from "./tensor.ts";

const record = makeCapture<Tensor>({
  is: (value): value is Tensor => value instanceof Tensor,
  make: (n) => new Tensor(n),
});

/**
 * Records `fn` once per combination of plain arguments, tensor shapes and state (modes, frozen set, structure of the
 * optimizer), then replays it as one plan. Plain numbers it closes over become constants. Values cannot be read
 * inside; only what is returned (a tensor, or an array or object of tensors) leaves, and gradients do not.
 */
export function capture<A extends unknown[], R>(
  fn: (...args: A) => R,
  options: CaptureOptions = {},
): Captured<A, R> {
  if (typeof fn !== "function")
    throw new ArgumentError(`capture: takes a function, not ${fn === null ? "null" : typeof fn}`);
  refuseOptions("capture", options, { check: wholeFrom(0), finish: null });
  return captureThen(fn, (out) => out, options);
}

/**
 * As `capture`, of a function and of what is done `then` with what it gives, which must follow from that and from cells
 * alone: where a call is recorded again, it is so only if the function does something else than before.
 */
export function captureThen<A extends unknown[], H, R>(
  fn: (...args: A) => H,
  then: (out: H, args: A) => R,
  options: CaptureOptions = {},
): Captured<A, R> {
  const finish = (): void => {
    options.finish?.();
    discardGradients(currentTrace());
  };
  return record(fn, { ...options, finish }, then);
}
