import type { Binding, Executable } from "../backends/contract.ts";
import { currentBackend } from "../backends/registry.ts";
import { allocate, type TypedArray } from "../base/dtype.ts";
import type { ThawError } from "../base/errors.ts";
import { sizeOf } from "../base/shape.ts";
import { foldedValue } from "../ir/lift.ts";
import { becomeInput, latestId, markOperands, type Node, node, topological } from "../ir/node.ts";
import { buildPlan, type PlanRequest } from "../plan/build.ts";
import { type Plan, type PlanWithGraph, withoutGraph } from "../plan/plan.ts";
import { carriedNodes } from "./carried.ts";
import { isCheckingFinite, refuseNonFinite } from "./finite.ts";
import { PlanCache } from "./plan-cache.ts";
import { preparing, runPlan } from "./run-plan.ts";
import { type Signature, signatureOf } from "./signature.ts";
import { type PlanScalar, slotOf, standInsFor } from "./stand-ins.ts";
import { presentStorage, type Storage } from "./storage.ts";
import {
  type Check,
  currentTrace,
  type Holder,
  hostNode,
  onUnread,
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
  /** Per plan input, the index among the signature's storages. */
  readonly inputs: readonly number[];
  readonly scalars: readonly PlanScalar[];
  /** The numbers of its signature. */
  readonly numbers: Float64Array;
  /** Nodes of the graph it came from. */
  readonly size: number;
  /** Holders: the cache, and every recording that replays it. Freed when none is left. */
  users: number;
}

/**
 * Nodes of graphs up to which plans are kept, and recordings by each captured function. What one takes, in memory and
 * to make again, grows with its nodes: all of them together take some 120 MB, be they 800 of a step of a perceptron of
 * 8 layers or 18 of a transformer of 24, whose steps are so long that another 0.1 s now and then adds little.
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
const targetsOf = ({ writes }: Request): Node<"input">[] => writes.map(([resident]) => resident.stored);

const planOf = (
  { outputs, writes, checks }: Request,
  targets: readonly Node<"input">[],
  { replaced, order }: Pick<PlanRequest, "replaced" | "order"> = {},
): PlanWithGraph =>
  buildPlan({
    outputs,
    writes: writes.map(([, value], i) => ({ target: targets[i]!, value })),
    checks: checks.map((c) => c.status),
    replaced,
    order,
    resident: (leaf) => (leaf.attrs.source as Storage).resident,
  });

/** Has `fn` ask for things in a trace of its own, which is not carried out: nothing is changed. */
export function notCarriedOut<T>(fn: (trace: Trace) => T): T {
  const trace = new Trace(true);
  try {
    return withTrace(trace, () => fn(trace));
  } finally {
    undoEffects(trace);
    trace.open = false;
  }
}

/** Makes the plan of what `fn` asks for and of the values it gives when it is asked for; it is not carried out. */
export const planned = (fn: () => readonly Node[]): (() => PlanWithGraph) =>
  notCarriedOut((trace) => {
    const outputs = fn();
    const request: Request = { outputs, writes: [...trace.writes], checks: trace.checks };
    const targets = targetsOf(request);
    return () => planOf(request, targets);
  });

/** Makes, or finds, the plan of a request. */
export const compile = (request: Request): { compiled: Compiled; signature: Signature } =>
  preparing("planning", () => findOrMake(request));

function findOrMake(request: Request): { compiled: Compiled; signature: Signature } {
  const { outputs, writes, checks } = request;
  const targets = targetsOf(request);
  const roots = [...outputs, ...writes.map(([, value]) => value), ...targets, ...checks.map((c) => c.status)];
  const signature = signatureOf(roots, [outputs.length, writes.length, checks.length]);
  const compiled = plans.get(signature, (lifted) => {
    const standIns = standInsFor(signature, lifted);
    const made = planOf(request, targets, { replaced: standIns.replaced, order: signature.order });
    return {
      plan: withoutGraph(made),
      executable: preparing("compiling", () => currentBackend().load(made)),
      inputs: made.graph.leaves.map(slotOf),
      scalars: made.graph.scalars.map(standIns.from),
      numbers: signature.numbers,
      size: signature.order.length,
      users: 1,
    };
  });
  return { compiled, signature };
}

/** A number that a plan takes, for the graph of a signature. */
export const scalarOf = ({ scalars, order }: Signature, { scalar, constant }: PlanScalar): number =>
  constant >= 0 ? foldedValue(order[constant]!)! : scalars[scalar]!.attrs.compute();
/** Throws `NonFiniteError` where anomalies are looked for and a request makes one. */
export function checkFinite({ outputs, writes, checks }: Request, trace: Trace): void {
  if (!isCheckingFinite()) return;
  const roots = [...outputs, ...writes.map(([, value]) => value), ...checks.map((c) => c.status)];
  refuseNonFinite(roots, trace, computeAlone);
}

/** The value of one node on the current backend, given those of its operands; what is pending is left alone. */
export function computeAlone(n: Node, operands: readonly TypedArray[]): TypedArray {
  const leaves = n.src.map((s, i) => hostNode(operands[i]!, s.dtype, s.shape));
  const { compiled, signature } = compile({ outputs: [node(n.op, leaves, n.attrs)], writes: [], checks: [] });
  const bindings = compiled.inputs.map((i) => signature.storages[i]!.binding(currentBackend()));
  const result = allocate(n.dtype, sizeOf(n.shape));
  runPlan(compiled, bindings, new Float64Array(0), [result]);
  return result;
}

/** Runs a compiled request with the signature's own leaves; gives the outputs' arrays. */
function run(request: Request, trace: Trace): TypedArray[] {
  const { compiled, signature } = compile(request);
  const backend = currentBackend();
  const bindings: Binding[] = compiled.inputs.map((i) => signature.storages[i]!.binding(backend));
  const scalars = Float64Array.from(compiled.scalars, (s) => scalarOf(signature, s));
  const results = compiled.plan.outputs.map((o) => allocate(o.dtype, sizeOf(o.shape)));
  checkFinite(request, trace);
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

/** Where a value is, once it is computed; throws `StaleTensorError` where something else has been stored there since. */
export function storageOf(holder: Holder): Storage {
  realize(holder);
  return presentStorage(storedLeaf(holder.node)!);
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
    if (resident !== undefined) holder.node = resident.stored;
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

/** All that a trace asks for. */
const askedOf = (trace: Trace): Node[] => [...trace.writes.values(), ...trace.pending.map((h) => h.node)];

/** The pending values a step computes: those that nothing consumes of what is asked for, scalars, and what is kept. */
function outputsOf(trace: Trace, asked: readonly Node[]): Holder[] {
  const consumed = markOperands(asked);
  // What a write stores can be read from there; anything else that nothing consumes must survive the step.
  for (const value of trace.assigned) value.mark = consumed;
  const unconsumed = (h: Holder): boolean => storedLeaf(h.node) === null && h.node.mark !== consumed;
  return [...new Set(trace.pending)].filter((h) => leaves(h) || unconsumed(h));
}

/**
 * Carries out everything that a trace asks for, as one step. If a check fails, nothing is written or lost. Nobody asked
 * for an `unasked` one: whatever the program still holds can be computed after it as before.
 */
export function commit(trace: Trace = currentTrace(), { unasked = false } = {}): void {
  if (trace.pending.length === 0 && trace.writes.size === 0 && trace.checks.length === 0) {
    endEffects(trace);
    return;
  }
  const asked = askedOf(trace);
  const holders = outputsOf(trace, asked);
  const carried = unasked ? carriedNodes(topological(asked), trace.newest) : [];
  trace.newest = latestId();
  const request: Request = {
    outputs: holders.map((h) => h.node).concat(carried),
    writes: [...trace.writes],
    checks: trace.checks,
  };
  try {
    if (holders.length > 0 || request.writes.length > 0 || request.checks.length > 0) {
      if (unasked) for (const [resident] of request.writes) resident.preserve();
      const results = run(request, trace);
      settle(holders, results);
      for (let i = 0; i < carried.length; i++) {
        const n = carried[i]!;
        if (storedLeaf(n) === null)
          becomeInput(n, hostNode(results[holders.length + i]!, n.dtype, n.shape).attrs);
      }
      if (unasked) for (const [resident, value] of request.writes) resident.adopt(value);
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
    trace.backwards = 0;
    if (trace.rewrites.size > 0) trace.rewrites.clear();
  }
}

/** Carries out what is pending, then what `fn` asks for, in a trace of its own: if it throws, nothing of it is done. */
export function carriedOut<T>(fn: () => T): T {
  commit();
  const trace = new Trace(false);
  try {
    return withTrace(trace, () => {
      const made = fn();
      commit(trace);
      return made;
    });
  } catch (error) {
    undoEffects(trace);
    throw error;
  }
}

onUnread(() => commit(currentTrace(), { unasked: true }));
