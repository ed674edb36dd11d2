import type { TypedArray } from "../base/dtype.ts";
import type { Binding, Executable, Plan } from "../plan/plan.ts";

/** One run of a plan, in milliseconds of `performance.now()`; `ends`: nanoseconds from the start of its first kernel. */
export interface TimedRun {
  readonly plan: Plan;
  readonly start: number;
  readonly end: number;
  readonly ends: Float64Array;
}

let observer: ((run: TimedRun) => void) | null = null;

/** Has every run of a plan timed and told, until what it gives is called. */
export function observeRuns(tell: (run: TimedRun) => void): () => void {
  const before = observer;
  observer = tell;
  return () => {
    observer = before;
  };
}

/** Runs a plan: the one place that does. */
export function runPlan(
  { plan, executable }: { readonly plan: Plan; readonly executable: Executable },
  bindings: readonly Binding[],
  scalars: Float64Array,
  results: readonly TypedArray[],
): number {
  if (observer === null) return executable.run(bindings, scalars, results);
  const ends = new Float64Array(plan.calls.length);
  const start = performance.now();
  const failed = executable.runTimed(bindings, scalars, results, ends);
  observer({ plan, start, end: performance.now(), ends });
  return failed;
}
