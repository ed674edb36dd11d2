import { currentBackend } from "../backends/registry.ts";
import { allocate, type TypedArray } from "../base/dtype.ts";
import type { ThawError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import { type Node, nextWalk, topological } from "../ir/node.ts";
import { buildPlan } from "../plan/build.ts";
import type { Binding, Executable, Plan } from "../plan/plan.ts";
import { findNonFinite, isCheckingFinite } from "./finite.ts";
import { PlanCache } from "./plan-cache.ts";
import { preparing, runPlan } from "./run-plan.ts";
import { type Signature, signatureOf } from "./signature.ts";
import { slotOf, standInsFor } from "./stand-ins.ts";
import type { Storage } from "./storage.ts";
import {
  type Check,
  currentTrace,
  type Holder,
  hostNode,
  inputNode,
  onOverflow,
  type Resident,
  storedLeaf,
  Trace,
  withTrace,
} from "./trace.ts";

/** What one run computes. */
export interface Request {
  readonly outputs: readonly Node[];
  readonly writes: readonly (readonly [Resident, Node])[];
  readonly checks: readonly Check[];
}

/** A plan ready on a backend, and how a signature's leaves fill its slots. */
export interface Compiled {
  readonly plan: Plan;
  readonly executable: Executable;
  /** Per plan input, the index among the signature's storages; per plan scalar, among its scalars. */
  readonly inputs: readonly number[];
  readonly scalars: readonly number[];
  /** The numbers of its signature. */
  readonly numbers: readonly number[];
  /** Nodes of the graph it came from. */
  readonly size: number;
  /** Holders: the cache, and every recording that replays it. Freed when none is left. */
  users: number;
}

/**
 * Nodes of graphs up to which plans are kept, and recordings by each captured function. What one takes, in memory and
 * to make again, grows with its nodes: all of them together take some 180 MB, be they 800 of a step of a perceptron of
 * 8 layers or 30 of a transformer of 24, whose steps are so long that another 0.1 s now and then adds little.
 */
export const keptNodes = 300_000;

/** Says that something else than the cache holds a plan. */
export function retain(compiled: Compiled): void {
  compiled.users++;
}

/** Takes back `retain`. */
export function release(compiled: Compiled): void {
  if (--compiled.users === 0) compiled.executable.free();
}

const plans = new PlanCache<Compiled>(keptNodes, release);

/** Counts since the start: plans made, and plans held now. */
export const planCounts = (): { made: number; held: number } => ({ made: plans.made, held: plans.size });

/** The leaves that a request's writes go over. */
const targetsOf = ({ writes }: Request): Node<"input">[] =>
  writes.map(([resident]) => inputNode(resident.storage, resident.shape));

const planOf = (
  { outputs, writes, checks }: Request,
  targets: readonly Node<"input">[],
  of: (n: Node) => Node = (n) => n,
): Plan =>
  buildPlan({
    outputs: outputs.map(of),
    writes: writes.map(([, value], i) => ({ target: of(targets[i]!) as Node<"input">, value: of(value) })),
    checks: checks.map((c) => of(c.status)),
    resident: (leaf) => (leaf.attrs.source as Storage).resident,
  });

/** The plan of what `fn` asks for and of the values it gives, which is not carried out: nothing is changed. */
export function planned(fn: () => readonly Node[]): Plan {
  const trace = new Trace(true);
  try {
    return withTrace(trace, () => {
      const outputs = fn();
      const request: Request = { outputs, writes: [...trace.writes], checks: trace.checks };
      return planOf(request, targetsOf(request));
    });
  } finally {
    undoEffects(trace);
    trace.open = false;
  }
}

/** Makes, or finds, the plan of a request. */
export const compile = (request: Request): { compiled: Compiled; signature: Signature } =>
  preparing("planning", () => findOrMake(request));

function findOrMake(request: Request): { compiled: Compiled; signature: Signature } {
  const { outputs, writes, checks } = request;
  const targets = targetsOf(request);
  const roots = [...outputs, ...writes.map(([, value]) => value), ...targets, ...checks.map((c) => c.status)];
  const signature = signatureOf(roots, [outputs.length, writes.length, checks.length]);
  const compiled = plans.get(signature, () => {
    const standIns = standInsFor(signature);
    const plan = planOf(request, targets, standIns.of);
    return {
      plan,
      executable: preparing("compiling", () => currentBackend().load(plan)),
      inputs: plan.graph.leaves.map(slotOf),
      scalars: plan.graph.scalars.map((scalar) => standIns.scalars.indexOf(scalar)),
      numbers: signature.numbers,
      size: signature.order.length,
      users: 1,
    };
  });
  return { compiled, signature };
}

/** Runs a compiled request with the signature's own leaves; gives the outputs' arrays. */
function run(request: Request, trace: Trace): TypedArray[] {
  const { compiled, signature } = compile(request);
  const backend = currentBackend();
  const bindings: Binding[] = compiled.inputs.map((i) => signature.storages[i]!.binding(backend));
  const scalars = Float64Array.from(compiled.scalars, (i) => signature.scalars[i]!.attrs.compute());
  const results = compiled.plan.outputs.map((o) => allocate(o.dtype, sizeOf(o.shape)));
  if (isCheckingFinite()) findNonFinite(signature.order);
  const failed = runPlan(compiled, bindings, scalars, results);
  if (failed >= 0) throw fail(request.checks[failed]!, trace);
  for (const [resident] of request.writes) resident.storage.version++;
  return results;
}

/** The error of a check, left with every pending value that it guards: such a value must not be read unchecked. */
function fail(check: Check, trace: Trace): ThawError {
  const error = check.error(1);
  trace.checks = trace.checks.filter((c) => c !== check);
  trace.refuted = check.guarded;
  trace.pending = trace.pending.filter((holder) => {
    const depends = topological([holder.node]).includes(check.guarded);
    if (depends) holder.failed = error;
    return !depends;
  });
  return error;
}

/** Writes, less those of values that are made of what a check has found to be wrong. */
export function withoutRefuted({ refuted }: Trace, writes: Map<Resident, Node>): Map<Resident, Node> {
  if (refuted === null) return writes;
  return new Map([...writes].filter(([, value]) => !topological([value]).includes(refuted)));
}

/**
 * Computes one pending value, with the scalars and kept values that it is made of, and nothing else, unless writes
 * are waiting: then the whole step.
 */
export function realize(holder: Holder): void {
  const trace = currentTrace();
  if (storedLeaf(holder.node) !== null) return;
  if (trace.writes.size > 0) {
    const kept = holder.kept;
    holder.kept = true;
    trace.pending.push(holder);
    try {
      commit(trace);
    } finally {
      holder.kept = kept;
    }
    if (storedLeaf(holder.node) !== null) return;
  }
  // What it consumes would not be computed by the next step either, so the trace can let go of all of it.
  const consumed = new Set(topological([holder.node]));
  const inside = (h: Holder): boolean => storedLeaf(h.node) !== null || consumed.has(h.node);
  const holders = [holder, ...trace.pending.filter((h) => h !== holder && inside(h) && leaves(h))];
  try {
    settle(holders, run({ outputs: holders.map((h) => h.node), writes: [], checks: trace.checks }, trace));
    trace.checks = [];
  } finally {
    trace.pending = trace.pending.filter((h) => !inside(h));
    if (trace.pending.length === 0 && trace.writes.size === 0) trace.events = [];
  }
}

/** Whether a step computes a pending value although something consumes it. */
const leaves = (h: Holder): boolean => storedLeaf(h.node) === null && (h.kept || h.node.shape.length === 0);

/** Puts computed values in the place of graphs. */
function settle(holders: readonly Holder[], results: readonly TypedArray[]): void {
  const nodes = holders.map((h) => h.node);
  for (const [i, holder] of holders.entries()) {
    const { dtype, shape } = nodes[i]!;
    if (storedLeaf(holder.node) === null) holder.node = hostNode(results[i]!, dtype, shape);
  }
}

/** A pending value that a write stored is from now on what is stored there, until that is overwritten. */
function shareWritten(trace: Trace): void {
  const written = new Map([...trace.writes].map(([resident, value]) => [value, resident]));
  for (const holder of trace.pending) {
    const resident = written.get(holder.node);
    if (resident !== undefined) holder.node = inputNode(resident.storage, resident.shape);
  }
}

/** Undoes the host effects of a trace, last first. */
export function undoEffects(trace: Trace): void {
  for (const event of trace.events.reverse()) if ("effect" in event) event.effect.undo();
  trace.events = [];
}

/** Tells the host effects of a trace that it has been carried out. */
function endEffects(trace: Trace): void {
  for (const event of trace.events) if ("effect" in event) event.effect.done?.();
  trace.events = [];
}

/** The pending values a step computes: those that nothing consumes, scalars, and what is kept. */
function outputsOf(trace: Trace): Holder[] {
  const order = topological([...trace.writes.values(), ...trace.pending.map((h) => h.node)]);
  const consumed = nextWalk();
  for (const n of order) for (const s of n.src) s.mark = consumed;
  // What a write stores can be read from there; anything else that nothing consumes must survive the step.
  for (const value of trace.assigned) value.mark = consumed;
  const unconsumed = (h: Holder): boolean => storedLeaf(h.node) === null && h.node.mark !== consumed;
  return [...new Set(trace.pending)].filter((h) => leaves(h) || unconsumed(h));
}

/** Carries out everything that a trace asks for, as one step. If a check fails, nothing is written or lost. */
export function commit(trace: Trace = currentTrace()): void {
  if (trace.pending.length === 0 && trace.writes.size === 0 && trace.checks.length === 0) {
    endEffects(trace);
    return;
  }
  const holders = outputsOf(trace);
  const request: Request = {
    outputs: holders.map((h) => h.node),
    writes: [...trace.writes],
    checks: trace.checks,
  };
  try {
    if (holders.length > 0 || request.writes.length > 0 || request.checks.length > 0) {
      settle(holders, run(request, trace));
      shareWritten(trace);
    }
    endEffects(trace);
  } catch (error) {
    undoEffects(trace);
    throw error;
  } finally {
    trace.pending = [];
    trace.writes = new Map();
    trace.assigned = [];
    trace.checks = [];
    trace.events = [];
  }
}

onOverflow(() => commit());
