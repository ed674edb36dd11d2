import { settings } from "../base/settings.ts";
import { sizeOf } from "../base/shape.ts";
import { isOp, type Node } from "../ir/node.ts";
import { notesScopes, scopeOf } from "../ir/origin.ts";
import { verify } from "../ir/verify.ts";
import { arrange } from "./arrange.ts";
import { clusterize } from "./cluster.ts";
import type { KernelCall } from "./kernel.ts";
import { layOut } from "./layout.ts";
import { Lowering } from "./lower-alike.ts";
import { lowerWholeCopy } from "./lower-loop.ts";
import { lowerSingle } from "./lower-single.ts";
import type { Exchange, Plan, PlanGraph } from "./plan.ts";
import { prepare } from "./prepare.ts";
import { flopsOf } from "./recomputed.ts";
import { viewOf } from "./view.ts";

/** Kernels, order and memory of a graph. */
export function lower(
  graph: PlanGraph,
  resident: (leaf: Node<"input">) => boolean,
): Omit<Plan, "id" | "graph" | "explain"> {
  const asked = prepare(graph);
  if (settings.verify) verify(asked.order);
  const clusters = clusterize(asked);
  const arranged = arrange(asked, clusters);
  const { locate, stores, status, ...memory } = layOut(graph, asked, arranged, resident);
  const lowering = new Lowering(clusters.prologues, locate, stores);
  const calls: KernelCall[] = [];
  const exchanges: Exchange[] = [];
  for (const job of arranged.jobs) {
    const { cluster, copy } = job;
    const [first] = cluster?.nodes ?? [];
    if (first !== undefined && isOp(first, "allReduce")) {
      const stretch = (n: Node) => ({ buffer: locate(viewOf(n).base), length: sizeOf(n.shape) });
      const [parts, into] = [first.src.map(stretch), stretch(first)];
      exchanges.push({ at: calls.length, dtype: first.dtype, parts, into, by: first.attrs.by });
      continue;
    }
    const made: (KernelCall | null)[] = [];
    if (cluster === null) {
      const { from, check, slot } = copy!;
      const call = lowerWholeCopy(from, check ? status(job) : slot, locate);
      made.push(call === null ? null : { ...call, check });
    } else if (cluster.kind === "single") {
      const n = cluster.nodes[0]!;
      made.push(...lowerSingle(n, locate(n), locate, arranged.inPlace.has(n)));
    } else made.push(lowering.call(cluster));
    const nodes = cluster?.nodes ?? [copy!.from];
    const copies = nodes.filter((n) => clusters.phases?.copies.has(n));
    const scopes = notesScopes() ? scopesOf(nodes) : [];
    for (const call of made) {
      if (call === null) continue;
      const recomputed = cluster?.kind === "single" ? copies.length * call.flops : totalFlops(copies);
      const noted = { ...(scopes.length > 0 && { scopes }), ...(recomputed > 0 && { recomputed }) };
      calls.push(scopes.length > 0 || recomputed > 0 ? { ...call, ...noted } : call);
    }
  }
  const { inputs, outputs, buffers, arenaBytes } = memory;
  return {
    inputs,
    scalars: graph.scalars.map((s) => s.dtype),
    buffers,
    arenaBytes,
    calls,
    exchanges,
    outputs,
  };
}

const totalFlops = (nodes: readonly Node[]): number => nodes.reduce((sum, n) => sum + flopsOf(n), 0);

/** What nodes are made for, each once. */
const scopesOf = (nodes: readonly Node[]): string[] => [
  ...new Set(nodes.map(scopeOf).filter((scope) => scope !== undefined)),
];
