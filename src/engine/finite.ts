import { allocate, isFloat, type TypedArray } from "../base/dtype.ts";
import { NonFiniteError } from "../base/errors.ts";
import { evaluate } from "../ir/evaluate.ts";
import { isOp, type Node } from "../ir/node.ts";
import { print } from "../ir/print.ts";
import type { Storage } from "./storage.ts";

let checking = false;

/** Whether `detectAnomaly` is on. */
export const isCheckingFinite = (): boolean => checking;

/**
 * Turns the search for NaN and infinity on or off (as `torch.autograd.set_detect_anomaly`). While on, every step
 * is first run on the reference evaluator, slowly, and throws `NonFiniteError` naming the first operation that
 * makes a non-finite value of finite ones, before anything is written.
 */
export function detectAnomaly(enabled: boolean): void {
  checking = enabled;
}

const finite = (values: TypedArray): boolean => {
  for (const v of values) if (!Number.isFinite(v)) return false;
  return true;
};

/** Throws `NonFiniteError` if some node of a graph makes a non-finite value. */
export function findNonFinite(order: readonly Node[]): void {
  const values = evaluate(order, (leaf) => {
    if (isOp(leaf, "hostScalar")) return allocate(leaf.dtype, 1).fill(leaf.attrs.compute());
    return (leaf.attrs as { source: Storage }).source.read();
  });
  for (const n of order) {
    if (!isFloat(n.dtype) || finite(values.get(n)!)) continue;
    // Masks and padding use infinity on purpose: a constant is not an anomaly, nor is moving one about.
    if (isOp(n, "constant") || isOp(n, "expand") || isOp(n, "reshape") || isOp(n, "pad")) continue;
    const where = isOp(n, "input")
      ? `${(n.attrs.source as Storage).label || "an input"} holds`
      : `${print([n])} produced`;
    throw new NonFiniteError(
      `${where} a NaN or infinite value; nothing was updated. Check the inputs, lower the learning rate or clip the gradient.`,
    );
  }
}
