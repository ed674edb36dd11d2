import { currentBackend } from "../backends/registry.ts";
import { ArgumentError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { table } from "../base/table.ts";
import type { ExplainedKernel, Peaks, PlanExplanation } from "../plan/plan.ts";
import { observeRuns, type TimedRun } from "./run-plan.ts";

/** Options of `profile`. */
export interface ProfileOptions {
  /** Calls that are timed; default 10. */
  calls?: number;
  /** Calls before them, which record, plan and compile; default 3. */
  warmup?: number;
}

/** What one kernel of a plan has taken, or what is no kernel. */
export interface ProfileRow {
  /** The operations of a kernel; or "bindings and copies", "JavaScript". */
  readonly name: string;
  readonly kind: ExplainedKernel["kind"] | "host";
  readonly extents: readonly number[];
  /** Times that it ran. */
  readonly runs: number;
  /** Of all runs together. */
  readonly seconds: number;
  /** Of the wall time, 0 to 1. */
  readonly share: number;
  /** FLOP/s and bytes/s; 0 of what is no kernel. */
  readonly flopsPerSecond: number;
  readonly bytesPerSecond: number;
  /** The larger of its parts of the machine's peaks, 0 to 1; null where there are none. */
  readonly ofPeak: number | null;
}

/** A run of a plan, for the trace. */
interface TracedRun extends TimedRun {
  readonly kernels: readonly ExplainedKernel[];
}

/** Where the time of some calls has gone. As text, a table. */
export class Profile {
  readonly calls: number;
  /** Of all calls together, as a clock on the wall would have it. */
  readonly seconds: number;
  readonly peaks: Peaks | null;
  /** Kernels, those that took longest first, then the rest of the time: they add up to `seconds`. */
  readonly rows: readonly ProfileRow[];
  readonly #runs: readonly TracedRun[];

  constructor(calls: number, seconds: number, peaks: Peaks | null, runs: readonly TracedRun[]) {
    this.calls = calls;
    this.seconds = seconds;
    this.peaks = peaks;
    this.#runs = runs;
    this.rows = this.#tally();
  }

  #tally(): ProfileRow[] {
    const found = new Map<string, { kernel: ExplainedKernel; runs: number; seconds: number }>();
    let [walking, running] = [0, 0];
    for (const { plan, kernels, start, end, ends } of this.#runs) {
      running += (end - start) / 1e3;
      for (const [i, kernel] of kernels.entries()) {
        const took = (ends[i]! - (i === 0 ? 0 : ends[i - 1]!)) / 1e9;
        // What a check has stopped has not run.
        if (!(took > 0)) continue;
        const key = `${plan.id} ${i}`;
        const entry = found.get(key) ?? { kernel, runs: 0, seconds: 0 };
        entry.runs++;
        entry.seconds += took;
        walking += took;
        found.set(key, entry);
      }
    }
    const kernels = [...found.values()].map(({ kernel, runs, seconds }): ProfileRow => {
      const flopsPerSecond = (kernel.flops * runs) / seconds;
      const bytesPerSecond = (kernel.bytes * runs) / seconds;
      return {
        name: kernel.name,
        kind: kernel.kind,
        extents: kernel.extents,
        runs,
        seconds,
        share: seconds / this.seconds,
        flopsPerSecond,
        bytesPerSecond,
        ofPeak:
          this.peaks === null
            ? null
            : Math.max(flopsPerSecond / this.peaks.flops, bytesPerSecond / this.peaks.bytes),
      };
    });
    const host = (name: string, seconds: number): ProfileRow => ({
      name,
      kind: "host",
      extents: [],
      runs: this.calls,
      seconds,
      share: seconds / this.seconds,
      flopsPerSecond: 0,
      bytesPerSecond: 0,
      ofPeak: null,
    });
    return [
      ...kernels.sort((a, b) => b.seconds - a.seconds),
      host("bindings and copies", Math.max(0, running - walking)),
      host("JavaScript", Math.max(0, this.seconds - Math.max(running, walking))),
    ];
  }

  toString(): string {
    const percent = (part: number) => `${(part * 100).toFixed(1)} %`;
    const rows = this.rows.map((row) => [
      row.kind,
      row.extents.length === 0 ? "" : shapeText(row.extents),
      `${row.runs}`,
      `${((row.seconds / this.calls) * 1e6).toPrecision(4)}`,
      percent(row.share),
      row.kind === "host" ? "" : (row.flopsPerSecond / 1e9).toFixed(1),
      row.kind === "host" ? "" : (row.bytesPerSecond / 1e9).toFixed(1),
      row.ofPeak === null ? "" : percent(row.ofPeak),
      row.name,
    ]);
    const head = ["kind", "extents", "runs", "µs a call", "share", "GFLOP/s", "GB/s", "of peak", "what"];
    const peaks =
      this.peaks === null
        ? ""
        : `; this machine: ${(this.peaks.flops / 1e9).toFixed(0)} GFLOP/s, ${(this.peaks.bytes / 1e9).toFixed(1)} GB/s`;
    const each = ((this.seconds / this.calls) * 1e3).toPrecision(4);
    return [...table(head, rows), `${this.calls} calls, ${each} ms each${peaks}`].join("\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  /** The runs as a Chrome trace, which chrome://tracing and Perfetto open: JSON of complete events, in microseconds. */
  toChromeTrace(): string {
    const events: object[] = [];
    const add = (name: string, cat: string, ts: number, dur: number, args: object, tid: number) =>
      events.push({ name, cat, ph: "X", ts, dur, pid: 1, tid, args });
    for (const { plan, kernels, start, end, ends } of this.#runs) {
      add(`plan ${plan.id}`, "plan", start * 1e3, (end - start) * 1e3, { kernels: kernels.length }, 1);
      for (const [i, { name, kind, extents, flops, bytes }] of kernels.entries()) {
        const from = i === 0 ? 0 : ends[i - 1]!;
        const took = ends[i]! - from;
        if (took > 0) add(name, kind, start * 1e3 + from / 1e3, took / 1e3, { extents, flops, bytes }, 2);
      }
    }
    return JSON.stringify({ traceEvents: events, displayTimeUnit: "ns" });
  }
}

/**
 * Times what calls of `fn` take, kernel by kernel, beside what the machine can do: steps, captured or not, or anything
 * else that computes. Throws `ArgumentError` where `calls` is not a whole number of at least 1.
 */
export async function profile(fn: () => unknown, options: ProfileOptions = {}): Promise<Profile> {
  const { calls = 10, warmup = 3 } = options;
  if (!Number.isInteger(calls) || calls < 1)
    throw new ArgumentError(`profile: calls is ${calls}; it must be a whole number of at least 1`);
  for (let i = 0; i < warmup; i++) await fn();
  const runs: TimedRun[] = [];
  const stop = observeRuns((run) => runs.push(run));
  const start = performance.now();
  try {
    for (let i = 0; i < calls; i++) await fn();
  } finally {
    stop();
  }
  const seconds = (performance.now() - start) / 1e3;
  const explained = new Map<number, PlanExplanation>();
  const traced = runs.map((run): TracedRun => {
    const { id } = run.plan;
    if (!explained.has(id)) explained.set(id, run.plan.explain());
    return { ...run, kernels: explained.get(id)!.kernels };
  });
  return new Profile(calls, seconds, currentBackend().peaks?.() ?? null, traced);
}
