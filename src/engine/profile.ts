import type { Peaks } from "../backends/contract.ts";
import { currentBackend } from "../backends/registry.ts";
import { ArgumentError } from "../base/errors.ts";
import { idOf } from "../base/identity.ts";
import { refuseOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import { percent, table } from "../base/table.ts";
import { noteScopes } from "../ir/origin.ts";
import type { KernelCall } from "../plan/kernel.ts";
import type { ExplainedKernel, PlanExplanation } from "../plan/plan.ts";
import { observeRuns, type TimedPreparation, type TimedRun } from "./run-plan.ts";
import { scopesText } from "./scope-text.ts";

/** Options of `profile`. */
export interface ProfileOptions {
  /** Calls that are timed; default 10. */
  calls?: number;
  /** Calls before them, which record, plan and compile; default 3. */
  warmup?: number;
  /** Once it is aborted no further call is made, and the signal's reason is thrown. */
  signal?: AbortSignal;
}

/** What equal kernels, of the same code over as many elements, have taken, or what is no kernel. */
export interface ProfileRow {
  /**
   * The operations of a kernel. On the host: "recording" a captured function, "planning" (finding a plan too),
   * "compiling", "bindings and copies", and "JavaScript": all the rest of what was called.
   */
  readonly name: string;
  readonly kind: ExplainedKernel["kind"] | "host";
  readonly extents: readonly number[];
  /** How many equal ones there are in the plans that ran; 0 of what is no kernel. */
  readonly kernels: number;
  /**
   * What they compute: the forward pass of a module, by its path; the gradient of one; the update of a parameter. Of
   * plans that were made before the profile began, and outside of a step, this is not known.
   */
  readonly from: readonly string[];
  /** Times that they ran, all together. */
  readonly runs: number;
  /** Of all runs together. */
  readonly seconds: number;
  /** Of the wall time, 0 to 1. */
  readonly share: number;
  /** FLOP/s and bytes/s; 0 of what is no kernel. */
  readonly flopsPerSecond: number;
  readonly bytesPerSecond: number;
  /** What part of a peak of the machine it reaches, 0 to 1, and of which: the nearer one. More than 1: in its caches. */
  readonly ofPeak: number;
  readonly bound: "compute" | "memory" | null;
}

/** What equal kernels have taken so far. */
interface Tally {
  readonly kernel: ExplainedKernel;
  runs: number;
  seconds: number;
  readonly calls: Set<KernelCall>;
  readonly from: Set<string>;
}

/** Rows of kernels that a table shows unless all are asked for. */
const shownRows = 40;

/** What a scope is called in a table: without the class of the module. */
const fromText = (scope: string): string =>
  scope.replace(/ \([^()]*\)$/, "").replace(/^the (?=update of)/, "");

/** A run of a plan, for the trace. */
interface TracedRun extends TimedRun {
  readonly kernels: readonly ExplainedKernel[];
}

/** Where the time of some calls has gone. As text, a table. */
export class Profile {
  readonly calls: number;
  /** Of all calls together, as a clock on the wall would have it. */
  readonly seconds: number;
  /** Of the machine, with as many threads as were in use. */
  readonly peaks: Peaks;
  /** Kernels, those that took longest first, then the rest of the time: they add up to `seconds`. */
  readonly rows: readonly ProfileRow[];
  readonly #runs: readonly TracedRun[];
  readonly #preparations: readonly TimedPreparation[];

  constructor(
    calls: number,
    seconds: number,
    peaks: Peaks,
    runs: readonly TracedRun[],
    preparations: readonly TimedPreparation[],
  ) {
    this.calls = calls;
    this.seconds = seconds;
    this.peaks = peaks;
    this.#runs = runs;
    this.#preparations = preparations;
    this.rows = this.#tally();
  }

  #tally(): ProfileRow[] {
    const found = new Map<string, Tally>();
    let [walking, running] = [0, 0];
    for (const { plan, kernels, start, end, ends } of this.#runs) {
      running += (end - start) / 1e3;
      for (const [i, kernel] of kernels.entries()) {
        const took = (ends[i]! - (i === 0 ? 0 : ends[i - 1]!)) / 1e9;
        // What a check has stopped has not run.
        if (Number.isNaN(took)) continue;
        const call = plan.calls[i]!;
        const key = `${idOf(call.kernel)} ${kernel.extents.join()} ${kernel.flops} ${kernel.bytes}`;
        let entry = found.get(key);
        if (entry === undefined)
          found.set(key, (entry = { kernel, runs: 0, seconds: 0, calls: new Set(), from: new Set() }));
        entry.runs++;
        entry.seconds += took;
        walking += took;
        if (entry.calls.has(call)) continue;
        entry.calls.add(call);
        for (const scope of call.scopes ?? []) entry.from.add(fromText(scope));
      }
    }
    const { flops, bytes } = this.peaks;
    const kernels = [...found.values()].map(({ kernel, runs, seconds, calls, from }): ProfileRow => {
      // Where clocks are coarse a kernel may seem to take no time at all.
      const perSecond = seconds > 0 ? runs / seconds : 0;
      const flopsPerSecond = kernel.flops * perSecond;
      const bytesPerSecond = kernel.bytes * perSecond;
      const compute = flopsPerSecond / flops;
      const memory = bytes > 0 ? bytesPerSecond / bytes : 0;
      return {
        name: kernel.name,
        kind: kernel.kind,
        extents: kernel.extents,
        kernels: calls.size,
        from: [...from],
        runs,
        seconds,
        share: seconds / this.seconds,
        flopsPerSecond,
        bytesPerSecond,
        ofPeak: Math.max(compute, memory),
        bound: compute > memory ? "compute" : "memory",
      };
    });
    const host = (name: string, runs: number, seconds: number): ProfileRow => ({
      name,
      kind: "host",
      extents: [],
      kernels: 0,
      from: [],
      runs,
      seconds,
      share: seconds / this.seconds,
      flopsPerSecond: 0,
      bytesPerSecond: 0,
      ofPeak: 0,
      bound: null,
    });
    const prepared = new Map<string, { count: number; seconds: number }>();
    for (const { name, start, end, inner } of this.#preparations) {
      const entry = prepared.get(name) ?? { count: 0, seconds: 0 };
      entry.count++;
      entry.seconds += (end - start - inner) / 1e3;
      prepared.set(name, entry);
    }
    const before = [...prepared].map(([name, { count, seconds }]) => host(name, count, seconds));
    const preparing = before.reduce((sum, { seconds }) => sum + seconds, 0);
    return [
      ...kernels.sort((a, b) => b.seconds - a.seconds),
      host("bindings and copies", this.#runs.length, Math.max(0, running - walking)),
      ...before,
      host("JavaScript", this.calls, Math.max(0, this.seconds - running - preparing)),
    ];
  }

  /** `all`: every row, not only those of the kernels that took longest, and all that a row comes from. */
  toString(options: { readonly all?: boolean } = {}): string {
    refuseOptions("toString", options, { all: null });
    const { all = false } = options;
    const giga = (perSecond: number) => (perSecond / 1e9).toFixed(1);
    const kernels = this.rows.filter(({ kind }) => kind !== "host");
    const left = all ? [] : kernels.slice(shownRows);
    const rows = this.rows
      .filter((row) => !left.includes(row))
      .map((row) => [
        row.kind,
        row.extents.length === 0 ? "" : shapeText(row.extents),
        row.kernels === 0 ? "" : row.kernels,
        row.runs,
        ((row.seconds / row.runs) * 1e6).toFixed(1),
        percent(row.share),
        ...(row.bound === null
          ? ["–", "–", "–", ""]
          : [giga(row.flopsPerSecond), giga(row.bytesPerSecond), percent(row.ofPeak), row.bound]),
        row.name,
        scopesText(row.from, all),
      ]);
    const head = [
      "kind",
      "extents",
      "equal",
      "runs",
      "µs a run",
      "share",
      "GFLOP/s",
      "GB/s",
      "of peak",
      "of",
      "what",
      "from",
    ];
    const lines = table(head, rows);
    if (left.length > 0) {
      const share = left.reduce((sum, row) => sum + row.share, 0);
      lines.push(
        `and ${left.length} more kernels that differ, ${percent(share)} together: --all, or toString({ all: true }), shows them`,
      );
    }
    const { flops, bytes } = this.peaks;
    const machine = `${giga(flops)} GFLOP/s, ${giga(bytes)} GB/s`;
    const each = ((this.seconds / this.calls) * 1e3).toPrecision(4);
    const calls = this.calls === 1 ? "1 call" : `${this.calls} calls`;
    return [...lines, `${calls}, ${each} ms each; this machine: ${machine}`].join("\n");
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
        if (!Number.isNaN(took))
          add(name, kind, start * 1e3 + from / 1e3, took / 1e3, { extents, flops, bytes }, 2);
      }
    }
    for (const { name, start, end } of this.#preparations)
      add(name, "host", start * 1e3, (end - start) * 1e3, {}, 1);
    return JSON.stringify({ traceEvents: events, displayTimeUnit: "ns" });
  }
}

/**
 * Times what calls of `fn` take, kernel by kernel, beside what the machine can do: steps, captured or not, or anything
 * else that computes. Throws `ArgumentError` where `calls` is not a whole number of at least 1.
 */
export async function profile(fn: () => unknown, options: ProfileOptions = {}): Promise<Profile> {
  refuseOptions("profile", options, { calls: null, warmup: null, signal: null });
  const { calls = 10, warmup = 3, signal } = options;
  const call = (): unknown => {
    signal?.throwIfAborted();
    return fn();
  };
  if (!Number.isInteger(calls) || calls < 1)
    throw new ArgumentError(`profile: calls is ${calls}; it must be a whole number of at least 1`);
  // What the calls before make is what is timed.
  const end = noteScopes();
  try {
    for (let i = 0; i < warmup; i++) await call();
    const { read, stop } = startProfile();
    try {
      for (let i = 0; i < calls; i++) await call();
      return read(calls);
    } finally {
      stop();
    }
  } finally {
    end();
  }
}

/** Times everything that computes until `stop`; `read` gives what it was so far, of so many calls. */
export function startProfile(): { read(calls: number): Profile; stop(): void } {
  const runs: TimedRun[] = [];
  const preparations: TimedPreparation[] = [];
  const unobserve = observeRuns({
    run: (run) => runs.push(run),
    prepared: (work) => preparations.push(work),
  });
  const end = noteScopes();
  let stopped = false;
  const stop = (): void => {
    if (stopped) return;
    stopped = true;
    unobserve();
    end();
  };
  const start = performance.now();
  const read = (calls: number): Profile => {
    const seconds = (performance.now() - start) / 1e3;
    const explained = new Map<number, PlanExplanation>();
    const traced = runs.map((run): TracedRun => {
      const { id } = run.plan;
      if (!explained.has(id)) explained.set(id, run.plan.explain());
      return { ...run, kernels: explained.get(id)!.kernels };
    });
    return new Profile(calls, seconds, currentBackend().peaks(), traced, preparations);
  };
  return { read, stop };
}
