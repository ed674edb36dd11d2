import type { DType } from "../base/dtype.ts";
import { ExportError } from "../base/errors.ts";
import { Storage } from "../engine/storage.ts";
import { Trace, withTrace } from "../engine/trace.ts";
import { leafNode, type Node, topological } from "../ir/node.ts";
import { noGrad } from "../tensor/autograd.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Dim, SizeSymbol } from "./dim.ts";

/** What a function takes: a dtype, and sizes, of which those that have names may differ from call to call. */
export interface InputSpec {
  readonly dtype: DType;
  readonly dims: readonly (number | string)[];
}

/** A function as a graph that holds for inputs of all sizes: the nodes of one recording, with what others had there. */
export interface Recorded {
  readonly order: readonly Node[];
  readonly roots: readonly Node[];
  readonly inputs: ReadonlyMap<Node, string>;
  readonly symbols: readonly SizeSymbol[];
  /** The sizes of a node's result. */
  dimsOf(n: Node): readonly Dim[];
  /** Some numbers of a node's attributes. */
  numbersOf(n: Node, of: (n: Node) => readonly number[]): readonly Dim[];
  /** The node in each recording. */
  all(n: Node): readonly Node[];
  /** The node for inputs of the largest sizes; null: those are not known. */
  largest(n: Node): Node | null;
}

interface Recording {
  readonly order: readonly Node[];
  readonly roots: readonly Node[];
  readonly leaves: ReadonlyMap<string, Node>;
}

/**
 * Records what a function does with inputs: once, and once more for each named size, which is then one larger, so that
 * what follows from a size is known from what is always the same; and at the `largest` sizes, where some are told. Nothing
 * is computed.
 */
export function recorded(
  fn: (inputs: Readonly<Record<string, Tensor>>) => readonly Tensor[],
  specs: Readonly<Record<string, InputSpec>>,
  largest: Readonly<Record<string, number>> = {},
): Recorded {
  const names = [
    ...new Set(Object.values(specs).flatMap(({ dims }) => dims.filter((d) => typeof d === "string"))),
  ];
  // Sizes of 1 are treated as no others are.
  const symbols = names.map((name, i): SizeSymbol => ({ name, first: i + 2 }));
  const sizes =
    (more: number) =>
    (d: number | string): number =>
      typeof d === "number" ? d : symbols.find((s) => s.name === d)!.first + (names[more] === d ? 1 : 0);
  const recordings = [-1, ...names.keys()].map((more) => recordOnce(fn, specs, sizes(more)));
  const [{ order, roots, leaves }] = recordings as [Recording];
  const atMost = (d: number | string): number =>
    (typeof d === "string" ? largest[d] : undefined) ?? sizes(-1)(d);
  const last = Object.keys(largest).length === 0 ? null : recordOnce(fn, specs, atMost);
  const places = new Map(order.map((n, i) => [n, i]));
  const all = (n: Node): readonly Node[] => recordings.map((r) => r.order[places.get(n)!]!);
  const isAlike = (n: Node): boolean =>
    all(n).every(
      (o) => o !== undefined && o.op === n.op && o.dtype === n.dtype && o.shape.length === n.shape.length,
    );
  const lengths = [...recordings, ...(last === null ? [] : [last])].map((r) => r.order.length);
  if (lengths.some((length) => length !== order.length) || !order.every(isAlike))
    throw new ExportError(
      `exportOnnx: what the model does depends on the sizes of its inputs, beyond the sizes of results: its steps differ where ${names.join(" or ")} does; give these a fixed size`,
    );
  const numbersOf = (n: Node, of: (n: Node) => readonly number[]): readonly Dim[] => {
    const lists = all(n).map(of);
    return lists[0]!.map((_, d) => lists.map((list) => list[d]!));
  };
  return {
    order,
    roots,
    inputs: new Map([...leaves].map(([name, leaf]) => [leaf, name])),
    symbols,
    dimsOf: (n) => numbersOf(n, ({ shape }) => shape),
    numbersOf,
    all,
    largest: (n) => last?.order[places.get(n)!] ?? null,
  };
}

function recordOnce(
  fn: (inputs: Readonly<Record<string, Tensor>>) => readonly Tensor[],
  specs: Readonly<Record<string, InputSpec>>,
  sizeOf: (d: number | string) => number,
): Recording {
  const trace = new Trace(true);
  return withTrace(trace, () => {
    const leaves = new Map(
      Object.entries(specs).map(([name, { dtype, dims }]) => {
        const shape = dims.map(sizeOf);
        const source = new Storage(
          dtype,
          shape.reduce((a, b) => a * b, 1),
          null,
          false,
        );
        return [name, leafNode({ source, version: 0, shape, dtype })] as const;
      }),
    );
    const inputs = Object.fromEntries([...leaves].map(([name, leaf]) => [name, new Tensor(leaf)]));
    const roots = noGrad(() => fn(inputs).map(({ node }) => node));
    trace.open = false;
    return { order: topological(roots), roots, leaves };
  });
}
