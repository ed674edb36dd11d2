import { ArgumentError } from "../../base/errors.ts";
import { Module } from "../../nn/module.ts";
import { Tensor } from "../../tensor/tensor.ts";

/**
 * Throws `ArgumentError` for what cannot be copied to another thread. Tensors and modules could be, as objects with
 * nothing in them.
 */
export function refuseUncopied(what: string, value: unknown, seen = new Set<object>()): void {
  if (typeof value === "function")
    throw new ArgumentError(`${what} is a function, which cannot be copied between threads; give data.`);
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  if (value instanceof Tensor)
    throw new ArgumentError(
      `${what} is a tensor, which stays in its thread; give its data (await t.data()) and make it anew there with tensor() or fromArray().`,
    );
  if (value instanceof Module)
    throw new ArgumentError(
      `${what} is a module, which stays in its thread; give its bytes (saveToBytes({ module })), and load them there (loadFromBytes).`,
    );
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return;
  if (value instanceof Map)
    for (const [key, of] of value) {
      refuseUncopied(`a key of ${what}`, key, seen);
      refuseUncopied(`${what}.get(${String(key)})`, of, seen);
    }
  else if (value instanceof Set) for (const of of value) refuseUncopied(`an element of ${what}`, of, seen);
  else
    for (const [name, of] of Object.entries(value))
      refuseUncopied(Array.isArray(value) ? `${what}[${name}]` : `${what}.${name}`, of, seen);
}
