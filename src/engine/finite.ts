import { NonFiniteError } from "../base/errors.ts";
import type { Node } from "../ir/node.ts";
import { noteOrigins } from "../ir/origin.ts";
import { type Compute, NonFiniteSearch } from "./non-finite.ts";
import { nonFiniteText } from "./non-finite-text.ts";
import type { Trace } from "./trace.ts";

/** What looks at a graph while `detectAnomaly` is on. A bundle without that has no search either. */
let search: ((roots: readonly Node[], trace: Trace, product: Compute) => void) | null = null;

/** Whether `detectAnomaly` is on. */
export const isCheckingFinite = (): boolean => search !== null;

/**
 * Turns the search for NaN and infinity on or off (as `torch.autograd.set_detect_anomaly`). While on, every step
 * is first run on the reference evaluator, slowly, and throws `NonFiniteError` naming the first operation that
 * makes a non-finite value of finite ones, and the line that called it, before anything is written.
 */
export function detectAnomaly(enabled: boolean): void {
  search = enabled ? refuse : null;
  noteOrigins(enabled);
}

/** While `detectAnomaly` is on, throws `NonFiniteError` if some node of a graph makes a non-finite value; the trace has what the host gave it; see `NonFiniteSearch`. */
export function refuseNonFinite(roots: readonly Node[], trace: Trace, product: Compute): void {
  search?.(roots, trace, product);
}

function refuse(roots: readonly Node[], trace: Trace, product: Compute): void {
  const found = new NonFiniteSearch(numbersOf(trace), product).first(roots);
  if (found === null) return;
  throw new NonFiniteError(
    `A value is ${found.value}; nothing was updated. ${nonFiniteText(found, () => null)}`,
  );
}

/** The numbers that the host gave to a trace. */
export const numbersOf = ({ events }: Trace): Map<Node, number> =>
  new Map(events.flatMap((event) => ("effect" in event ? [] : [[event.scalar, event.value]])));
