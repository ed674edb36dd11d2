import { dtypes } from "../base/dtype.ts";
import { OutOfMemoryError } from "../base/errors.ts";
import { type Shape, sizeOf } from "../base/shape.ts";
import { leafNode, type Node, node } from "../ir/node.ts";
import { buildPlan } from "../plan/build.ts";
import type { Allocation, Backend, Peaks } from "./contract.ts";

/** Milliseconds for which each of the two is repeated; the best time counts. */
const budget = 40;

/**
 * What a backend's own code reaches where nothing holds it back: FLOP/s of a product of square matrices of `side`, and
 * bytes/s of the sum of two arrays of `length`, which is written to a third (0 where there is no memory for them).
 */
export function measurePeaks(
  backend: Pick<Backend, "allocate" | "load">,
  side: number,
  length: number,
): Peaks {
  const dot = { leftBatch: [], rightBatch: [], leftContract: [1], rightContract: [0] };
  const flops = (2 * side ** 3) / bestTime(backend, [side, side], (a, b) => node("dot", [a, b], dot));
  try {
    const bytes = (3 * length * 4) / bestTime(backend, [length], (a, b) => node("add", [a, b], {}));
    return { flops, bytes };
  } catch (error) {
    if (!(error instanceof OutOfMemoryError)) throw error;
    return { flops, bytes: 0 };
  }
}

/** Seconds that a backend takes at best to make a value of two others, all in its memory. */
function bestTime(
  backend: Pick<Backend, "allocate" | "load">,
  shape: Shape,
  make: (a: Node, b: Node) => Node,
): number {
  const leaf = (id: number): Node<"input"> => leafNode({ source: { id }, version: 0, shape, dtype: "f32" });
  const [a, b, target] = [leaf(1), leaf(2), leaf(3)];
  const plan = buildPlan({
    outputs: [],
    writes: [{ target, value: make(a, b) }],
    checks: [],
    resident: () => true,
  });
  const held: Allocation[] = [];
  const executable = backend.load(plan);
  try {
    for (const _ of plan.inputs) held.push(backend.allocate(sizeOf(shape) * dtypes.f32.bytes));
    const scalars = new Float64Array(0);
    let best = Number.POSITIVE_INFINITY;
    for (const start = performance.now(); performance.now() - start < budget; ) {
      const before = performance.now();
      executable.run(held, scalars, []);
      best = Math.min(best, performance.now() - before);
    }
    return best / 1e3;
  } finally {
    executable.free();
    for (const allocation of held) allocation.free();
  }
}
