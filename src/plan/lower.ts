import { dtypes } from "../base/dtype.ts";
import { numberText } from "../base/exact-text.ts";
import { settings } from "../base/settings.ts";
import { sizeOf } from "../base/shape.ts";
import { isOp, type Node, topological } from "../ir/node.ts";
import { notesScopes, scopeOf } from "../ir/origin.ts";
import { verify } from "../ir/verify.ts";
import { type Cluster, clusterize, isComputed } from "./cluster.ts";
import { reads, stagesOf } from "./in-place.ts";
import type { KernelCall } from "./kernel.ts";
import { lowerContract } from "./lower-contract.ts";
import { lowerLoop, lowerWholeCopy } from "./lower-loop.ts";
import { lowerSingle } from "./lower-single.ts";
import { assignOffsets, type Span } from "./memory.ts";
import type { Plan, PlanBuffer, PlanGraph } from "./plan.ts";
import { prepare } from "./prepare.ts";
import { schedule } from "./schedule.ts";
import { viewOf } from "./view.ts";

/** One step of the schedule: a cluster's kernel, or a copy that follows it. */
interface Job {
  readonly cluster: Cluster | null;
  /** A node copied into a status word or over an input. */
  readonly copy: { readonly from: Node; readonly check: boolean; readonly slot: number } | null;
  readonly deps: Set<Job>;
  priority: number;
}

/** Kernels, order and memory of a graph. */
export function lower(
  graph: PlanGraph,
  resident: (leaf: Node<"input">) => boolean,
): Omit<Plan, "id" | "graph" | "explain"> {
  const prepared = prepare([...graph.outputs, ...graph.writes.map((w) => w.value), ...graph.checks]);
  const order = topological(prepared);
  if (settings.verify) verify(order);
  const outputs = prepared.slice(0, graph.outputs.length);
  const writes = graph.writes.map((w, i) => ({
    slot: w.slot,
    value: viewOf(prepared[outputs.length + i]!).base,
  }));
  const checks = prepared.slice(outputs.length + writes.length).map((n) => viewOf(n).base);
  const rootBases = new Set(prepared.map((n) => viewOf(n).base));
  const { list, of, prologues } = clusterize(order, rootBases);
  const slotOf = new Map(graph.leaves.map((leaf, slot) => [leaf.attrs.source.id, slot]));
  const slot = (n: Node): number => (isOp(n, "input") ? slotOf.get(n.attrs.source.id)! : -1);

  // Jobs and who reads what.
  const jobs = new Map<Cluster, Job>();
  const position = new Map(order.map((n, i) => [n, i]));
  for (const c of list)
    jobs.set(c, { cluster: c, copy: null, deps: new Set(), priority: position.get(c.nodes[0]!)! });
  for (const [c, { deps }] of jobs) for (const d of c.deps) deps.add(jobs.get(d)!);
  const readers = new Map<number | Node, Set<Cluster>>();
  const needed = new Set<Node>(rootBases);
  for (const c of list)
    for (const n of reads(c, prologues)) {
      const at = slot(n) >= 0 ? slot(n) : n;
      const known = readers.get(at);
      if (known === undefined) readers.set(at, new Set([c]));
      else known.add(c);
      if (at === n && isComputed(n) && of.get(n) !== c) needed.add(n);
    }

  const extra: Job[] = [];
  let lastCheck: Job | null = null;
  for (const status of checks) {
    const home = jobs.get(of.get(status)!)!;
    const job: Job = {
      cluster: null,
      copy: { from: status, check: true, slot: -1 },
      deps: new Set([home, ...home.deps]),
      priority: -1,
    };
    if (lastCheck !== null) for (const d of [lastCheck, ...lastCheck.deps]) job.deps.add(d);
    extra.push(job);
    lastCheck = job;
  }
  const inPlace = new Map<Node, number>();
  const outputBases = new Set(outputs.map((n) => viewOf(n).base));
  const late: Job[] = [];
  for (const w of writes) {
    // A stage that is stored elsewhere too, or asked for as it is before the next, cannot only be in the slot.
    const elsewhere = (n: Node) =>
      inPlace.has(n) || (n === w.value ? isOp(n, "scatter") && outputBases.has(n) : rootBases.has(n));
    const stages = stagesOf(w, of.get(w.value)!, prologues, slot);
    // What a stage overwrites must have been read by all who need it, and nothing is overwritten before the checks.
    const steps = stages.map((value, i) => {
      const job = jobs.get(of.get(value)!)!;
      const old = [...(readers.get(i === 0 ? w.slot : stages[i - 1]!) ?? [])];
      const before = old.filter((r) => r !== job.cluster).map((r) => jobs.get(r)!);
      if (i === 0 && lastCheck !== null) before.push(lastCheck);
      return { job, before };
    });
    const safe =
      stages.length > 0 &&
      !stages.some(elsewhere) &&
      steps.every(({ job, before }) => before.every((b) => !b.deps.has(job)));
    if (safe) {
      for (const value of stages) inPlace.set(value, w.slot);
      for (const { job, before } of steps)
        for (const b of before) follow(job, b, [...jobs.values(), ...extra]);
    } else {
      const copy: Job = {
        cluster: null,
        copy: { from: w.value, check: false, slot: w.slot },
        deps: new Set(),
        priority: Number.MAX_SAFE_INTEGER,
      };
      late.push(copy);
    }
  }
  // Work whose results all go over inputs frees memory: it runs as soon as it can.
  for (const [c, job] of jobs)
    if (c.nodes.every((n) => !needed.has(n) || inPlace.has(n))) job.priority -= order.length;
  const scheduled = [...schedule([...jobs.values(), ...extra]), ...late];

  // Memory.
  const buffers: PlanBuffer[] = graph.leaves.map((_, i) => ({ kind: "input", slot: i }));
  const scalarAt = new Map<Node, number>();
  for (const [i, s] of graph.scalars.entries())
    scalarAt.set(s, buffers.push({ kind: "scalar", index: i }) - 1);
  const step = new Map(scheduled.map((j, i) => [j, i]));
  const spans: Span[] = [];
  const spanOf = new Map<Node, number>();
  const end = scheduled.length;
  const lateBases = new Set(late.map((j) => j.copy!.from));
  const bytesOf = (n: Node) => Math.max(1, sizeOf(n.shape)) * dtypes[n.dtype].bytes;
  const lastUse = new Map<Node, number>();
  for (const j of scheduled)
    for (const n of j.cluster === null ? [j.copy!.from] : reads(j.cluster, prologues))
      lastUse.set(n, step.get(j)!);
  for (const n of needed) {
    if (inPlace.has(n) && !outputBases.has(n)) continue;
    const last =
      outputBases.has(n) || lateBases.has(n) ? end : (lastUse.get(n) ?? step.get(jobs.get(of.get(n)!)!)!);
    spanOf.set(n, spans.push({ bytes: bytesOf(n), first: step.get(jobs.get(of.get(n)!)!)!, last }) - 1);
  }
  const statusSpans = extra.map((j) => spans.push({ bytes: 4, first: step.get(j)!, last: end }) - 1);
  const inputSpans = graph.leaves.map((leaf) => {
    if (resident(leaf)) return -1;
    const last = Math.max(0, ...order.filter((n) => slot(n) === slot(leaf)).map((n) => lastUse.get(n) ?? 0));
    return spans.push({ bytes: bytesOf(leaf), first: -1, last }) - 1;
  });
  const { offsets, bytes: arenaBytes } = assignOffsets(spans);
  const arena = (span: number) =>
    buffers.push({ kind: "arena", offset: offsets[span]!, bytes: spans[span]!.bytes }) - 1;
  const own = new Map<Node, number>();
  for (const [n, span] of spanOf) own.set(n, arena(span));
  const constants = new Map<string, number>();
  const constantBuffer = ({ dtype, attrs: { value } }: Node<"constant">): number => {
    const key = `${dtype}${numberText(value)}`;
    let buffer = constants.get(key);
    if (buffer === undefined)
      constants.set(key, (buffer = buffers.push({ kind: "constant", value, dtype }) - 1));
    return buffer;
  };
  const locate = (base: Node): number => {
    if (isOp(base, "input")) return slot(base);
    if (isOp(base, "constant")) return constantBuffer(base);
    if (isOp(base, "hostScalar")) return scalarAt.get(base)!;
    return own.get(base) ?? inPlace.get(base)!;
  };
  const stores = (n: Node): number[] => {
    if (!needed.has(n)) return [];
    return [...(own.has(n) ? [own.get(n)!] : []), ...(inPlace.has(n) ? [inPlace.get(n)!] : [])];
  };

  const calls: KernelCall[] = [];
  let scopes: readonly string[] = [];
  const push = (call: KernelCall | null): void => {
    if (call !== null) calls.push(scopes.length === 0 ? call : { ...call, scopes });
  };
  for (const { cluster: c, copy } of scheduled) {
    if (notesScopes()) scopes = scopesOf(c?.nodes ?? [copy!.from]);
    if (copy !== null) {
      const buffer = copy.check ? arena(statusSpans[extra.findIndex((j) => j.copy === copy)]!) : copy.slot;
      const call = lowerWholeCopy(copy.from, buffer, locate);
      push(call === null ? null : { ...call, check: copy.check });
    } else if (c!.kind === "single") {
      const n = c!.nodes[0]!;
      for (const call of lowerSingle(n, locate(n), locate, inPlace.has(n))) push(call);
    } else
      push(
        c!.kind === "contract" ? lowerContract(c!, prologues, locate, stores) : lowerLoop(c!, locate, stores),
      );
  }
  return {
    inputs: graph.leaves.map((leaf, i) => ({
      dtype: leaf.dtype,
      shape: leaf.shape,
      offset: inputSpans[i]! < 0 ? null : offsets[inputSpans[i]!]!,
    })),
    scalars: graph.scalars.map((s) => s.dtype),
    buffers,
    arenaBytes,
    calls,
    outputs: outputs.map((n, i) => ({
      dtype: n.dtype,
      shape: graph.outputs[i]!.shape,
      offset: offsets[spanOf.get(viewOf(n).base)!]!,
      buffer: own.get(viewOf(n).base)!,
    })),
  };
}

/** What nodes are made for, each once. */
const scopesOf = (nodes: readonly Node[]): string[] => [
  ...new Set(nodes.map(scopeOf).filter((scope) => scope !== undefined)),
];

/** Makes `job` run after `before`, and whatever follows `job` with it. */
function follow(job: Job, before: Job, all: readonly Job[]): void {
  const added = [before, ...before.deps];
  for (const other of all) if (other === job || other.deps.has(job)) for (const d of added) other.deps.add(d);
}
