import { isOp, type Node } from "../ir/node.ts";
import type { Cluster, Clusters, Group } from "./cluster.ts";
import { reads, stagesOf } from "./in-place.ts";
import { dependsOn, type Ordered, precede } from "./precedence.ts";
import { type Prepared, rootBasesOf } from "./prepare.ts";
import { schedule } from "./schedule.ts";
import { viewOf } from "./view.ts";

/** One step of a plan: a cluster's kernel, or a copy that follows it. */
export interface Step {
  readonly cluster: Group | null;
  /** A node copied into a status word or over an input. */
  readonly copy: { readonly from: Node; readonly check: boolean; readonly slot: number } | null;
  /** The bases that it reads from memory. */
  readonly reads: readonly Node[];
}

/** A step that is to be put in order. */
interface Job extends Step, Ordered<Job> {
  priority: number;
}

/** The steps of a plan in their order, and where results are kept. */
export interface Arranged {
  readonly steps: readonly Step[];
  /** Results that are stored, each in memory of its own unless it is made in place. */
  readonly needed: ReadonlySet<Node>;
  /** Results that are stored over an input slot. */
  readonly inPlace: ReadonlyMap<Node, number>;
}

/** Orders kernels, so that checks come before writes, and writes after all that reads what they go over. */
export function arrange(asked: Prepared, clusters: Clusters): Arranged {
  const { order, slot, writes } = asked;
  const { list, of } = clusters;
  /** The clusters' own, at their places in the list. */
  const jobs = list.map((c) =>
    jobOf({ cluster: c }, reads(c, clusters), c.phase * 2 * order.length + c.nodes[0]!.index),
  );
  for (const c of list) for (const d of c.deps) precede(jobs[d.place]!, jobs[c.place]!);
  const homeOf = (n: Node): Job => jobs[of[n.index]!.place]!;
  const outputBases = new Set(asked.outputs.map((n) => viewOf(n).base));
  const rootBases = rootBasesOf(asked);
  /** Who reads what an input slot holds, by slot, and another kernel's result, by its place. */
  const readersOfSlot = new Array<Job[] | undefined>(asked.slots).fill(undefined);
  const readersOf = new Array<Job[] | undefined>(order.length).fill(undefined);
  const needed = new Set(rootBases);
  const read = (readers: (Job[] | undefined)[], at: number, job: Job): void => {
    const known = readers[at];
    if (known === undefined) readers[at] = [job];
    else if (known.at(-1) !== job) known.push(job);
  };
  for (const job of jobs)
    for (let i = 0; i < job.reads.length; i++) {
      const n = job.reads[i]!;
      const at = slot(n);
      if (at >= 0) read(readersOfSlot, at, job);
      else if (of[n.index] !== undefined) {
        read(readersOf, n.index, job);
        needed.add(n);
      }
    }

  const checks = asked.checks.map((from) => {
    const job = jobOf({ copy: { from, check: true, slot: -1 } }, [from], -1);
    precede(homeOf(from), job);
    return job;
  });
  // A rank that stops at a check has been waited for by nobody: it stops when all exchanges are done, and all know of it.
  const exchanges = exchangesOf(list).map((c) => jobs[c.place]!);
  for (let i = 1; i < exchanges.length; i++) precede(exchanges[i - 1]!, exchanges[i]!);
  const lastExchange = exchanges.at(-1);
  if (checks.length > 0 && lastExchange !== undefined) precede(lastExchange, checks[0]!);
  for (let i = 1; i < checks.length; i++) precede(checks[i - 1]!, checks[i]!);
  const guard = checks.at(-1) ?? lastExchange;

  const inPlace = new Map<Node, number>();
  const late: Job[] = [];
  for (const w of writes) {
    // A stage that is stored elsewhere too, or asked for as it is before the next, cannot only be in the slot.
    const elsewhere = (n: Node) =>
      inPlace.has(n) ||
      (n === w.value ? of[n.index]!.kind === "single" && outputBases.has(n) : rootBases.has(n));
    const stages = stagesOf(w, of[w.value.index]!, clusters, slot);
    // What a stage overwrites must have been read by all who need it, and nothing is overwritten before checks and exchanges.
    const steps = stages.map((value, i) => {
      const job = homeOf(value);
      const readers = i === 0 ? readersOfSlot[w.slot] : readersOf[stages[i - 1]!.index];
      const before = (readers ?? []).filter((r) => r !== job);
      if (i === 0 && guard !== undefined) before.push(guard);
      return { job, before };
    });
    const safe =
      stages.length > 0 &&
      !stages.some(elsewhere) &&
      steps.every(({ job, before }) => before.every((b) => !dependsOn(b, job)));
    if (safe) {
      for (const value of stages) inPlace.set(value, w.slot);
      for (const { job, before } of steps) for (const b of before) precede(b, job);
    } else
      late.push(
        jobOf({ copy: { from: w.value, check: false, slot: w.slot } }, [w.value], Number.MAX_SAFE_INTEGER),
      );
  }
  // Work whose results all go over inputs frees memory: in its phase, it runs as soon as it can.
  for (const c of list)
    if (c.nodes.every((n) => !needed.has(n) || inPlace.has(n))) jobs[c.place]!.priority -= order.length;
  return { steps: [...schedule([...jobs, ...checks]), ...late], needed, inPlace };
}

function jobOf(
  { cluster, copy }: Partial<Pick<Step, "cluster" | "copy">>,
  reads: readonly Node[],
  priority: number,
): Job {
  return {
    cluster: cluster ?? null,
    copy: copy ?? null,
    reads,
    priority,
    deps: new Set(),
    users: new Set(),
    seen: 0,
  };
}

/** What waits for other ranks, in the order in which all of them come to it. */
const exchangesOf = (list: readonly Cluster[]): Cluster[] =>
  list
    .flatMap((c) => {
      const [first] = c.nodes;
      return isOp(first!, "exchange") ? [{ c, turn: first.attrs.turn }] : [];
    })
    .sort((a, b) => a.turn - b.turn)
    .map(({ c }) => c);
