import { ArgumentError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import { type Resident, watchAssignments } from "../engine/trace.ts";
import { bitsOf } from "../nn/bits.ts";
import { Module } from "../nn/module.ts";
import type { ObservedUpdate, Optimizer } from "../optim/optimizer.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";
import { type Cause, causes, Meter, type Shares } from "./audit-graph.ts";
import { movementOf } from "./audit-movement.ts";
import { AuditReport, type ParameterAudit } from "./audit-report.ts";

/** What moved one parameter at one moment, and how far by each cause. */
export interface AuditEvent {
  /** The optimizer's count of updates, this one included. */
  readonly update: number;
  readonly path: string;
  readonly shares: Partial<Shares>;
}

/** Options of `audit`. */
export interface AuditOptions {
  /** The module whose parameters are watched; the optimizer's, if it was made with one. */
  module?: Module;
  /** How many of the latest events `history` keeps; default 10,000. */
  history?: number;
}

/** What an audit needs of an optimizer. */
type Observed = Pick<Optimizer<{ lr: number }, { step: number }>, "module" | "name" | "observe" | "updates">;

/** What an audit needs of a step made by `trainStep`. */
interface AuditedStep {
  readonly optimizer: Observed;
  readonly module: Module;
}

/** What is known of one parameter. */
interface Watched {
  readonly path: string;
  readonly parameter: Parameter;
  readonly start: ReturnType<typeof bitsOf>;
  /** By part: a parameter may be trained in regions. */
  readonly meters: Map<Region | null, Meter>;
  /** The same, of updates while its `requiresGrad` was false. */
  readonly unasked: Map<Region | null, Meter>;
  readonly writes: Meter;
  readonly writers: Set<string>;
}

/**
 * Watches an optimizer, or a step made by `trainStep`, and attributes every movement of every parameter to its cause:
 * gradient, momentum (what the state remembers), coupled or decoupled decay, a direct write, or averaging. It works in
 * hand-written loops, captured or not, and costs a few passes over what is updated; `stop()` ends it.
 */
export function audit(target: Observed | AuditedStep, options: AuditOptions = {}): Audit {
  refuseOptions("audit", options, { module: null, history: null });
  const optimizer = "optimizer" in target ? target.optimizer : target;
  const module = options.module ?? ("optimizer" in target ? target.module : optimizer.module);
  if (!(module instanceof Module))
    throw new ArgumentError(
      `audit: this ${optimizer.name} was made of parameters, not of a module, so they have no names; pass { module }`,
    );
  return new Audit(module, optimizer, "optimizer" in target, options.history ?? 10_000);
}

/** A running audit. */
export class Audit {
  /** What has happened, the latest last. */
  readonly history: AuditEvent[] = [];
  readonly #watched = new Map<Resident, Watched>();
  readonly #optimizer: Observed;
  /** Whether what is not updated is so because the step freezes it. */
  readonly #ofStep: boolean;
  readonly #limit: number;
  readonly #ends: readonly (() => void)[];
  /** What the optimizer is about to write itself. */
  #expected: Resident | null = null;

  constructor(module: Module, optimizer: Observed, ofStep: boolean, limit: number) {
    this.#optimizer = optimizer;
    this.#ofStep = ofStep;
    this.#limit = limit;
    for (const [path, parameter] of module.namedParameters())
      this.#watched.set(parameter.resident, {
        path,
        parameter,
        start: bitsOf(parameter, "audit"),
        meters: new Map(),
        unasked: new Map(),
        writes: new Meter([]),
        writers: new Set(),
      });
    this.#ends = [
      optimizer.observe((update) => this.#measure(update)),
      watchAssignments((resident, value, writer) => this.#see(resident, value, writer)),
    ];
  }

  #measure(update: ObservedUpdate): void {
    const watched = this.#watched.get(update.parameter.resident);
    if (watched === undefined) return;
    const { path } = watched;
    const meters = update.parameter.requiresGrad ? watched.meters : watched.unasked;
    let meter = meters.get(update.region);
    if (meter === undefined) meters.set(update.region, (meter = new Meter(update.value.shape)));
    meter.measure(update, () => this.#note(path + (update.region?.text ?? ""), meter.last));
    this.#expected = update.parameter.resident;
  }

  #see(resident: Resident, value: Parameters<Resident["assign"]>[0], writer: string | null): void {
    const watched = this.#watched.get(resident);
    if (watched === undefined) return;
    if (this.#expected === resident) {
      this.#expected = null;
      return;
    }
    const cause = writer?.startsWith("EMA") ? "averaging" : "direct write";
    watched.writers.add(writer ?? "a direct write");
    watched.writes.measureWrite(cause, resident.node, value, () =>
      this.#note(watched.path, { [cause]: watched.writes.last[cause] }),
    );
  }

  #note(path: string, shares: Partial<Shares>): void {
    const moving = Object.fromEntries(Object.entries(shares).filter(([, length]) => length !== 0));
    this.history.push({ update: this.#optimizer.updates, path, shares: moving });
    if (this.history.length > this.#limit) this.history.splice(0, this.history.length - this.#limit);
  }

  /** What has moved since the audit began, why, and what of it is a leak. */
  report(): AuditReport {
    return new AuditReport([...this.#watched.values()].map((watched) => this.#audited(watched)));
  }

  #audited({ path, parameter, start, meters, unasked, writes, writers }: Watched): ParameterAudit {
    const asked = [...meters.values()];
    const all = [...asked, ...unasked.values()];
    const updates = Math.max(0, ...all.map((meter) => meter.updates));
    return {
      path,
      updates,
      shares: sumOf([writes, ...all].map((meter) => meter.total)),
      unreachedShares: sumOf(asked.map((meter) => meter.unreached)),
      unaskedUpdates: Math.max(0, ...[...unasked.values()].map((meter) => meter.updates)),
      unaskedShares: sumOf([...unasked.values()].map((meter) => meter.total)),
      frozen: parameter.frozen || !parameter.requiresGrad || (this.#ofStep && updates === 0),
      writers: [...writers],
      elements: parameter.numel,
      ...movementOf(parameter, start, bitsOf(parameter, "audit"), meters),
    };
  }

  /** Ends the audit; its report stays. */
  stop(): void {
    for (const end of this.#ends) end();
  }
}

const sumOf = (all: readonly Shares[]): Shares =>
  Object.fromEntries(
    causes.map((cause) => [cause, all.reduce((sum, shares) => sum + shares[cause], 0)]),
  ) as Record<Cause, number>;
