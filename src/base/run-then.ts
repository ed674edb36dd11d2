import { isPromiseLike } from "./promise.ts";

/**
 * Runs `fn` and then `after`: when `fn` returns or throws, or when its promise settles if it gives one. `after` is told
 * what it failed with; what `after` throws is thrown in place of that.
 */
export function runThen<T>(fn: () => T, after: (failure: { readonly error: unknown } | null) => void): T {
  let result: T;
  try {
    result = fn();
  } catch (error) {
    after({ error });
    throw error;
  }
  if (!isPromiseLike(result)) {
    after(null);
    return result;
  }
  return result.then(
    (value) => {
      after(null);
      return value;
    },
    (error: unknown) => {
      after({ error });
      throw error;
    },
  ) as T;
}
