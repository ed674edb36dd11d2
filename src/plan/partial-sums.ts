import { type Shape, sizeOf } from "../base/shape.ts";
import { type Node, node } from "../ir/node.ts";
import { ops } from "../ir/op.ts";
import { squeeze, squeezedAxes } from "./columns.ts";
import { isWhole, viewOf } from "./view.ts";

/** Sums over so many rows, and as long ones, are done in blocks: how many of these, and rows of one, there are. */
const [leastRows, leastColumns, mostBlocks, leastOfBlock] = [256, 64, 64, 16];

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/**
 * Sums over many elements that others are made of in two stages, so that a kernel which goes over rows of these elements can
 * make the first on its way (`columns.ts`): sums of columns, over the rows of a block and then over the blocks, which threads
 * share; and sums of channels, along what each has in a sample and then over the samples. Only where some reduction goes over
 * such rows; what folds the same axes for another reason, as BatchNorm does, stays one kernel.
 */
export class PartialSums {
  readonly made = new Set<Node<"sum">>();
  /** The axes, without those of size 1, of all reductions, by the shapes that they go over. */
  readonly #folded = new Map<string, Set<string>>();

  constructor(order: readonly Node[]) {
    for (const n of order) {
      if (ops[n.op].kind !== "reduce" || n.op === "argmax") continue;
      const { shape, axes } = squeezed(n as Node<"sum">);
      const key = shape.join();
      const known = this.#folded.get(key);
      if (known === undefined) this.#folded.set(key, new Set([axes.join()]));
      else known.add(axes.join());
    }
  }

  /** Such a sum in two stages; null where it is none. */
  make(n: Node<"sum">): Node | null {
    const [x] = n.src as readonly [Node];
    const { shape, axes } = squeezed(n);
    const leading = axes.findIndex((a, i) => a !== i);
    const first = leading < 0 ? axes.length : leading;
    // A sum of bytes, or of what memory holds in fewer bits, would be rounded in between.
    if (!["f32", "f64", "i32"].includes(n.dtype) || !isWhole(viewOf(x), x.shape)) return null;
    if (first === 0 || axes.length === shape.length) return null;
    const along = axes.slice(first);
    const source = shape.length === x.shape.length ? x : node("reshape", [x], { shape }, false);
    const two = along.length === 0 ? this.#overRows(source, first) : this.#overSamples(source, first, along);
    return two && node("reshape", [two], { shape: n.shape }, false);
  }

  #folds(shape: Shape, from: number): boolean {
    return this.#folded.get(shape.join())?.has(range(from, shape.length).join()) ?? false;
  }

  /** Sums over the first `dims` axes, which are rows. */
  #overRows(x: Node, dims: number): Node | null {
    const { shape } = x;
    const rows = sizeOf(shape.slice(0, dims));
    if (rows < leastRows || sizeOf(shape.slice(dims)) < leastColumns || !this.#folds(shape, dims))
      return null;
    const most = Math.min(mostBlocks, rows / leastOfBlock);
    let blocks = 1;
    let axis = 0;
    while (blocks * shape[axis]! <= most) blocks *= shape[axis++]!;
    const parts = partsOf(shape[axis]!, Math.floor(most / blocks));
    const first = parts === 1 ? axis : axis + 1;
    if (first === 0) return null;
    const cut = parts === 1 ? shape : shape.toSpliced(axis, 1, parts, shape[axis]! / parts);
    const last = dims + cut.length - shape.length;
    return this.#inTwo(
      parts === 1 ? x : node("reshape", [x], { shape: cut }, false),
      range(first, last),
      first,
    );
  }

  /** Sums over the first axes, which are samples, and over the last ones, along a line. */
  #overSamples(x: Node, samples: number, along: readonly number[]): Node | null {
    const { shape } = x;
    const from = along[0]!;
    if (from + along.length !== shape.length || along.some((a, i) => a !== from + i)) return null;
    if (sizeOf(shape.slice(from)) < leastColumns) return null;
    if (!range(samples, from).some((first) => this.#folds(shape, first))) return null;
    return this.#inTwo(x, along, samples);
  }

  #inTwo(x: Node, axes: readonly number[], first: number): Node {
    const partial = node("sum", [x], { axes }, false);
    this.made.add(partial);
    return node("sum", [partial], { axes: range(0, first) }, false);
  }
}

/** What a reduction goes over, without axes of size 1. */
const squeezed = ({ src: [x], attrs: { axes } }: Node<"sum">) => ({
  shape: squeeze(x!.shape),
  axes: squeezedAxes(x!.shape, axes),
});

/** The largest divisor of a size that is no more than some number. */
export function partsOf(size: number, most: number): number {
  for (let parts = most; parts > 1; parts--) if (size % parts === 0) return parts;
  return 1;
}
