import type { ThawError } from "../../base/errors.ts";
import type { Storage } from "../../engine/storage.ts";
import { addCheck, currentTrace, storedLeaf } from "../../engine/trace.ts";
import type { Node } from "../../ir/node.ts";
import { like } from "../../tensor/operations/elementwise.ts";
import { any } from "../../tensor/operations/reduction.ts";

/** What elements of a tensor must be, said for a number, for a node, and in an error. */
export interface Demand {
  /** Whether a number is as it must be. */
  readonly meets: (value: number) => boolean;
  /** Where elements are not, bool. */
  readonly fails: Node;
  /** The error; of a value and where it is, where these are known. */
  readonly error: (value?: number, place?: number) => ThawError;
}

/**
 * Checks elements of `given` at once where its values are known, else before the next step writes anything; what is made
 * of `guarded` has no value where the check fails.
 */
export function checkElements(given: Node, { meets, fails, error }: Demand, guarded: Node): void {
  const storage = storedLeaf(given)?.attrs.source as Storage | undefined;
  if (storage !== undefined && !storage.resident && !currentTrace().recording) {
    for (const [i, value] of storage.read().entries()) if (!meets(value)) throw error(value, i);
    return;
  }
  addCheck(like(any(fails), [], "i32", "check"), () => error(), guarded);
}
