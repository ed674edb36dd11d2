import { isFloat } from "../base/dtype.ts";
import { evaluate } from "../ir/evaluate.ts";
import { topological } from "../ir/node.ts";
import { numbersOf } from "./finite.ts";
import { leafValue } from "./non-finite.ts";
import { notCarriedOut } from "./realize.ts";

/**
 * What `fn` would write a NaN or an infinity to, by label. Nothing is carried out: what it asks for is worked out by
 * the reference evaluator, slowly, so this is for when a check has failed.
 */
export const nonFiniteWrites = (fn: () => void): string[] =>
  notCarriedOut((trace) => {
    fn();
    // As each was when it was asked for: computed now, the key of a random draw would be that of a later one.
    const numbers = numbersOf(trace);
    const writes = [...trace.writes].filter(([{ dtype }]) => isFloat(dtype));
    const order = topological(writes.map(([, value]) => value));
    const values = evaluate(order, (leaf) => leafValue(leaf, numbers));
    return writes
      .filter(([, value]) => !values.get(value)!.every(Number.isFinite))
      .map(([{ storage }]) => storage.label || "a value");
  });
