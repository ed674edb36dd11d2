import type { Tensor } from "./tensor.ts";

/** Integers that were 64 bits wide in the file they came from: i32 here, and I64 again when they are written. */
export const wideIntegers = new WeakSet<Tensor>();

/** Has `to`, which takes its value from `from`, be written in the same width. */
export function keepWidth(from: Tensor, to: Tensor): void {
  if (wideIntegers.has(from)) wideIntegers.add(to);
}
