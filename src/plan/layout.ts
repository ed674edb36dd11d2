import { dtypes } from "../base/dtype.ts";
import { numberText } from "../base/exact-text.ts";
import { sizeOf } from "../base/shape.ts";
import { isOp, type Node } from "../ir/node.ts";
import type { Arranged, Step } from "./arrange.ts";
import type { Locate } from "./body.ts";
import { assignOffsets, type Span } from "./memory.ts";
import type { PlanBuffer, PlanGraph, PlanInput, PlanOutput } from "./plan.ts";
import type { Prepared } from "./prepare.ts";
import { viewOf } from "./view.ts";

/** The memory of a plan. */
export interface Layout {
  readonly arenaBytes: number;
  readonly inputs: readonly PlanInput[];
  readonly outputs: readonly PlanOutput[];
  /** Filled as kernels ask for constants. */
  readonly buffers: readonly PlanBuffer[];
  readonly locate: Locate;
  /** The buffers that a result is stored to: none where nothing outside of its kernel reads it. */
  readonly stores: (n: Node) => readonly number[];
  /** The buffer of a check's status word. */
  readonly status: (step: Step) => number;
}

const bytesOf = (n: Node): number => Math.max(1, sizeOf(n.shape)) * dtypes[n.dtype].bytes;

/** Gives everything that a plan computes its place in one arena, and numbers its buffers. */
export function layOut(
  graph: PlanGraph,
  { order, outputs, slot }: Prepared,
  { steps, needed, inPlace }: Arranged,
  resident: (leaf: Node<"input">) => boolean,
): Layout {
  const end = steps.length;
  // By place in the order: the steps that make a node and that use it last; -1: none.
  const made = new Int32Array(order.length).fill(-1);
  const lastUse = new Int32Array(order.length).fill(-1);
  const lastOfSlot = new Array<number>(graph.leaves.length).fill(0);
  for (let step = 0; step < end; step++) {
    const { cluster, copy, reads } = steps[step]!;
    const nodes = cluster?.nodes ?? [];
    for (let i = 0; i < nodes.length; i++) made[nodes[i]!.index] = step;
    // What is copied over an input after everything else is there until the end.
    const last = copy !== null && !copy.check ? end : step;
    for (let i = 0; i < reads.length; i++) {
      const n = reads[i]!;
      lastUse[n.index] = last;
      if (slot(n) >= 0) lastOfSlot[slot(n)] = step;
    }
  }
  const outputBases = new Set(outputs.map((n) => viewOf(n).base));
  for (const n of outputBases) lastUse[n.index] = end;
  // Other ranks may read what they are given where it is, until all have come to the end.
  for (const { cluster, reads } of steps)
    if (cluster !== null && isOp(cluster.nodes[0]!, "exchange"))
      for (const n of reads) lastUse[n.index] = end;
  const spans: Span[] = [];
  const spanOf = new Map<Node, number>();
  for (const n of needed) {
    if (inPlace.has(n) && !outputBases.has(n)) continue;
    const first = made[n.index]!;
    spanOf.set(n, spans.push({ bytes: bytesOf(n), first, last: Math.max(first, lastUse[n.index]!) }) - 1);
  }
  const statusSpan = new Map<Step, number>();
  for (let at = 0; at < end; at++) {
    const step = steps[at]!;
    if (step.copy?.check) statusSpan.set(step, spans.push({ bytes: 4, first: at, last: end }) - 1);
  }
  const inputSpans = graph.leaves.map((leaf, at) =>
    resident(leaf) ? -1 : spans.push({ bytes: bytesOf(leaf), first: -1, last: lastOfSlot[at]! }) - 1,
  );
  const { offsets, bytes: arenaBytes } = assignOffsets(spans);

  const buffers: PlanBuffer[] = graph.leaves.map((_, at) => ({ kind: "input", slot: at }));
  const scalarAt = new Map<Node, number>();
  for (let index = 0; index < graph.scalars.length; index++)
    scalarAt.set(graph.scalars[index]!, buffers.push({ kind: "scalar", index }) - 1);
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
  return {
    arenaBytes,
    buffers,
    inputs: graph.leaves.map(({ dtype, shape }, at) => {
      const span = inputSpans[at]!;
      return { dtype, shape, offset: span < 0 ? null : offsets[span]! };
    }),
    outputs: outputs.map((n, i) => {
      const { base } = viewOf(n);
      const { shape } = graph.outputs[i]!;
      return { dtype: n.dtype, shape, offset: offsets[spanOf.get(base)!]!, buffer: own.get(base)! };
    }),
    locate: (base) => {
      if (isOp(base, "input")) return slot(base);
      if (isOp(base, "constant")) return constantBuffer(base);
      if (isOp(base, "hostScalar")) return scalarAt.get(base)!;
      return own.get(base) ?? inPlace.get(base)!;
    },
    stores: (n) => {
      if (!needed.has(n)) return [];
      return [own.get(n), inPlace.get(n)].filter((buffer) => buffer !== undefined);
    },
    status: (step) => arena(statusSpan.get(step)!),
  };
}
