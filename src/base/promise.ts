/** Whether a value is a promise, of whatever library. */
export const isPromiseLike = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";

/** Has nobody told if a promise is rejected, where whoever would await it is given another error. */
export function disown(promise: PromiseLike<unknown>): void {
  promise.then(undefined, () => {});
}
