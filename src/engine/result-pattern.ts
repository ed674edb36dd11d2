import { ArgumentError } from "../base/errors.ts";
import { disown, isPromiseLike } from "../base/promise.ts";
import { isPlainObject } from "./call-key.ts";

/** Makes a result out of its tensors. */
export type Fill<T> = (tensors: readonly T[]) => unknown;

/**
 * What gives results of the form of `value`, which may be a tensor, a plain value, or arrays and plain objects of
 * them; its tensors are added to `found`, in order.
 */
export function patternOf<T>(value: unknown, is: (v: unknown) => v is T, found: T[]): Fill<T> {
  if (is(value)) {
    const index = found.push(value) - 1;
    return (tensors) => tensors[index];
  }
  if (Array.isArray(value)) {
    const items = value.map((v) => patternOf(v, is, found));
    return (tensors) => {
      const result: unknown[] = [];
      for (let i = 0; i < items.length; i++) result.push(items[i]!(tensors));
      return result;
    };
  }
  if (value === null || typeof value !== "object") return constant(value);
  if (isPromiseLike(value)) disown(value);
  if (!isPlainObject(value))
    throw new ArgumentError(
      "capture: a captured function returns tensors, plain values, or arrays and plain objects of them" +
        (isPromiseLike(value) ? ", at once: not a promise" : ""),
    );
  const names = Object.keys(value);
  const properties = names.map((name) => patternOf(value[name], is, found));
  return (tensors) => {
    const result: Record<string, unknown> = {};
    for (let i = 0; i < names.length; i++) result[names[i]!] = properties[i]!(tensors);
    return result;
  };
}

/** Made out here, where no tensor of the recording is in reach. */
const constant =
  (value: unknown): Fill<unknown> =>
  () =>
    value;

/** Stands for a tensor in a form. */
const tensor = Symbol("tensor");

/** What a result is but for what its tensors are: plain values, names, and where tensors are. */
export function formOf(value: unknown, is: (v: unknown) => boolean, form: unknown[] = []): unknown[] {
  if (is(value)) form.push(tensor);
  else if (Array.isArray(value)) {
    form.push("array", value.length);
    for (const v of value) formOf(v, is, form);
  } else if (isPlainObject(value)) {
    const names = Object.keys(value);
    form.push("object", names.length);
    for (const name of names) {
      form.push(name);
      formOf(value[name], is, form);
    }
  } else form.push(value);
  return form;
}
