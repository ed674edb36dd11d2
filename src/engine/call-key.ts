import type { DType } from "../base/dtype.ts";
import { idOf } from "../base/identity.ts";
import type { Shape } from "../base/shape.ts";

/** What stands before the parts of an argument that is not one value by itself. */
const marks = {
  tensor: Symbol("tensor"),
  array: Symbol("array"),
  object: Symbol("object"),
  other: Symbol("other"),
  number: Symbol("number"),
};

/** Whether a value is a plain object, whose properties are arguments themselves. */
export const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype;

/**
 * The arguments of a call as a flat list: what a recording is kept by. Objects of other kinds are in it as numbers. One
 * key is filled anew at each call; what is kept is a copy.
 */
export class CallKey {
  #parts: unknown[] = [];
  #length = 0;
  /** Where in the parts plain numbers stand. */
  #numbers: number[] = [];

  /** Empties it. */
  restart(): void {
    this.#length = 0;
    if (this.#numbers.length > 0) this.#numbers = [];
  }

  #push(part: unknown): void {
    this.#parts[this.#length++] = part;
  }

  /** A tensor: its dtype and shape, and where it is if it is resident (else -1). */
  tensor(dtype: DType, shape: Shape, resident: number): void {
    this.#push(marks.tensor);
    this.#push(dtype);
    this.#push(resident);
    this.#push(shape.length);
    for (let i = 0; i < shape.length; i++) this.#push(shape[i]);
  }

  array(length: number): void {
    this.#push(marks.array);
    this.#push(length);
  }

  object(properties: number): void {
    this.#push(marks.object);
    this.#push(properties);
  }

  /** Anything that is compared as it is. */
  value(value: unknown): void {
    if (typeof value === "number") this.#numbers.push(this.#length);
    if (value === null || (typeof value !== "object" && typeof value !== "function")) this.#push(value);
    else {
      this.#push(marks.other);
      this.#push(idOf(value));
    }
  }

  /** What most keys differ in. */
  get first(): unknown {
    return typeof this.#parts[0] === "symbol" ? this.#parts[1] : this.#parts[0];
  }

  copy(): CallKey {
    const copy = new CallKey();
    copy.#parts = this.#parts.slice(0, this.#length);
    copy.#length = this.#length;
    copy.#numbers = [...this.#numbers];
    return copy;
  }

  /** A copy with a mark in the place of each number; null where it has none. */
  withoutNumbers(): CallKey | null {
    if (this.#numbers.length === 0) return null;
    const form = this.copy();
    for (const at of this.#numbers) form.#parts[at] = marks.number;
    return form;
  }

  equals(other: CallKey): boolean {
    if (this.#length !== other.#length) return false;
    const [a, b] = [this.#parts, other.#parts];
    // NaN is the same as NaN, and -0 is not 0: a step that divides by it does something else.
    for (let i = 0; i < this.#length; i++) if (!Object.is(a[i], b[i])) return false;
    return true;
  }
}

/** Things by the keys of calls: a list to each first part, as comparing costs less than a text to look up. */
export class ByCallKey<V> {
  readonly #lists = new Map<unknown, { readonly key: CallKey; readonly value: V }[]>();

  get(key: CallKey): V | undefined {
    const list = this.#lists.get(key.first);
    if (list === undefined) return undefined;
    for (let i = 0; i < list.length; i++) if (list[i]!.key.equals(key)) return list[i]!.value;
    return undefined;
  }

  set(key: CallKey, value: V): void {
    const list = this.#lists.get(key.first);
    if (list === undefined) this.#lists.set(key.first, [{ key, value }]);
    else list.push({ key, value });
  }

  delete(key: CallKey): void {
    const left = (this.#lists.get(key.first) ?? []).filter((entry) => !entry.key.equals(key));
    if (left.length === 0) this.#lists.delete(key.first);
    else this.#lists.set(key.first, left);
  }
}
