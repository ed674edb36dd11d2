import { InternalError } from "../base/errors.ts";
import { sameData } from "../base/exact-text.ts";
import { settings } from "../base/settings.ts";
import { sizeOf } from "../base/shape.ts";
import { isOp, type Node } from "../ir/node.ts";
import { notesScopes, scopeOf } from "../ir/origin.ts";
import { verify } from "../ir/verify.ts";
import type { Locate } from "./body.ts";
import { Decisions, decideAnew } from "./decide.ts";
import type { KernelCall } from "./kernel.ts";
import { layOut } from "./layout.ts";
import { Lowering } from "./lower-alike.ts";
import { lowerWholeCopy } from "./lower-loop.ts";
import { lowerSingle } from "./lower-single.ts";
import type { Exchange, Plan, PlanGraph, Stretch } from "./plan.ts";
import { prepare } from "./prepare.ts";
import { flopsOf } from "./recomputed.ts";
import { sharedUpdates } from "./shared-updates.ts";
import { viewOf } from "./view.ts";

/** Kernels, order and memory of a plan. */
export type Lowered = Omit<Plan, "id" | "explain">;

const taken = new Decisions();

/**
 * Kernels, order and memory of a graph. `decisions` are those about graphs before, which may hold for it; null: it gets its
 * own. The result is the same.
 */
export function lower(
  graph: PlanGraph,
  resident: (leaf: Node<"input">) => boolean,
  decisions: Decisions | null = taken,
): Lowered {
  const asked = prepare(graph);
  if (settings.verify) verify(asked.order);
  const decided = decisions === null ? decideAnew(asked) : decisions.decide(graph, asked);
  const { locate, stores, status, ...memory } = layOut(graph, asked, decided, resident);
  const { buffers } = memory;
  const lowering = new Lowering(decided.prologues, { buffers, locate, stores }, decided.alike);
  const calls: KernelCall[] = [];
  const exchanges: Omit<Exchange, "updates">[] = [];
  let firstWrite = Number.POSITIVE_INFINITY;
  for (const step of decided.steps) {
    const { cluster, copy } = step;
    const [first] = cluster?.nodes ?? [];
    if (first !== undefined && isOp(first, "exchange")) {
      exchanges.push(exchangeOf(first, cluster!.nodes, calls.length, locate));
      continue;
    }
    // What is overwritten, or checked, comes after all exchanges.
    if (copy !== null || cluster!.nodes.some((n) => decided.inPlace.has(n)))
      firstWrite = Math.min(firstWrite, calls.length);
    const made: (KernelCall | null)[] = [];
    if (cluster === null) {
      const { from, check, slot } = copy!;
      const call = lowerWholeCopy(from, check ? status(step) : slot, locate);
      made.push(call === null ? null : { ...call, check });
    } else if (cluster.kind === "single") {
      const n = cluster.nodes[0]!;
      made.push(...lowerSingle(n, locate(n), locate));
    } else made.push(lowering.call(cluster));
    const nodes = cluster?.nodes ?? [copy!.from];
    const copies = decided.copies.size === 0 ? [] : nodes.filter((n) => decided.copies.has(n));
    const scopes = notesScopes() ? scopesOf(nodes) : [];
    for (const call of made) {
      if (call === null) continue;
      const recomputed = cluster?.kind === "single" ? copies.length * call.flops : totalFlops(copies);
      const noted = { ...(scopes.length > 0 && { scopes }), ...(recomputed > 0 && { recomputed }) };
      calls.push(scopes.length > 0 || recomputed > 0 ? { ...call, ...noted } : call);
    }
  }
  decided.remember(lowering.alike);
  const { inputs, outputs, arenaBytes } = memory;
  const scalars = graph.scalars.map((s) => s.dtype);
  const ended = exchanges.map((e) => ({
    ...e,
    until: Math.min(firstWrite, firstUse(e, calls)),
    updates: sharedUpdates(e, { calls, buffers, inputs, exchanges }),
  }));
  const lowered = { inputs, scalars, buffers, arenaBytes, calls, exchanges: ended, outputs };
  if (settings.verify && decided.alike !== null && !sameData(lowered, lower(graph, resident, null)))
    throw new InternalError(
      "plan: what was decided about another graph of the same form is not right for this one",
    );
  return lowered;
}

function exchangeOf(
  { src, attrs: { by, shares }, dtype }: Node<"exchange">,
  nodes: readonly Node[],
  at: number,
  locate: Locate,
): Omit<Exchange, "updates"> {
  const stretch = (n: Node): Stretch => ({ buffer: locate(viewOf(n).base), length: sizeOf(n.shape) });
  const takes = Array.from({ length: by.size }, () => src.map((): Stretch | null => null));
  for (const n of nodes) if (isOp(n, "received")) takes[n.attrs.rank]![n.attrs.part] = stretch(n);
  return { at, until: at, dtype, parts: src.map(stretch), shares, takes, by };
}

/** The first call that uses what an exchange gives. */
function firstUse({ at, takes }: Omit<Exchange, "updates">, calls: readonly KernelCall[]): number {
  const given = new Set(takes.flat().map((taken) => taken?.buffer));
  for (let i = at; i < calls.length; i++)
    if (calls[i]!.accesses.some(({ buffer }) => given.has(buffer))) return i;
  return calls.length;
}

const totalFlops = (nodes: readonly Node[]): number => nodes.reduce((sum, n) => sum + flopsOf(n), 0);

/** What nodes are made for, each once. */
const scopesOf = (nodes: readonly Node[]): string[] => [
  ...new Set(nodes.map(scopeOf).filter((scope) => scope !== undefined)),
];
