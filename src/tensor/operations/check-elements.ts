import type { ThawError } from "../../base/errors.ts";
import { sizeOf } from "../../base/shape.ts";
import type { Storage } from "../../engine/storage.ts";
import { addCheck, currentTrace, storedLeaf } from "../../engine/trace.ts";
import { cast } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";

/** What elements of a tensor must be, said for a number, for a node, and in an error. */
export interface Demand {
  /** Whether a number is as it must be. */
  readonly meets: (value: number) => boolean;
  /** Where elements are not, bool; made only where the step has to look. */
  readonly fails: () => Node;
  /** The error; of a value and where it is, where these are known. */
  readonly error: (value?: number, place?: number) => ThawError;
}

/**
 * Checks elements of `given` at once where its values are known, and gives null; else before the next step writes
 * anything, and gives what `guarded` makes: what is made of that has no value where the check fails.
 */
export function checkElements(
  given: Node,
  { meets, fails, error }: Demand,
  guarded: () => Node,
): Node | null {
  if (sizeOf(given.shape) === 0) return null;
  const storage = storedLeaf(given)?.attrs.source as Storage | undefined;
  if (storage !== undefined && !storage.resident && !currentTrace().recording) {
    const values = storage.read();
    for (let i = 0; i < values.length; i++) if (!meets(values[i]!)) throw error(values[i]!, i);
    return null;
  }
  const failures = cast(fails(), "i32");
  const axes = failures.shape.map((_, i) => i);
  const checked = guarded();
  addCheck(axes.length === 0 ? failures : node("maxReduce", [failures], { axes }), () => error(), checked);
  return checked;
}
