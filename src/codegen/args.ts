import { dtypes } from "../base/dtype.ts";
import { isAttention, type Kernel, type KernelCall } from "../plan/kernel.ts";
import { bodiesOf } from "./body.ts";

/** Where a kernel finds its arguments: places in its argument block, a word each. */
export interface ArgsLayout {
  readonly extents: readonly number[];
  /**
   * Per access: pointer in bytes (for one that only `index` values use: the offset itself), strides per dimension in
   * bytes (for `index`: in elements), and where `gather` needs it the gathered axis' stride in bytes.
   */
  readonly accesses: readonly {
    readonly pointer: number;
    readonly strides: readonly number[];
    readonly axisStride: number;
  }[];
  /** Contractions: rows and columns of the block of the result that is one task (`Tasks.block`). */
  readonly block: readonly number[];
  readonly size: number;
}

/** Number of dimensions of a kernel's calls. */
function rankOf(kernel: Kernel): number {
  if (kernel.kind === "loop") return kernel.outer + kernel.inner;
  if (kernel.kind === "contract") return kernel.batch + 3;
  return isAttention(kernel) ? 7 : 3;
}

/** The accesses that a `gather` goes through. */
const gathered = (kernel: Kernel): Set<number> =>
  new Set(bodiesOf(kernel).flatMap((body) => body.flatMap((v) => (v.op === "gather" ? [v.access] : []))));

const layouts = new WeakMap<Kernel, ArgsLayout>();

/** The argument block of a kernel; places and size are in words. Calls of one kernel share it. */
export function argsLayout(kernel: Kernel): ArgsLayout {
  let layout = layouts.get(kernel);
  if (layout === undefined) layouts.set(kernel, (layout = layoutOf(kernel)));
  return layout;
}

function layoutOf(kernel: Kernel): ArgsLayout {
  const rank = rankOf(kernel);
  const withAxis = gathered(kernel);
  let next = 0;
  const slot = () => next++;
  const slots = (count: number) => Array.from({ length: count }, slot);
  const extents = slots(rank);
  const accesses = kernel.accesses.map((_, i) => ({
    pointer: slot(),
    strides: slots(rank),
    axisStride: withAxis.has(i) ? slot() : -1,
  }));
  const block = slots(kernel.kind === "contract" ? 2 : 0);
  return { extents, accesses, block, size: next };
}

/** Where the stride of an access along a dimension is: the one after the kernel's own is that of what a `gather` picks from. */
export function strideWord({ accesses }: ArgsLayout, access: number, dim: number): number {
  const { strides, axisStride } = accesses[access]!;
  return strides[dim] ?? axisStride;
}

/** Bytes of an element of an access; an index has no memory and counts in elements. */
export const elementBytes = (call: KernelCall, access: number): number =>
  call.accesses[access]!.buffer < 0 ? 1 : dtypes[call.kernel.accesses[access]!.dtype].bytes;
