import { allocate, isFloat } from "../base/dtype.ts";
import { evaluate } from "../ir/evaluate.ts";
import { isOp, topological } from "../ir/node.ts";
import { undoEffects } from "./realize.ts";
import type { Storage } from "./storage.ts";
import { Trace, withTrace } from "./trace.ts";

/**
 * What `fn` would write a NaN or an infinity to, by label. Nothing is carried out: what it asks for is worked out by
 * the reference evaluator, slowly, so this is for when a check has failed.
 */
export function nonFiniteWrites(fn: () => void): string[] {
  const trace = new Trace(true);
  try {
    return withTrace(trace, () => {
      fn();
      const writes = [...trace.writes].filter(([{ dtype }]) => isFloat(dtype));
      const values = evaluate(topological(writes.map(([, value]) => value)), (leaf) => {
        if (isOp(leaf, "hostScalar")) return allocate(leaf.dtype, 1).fill(leaf.attrs.compute());
        return (leaf.attrs as { source: Storage }).source.read();
      });
      return writes
        .filter(([, value]) => !values.get(value)!.every(Number.isFinite))
        .map(([{ storage }]) => storage.label || "a value");
    });
  } finally {
    undoEffects(trace);
    trace.open = false;
  }
}
