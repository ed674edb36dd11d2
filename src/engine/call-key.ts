import type { DType } from "../base/dtype.ts";
import { idOf } from "../base/identity.ts";
import type { Shape } from "../base/shape.ts";

/** What stands before the parts of an argument that is not one value by itself. */
const marks = {
  tensor: Symbol("tensor"),
  array: Symbol("array"),
  object: Symbol("object"),
  other: Symbol("other"),
};

/** Whether a value is a plain object, whose properties are arguments themselves. */
export const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype;

/** The arguments of a call as a flat list: what a recording is kept by. Objects of other kinds are in it as numbers. */
export class CallKey {
  readonly parts: unknown[] = [];

  /** A tensor: its dtype and shape, and where it is if it is resident (else -1). */
  tensor(dtype: DType, shape: Shape, resident: number): void {
    this.parts.push(marks.tensor, dtype, resident, shape.length);
    for (const size of shape) this.parts.push(size);
  }

  array(length: number): void {
    this.parts.push(marks.array, length);
  }

  object(properties: number): void {
    this.parts.push(marks.object, properties);
  }

  /** Anything that is compared as it is. */
  value(value: unknown): void {
    if (value === null || (typeof value !== "object" && typeof value !== "function")) this.parts.push(value);
    else this.parts.push(marks.other, idOf(value));
  }

  /** What most keys differ in. */
  get #first(): unknown {
    return typeof this.parts[0] === "symbol" ? this.parts[1] : this.parts[0];
  }

  static readonly firstOf = (key: CallKey): unknown => key.#first;
}

function sameParts(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  // NaN is the same as NaN.
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && !Object.is(a[i], b[i])) return false;
  return true;
}

/** Things by the keys of calls: a list to each first part, as comparing costs less than a text to look up. */
export class ByCallKey<V> {
  readonly #lists = new Map<unknown, { readonly key: CallKey; readonly value: V }[]>();

  get(key: CallKey): V | undefined {
    return this.#lists.get(CallKey.firstOf(key))?.find((entry) => sameParts(entry.key.parts, key.parts))
      ?.value;
  }

  set(key: CallKey, value: V): void {
    const first = CallKey.firstOf(key);
    const list = this.#lists.get(first);
    if (list === undefined) this.#lists.set(first, [{ key, value }]);
    else list.push({ key, value });
  }

  delete(key: CallKey): void {
    const first = CallKey.firstOf(key);
    const left = (this.#lists.get(first) ?? []).filter((entry) => !sameParts(entry.key.parts, key.parts));
    if (left.length === 0) this.#lists.delete(first);
    else this.#lists.set(first, left);
  }
}
