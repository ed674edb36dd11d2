import type { Binding, Executable, Result } from "../backends/contract.ts";
import { ArgumentError } from "../base/errors.ts";
import type { Plan } from "../plan/plan.ts";

/**
 * One run of a plan, in milliseconds of `performance.now()`; `ends`: when each kernel had ended, in nanoseconds from the
 * start of the first; NaN of one that has not run.
 */
export interface TimedRun {
  readonly plan: Plan;
  readonly start: number;
  readonly end: number;
  readonly ends: Float64Array;
}

/** Work that a run may need before it: a step's graph, its plan, its kernels. */
export type Preparation = "recording" | "planning" | "compiling";

/** Such work, in milliseconds of `performance.now()`; `inner`: those of other such work within it. */
export interface TimedPreparation {
  readonly name: Preparation;
  readonly start: number;
  readonly end: number;
  readonly inner: number;
}

/** Who is told what takes time. */
export interface Observer {
  run(run: TimedRun): void;
  prepared(work: TimedPreparation): void;
}

let observer: Observer | null = null;
/** Milliseconds of preparations that have ended within the present one. */
let inner = 0;

/**
 * Has every run of a plan, and what prepares it, timed and told, until what it gives is called. Throws `ArgumentError`
 * where somebody else is being told.
 */
export function observeRuns(told: Observer): () => void {
  if (observer !== null) throw new ArgumentError("profile: another profile is under way; await it first");
  observer = told;
  return () => {
    observer = null;
  };
}

/** Runs a plan: the one place that does. */
export function runPlan(
  { plan, executable }: { readonly plan: Plan; readonly executable: Executable },
  bindings: readonly Binding[],
  scalars: Float64Array,
  results: readonly Result[],
): number {
  if (observer === null) return executable.run(bindings, scalars, results);
  const ends = new Float64Array(plan.calls.length).fill(Number.NaN);
  const start = performance.now();
  const failed = executable.run(bindings, scalars, results, ends);
  observer.run({ plan, start, end: performance.now(), ends });
  return failed;
}

/** Does work that prepares runs. */
export function preparing<T>(name: Preparation, work: () => T): T {
  if (observer === null) return work();
  const outside = inner;
  inner = 0;
  const start = performance.now();
  try {
    return work();
  } finally {
    const end = performance.now();
    observer.prepared({ name, start, end, inner });
    inner = outside + end - start;
  }
}
