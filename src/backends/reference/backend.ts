import type { TypedArray } from "../../base/dtype.ts";
import { dtypes } from "../../base/dtype.ts";
import { evaluate } from "../../ir/evaluate.ts";
import { isOp, type Node, topological } from "../../ir/node.ts";
import type { Allocation, Backend, Binding, Executable, LoadablePlan, Result } from "../contract.ts";
import { measurePeaks } from "../peaks.ts";

class HostAllocation implements Allocation {
  readonly bytes: number;
  #data: Uint8Array | null;
  readonly #freed: (bytes: number) => void;

  constructor(bytes: number, freed: (bytes: number) => void) {
    this.bytes = bytes;
    this.#data = new Uint8Array(Math.ceil(bytes / 8) * 8);
    this.#freed = freed;
  }

  view(from = 0, length: number = this.bytes - from): Uint8Array {
    return this.#data!.subarray(from, from + length);
  }

  write(bytes: Uint8Array, from: number): void {
    this.view(from, bytes.length).set(bytes);
  }

  free(): void {
    if (this.#data !== null) this.#freed(this.bytes);
    this.#data = null;
  }
}

const elements = (binding: Binding, leaf: Node): TypedArray => {
  if (ArrayBuffer.isView(binding)) return binding;
  const view = binding.view();
  const info = dtypes[leaf.dtype];
  return new info.array(view.buffer, view.byteOffset, view.byteLength / info.bytes);
};

/** Nodes in an order in which sums over ranks come by their turns, as all ranks come to them. */
function byTurns(order: readonly Node[]): readonly Node[] {
  const sums = order.filter((n) => isOp(n, "allReduce")).sort((a, b) => a.attrs.turn - b.attrs.turn);
  return sums.length < 2 ? order : topological([...sums, ...order]);
}

class ReferenceExecutable implements Executable {
  readonly #plan: LoadablePlan;
  readonly #order: readonly Node[];

  constructor(plan: LoadablePlan) {
    this.#plan = plan;
    this.#order = byTurns(plan.graph.order);
  }

  run(
    bindings: readonly Binding[],
    scalars: Float64Array,
    results: readonly Result[],
    ends?: Float64Array,
  ): number {
    const start = performance.now();
    const { graph } = this.#plan;
    const slots = new Map(graph.leaves.map((leaf, slot) => [leaf.attrs.source, slot]));
    const scalarOf = new Map<Node, number>(graph.scalars.map((scalar, i) => [scalar, scalars[i]!]));
    const values = evaluate(this.#order, (leaf) => {
      if (isOp(leaf, "input")) return elements(bindings[slots.get(leaf.attrs.source)!]!, leaf);
      return new dtypes[leaf.dtype].array(new Float64Array(1).buffer, 0, 1).fill(
        scalarOf.get(leaf)!,
      ) as TypedArray;
    });
    for (const [i, check] of graph.checks.entries()) if (values.get(check)![0] !== 0) return i;
    for (const [i, output] of graph.outputs.entries()) elements(results[i]!, output).set(values.get(output)!);
    // Every value is there before the first is written, so an assignment cannot change what another reads.
    const copies = graph.writes.map(({ value }) => values.get(value)!.slice());
    for (const [i, { slot }] of graph.writes.entries())
      elements(bindings[slot]!, graph.leaves[slot]!).set(copies[i]!);
    // There are no kernels, so each call is given an equal part of the time.
    const each = ((performance.now() - start) * 1e6) / this.#plan.calls.length;
    ends?.forEach((_, i) => {
      ends[i] = (i + 1) * each;
    });
    return -1;
  }

  free(): void {}
}

/** The oracle: evaluates a plan's graph node by node in plain TypeScript. */
export function createReference(): Backend {
  let held = 0;
  const backend: Backend = {
    name: "reference",
    allocate(bytes) {
      held += bytes;
      return new HostAllocation(bytes, (freed) => {
        held -= freed;
      });
    },
    load: (plan) => new ReferenceExecutable(plan),
    memoryInUse: () => held,
    kernelsCompiled: () => 0,
    describe: () => "plain TypeScript, one thread",
    threads: 1,
    setThreads() {},
    peaks: () => measurePeaks(backend, 32, 2 ** 16),
  };
  return backend;
}
