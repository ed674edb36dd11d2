import { dtypes } from "../../base/dtype.ts";
import type { Kernel, KernelCall } from "../../plan/kernel.ts";

/** Where a kernel finds its arguments: byte offsets into its argument block, all i32. */
export interface ArgsLayout {
  readonly extents: readonly number[];
  /**
   * Per access: pointer in bytes (for one that only `index` values use: the offset itself), strides per dimension in
   * bytes (for `index`: in elements), and where `gather` needs it the gathered axis' stride in bytes.
   */
  readonly accesses: readonly { readonly pointer: number; readonly strides: readonly number[]; readonly axisStride: number }[];
  readonly bytes: number;
}

/** Number of dimensions of a kernel's calls. */
export const rankOf = (kernel: Kernel): number =>
  kernel.kind === "loop" ? kernel.outer + kernel.inner : kernel.kind === "contract" ? kernel.batch + 3 : 3;

/** The accesses that a `gather` goes through. */
function gathered(kernel: Kernel): Set<number> {
  const values = kernel.kind === "loop" ? kernel.body : kernel.kind === "contract" ? [...kernel.prologue, ...kernel.epilogue] : [];
  return new Set(values.flatMap((v) => (v.op === "gather" ? [v.access] : [])));
}

/** The argument block of a kernel. */
export function argsLayout(kernel: Kernel): ArgsLayout {
  const rank = rankOf(kernel);
  const withAxis = gathered(kernel);
  let next = 0;
  const slot = () => {
    next += 4;
    return next - 4;
  };
  const slots = (count: number) => Array.from({ length: count }, slot);
  const extents = slots(rank);
  const accesses = kernel.accesses.map((_, i) => ({
    pointer: slot(),
    strides: slots(rank),
    axisStride: withAxis.has(i) ? slot() : -1,
  }));
  return { extents, accesses, bytes: next };
}

/** Work below which a call is not worth sharing out, in element operations. */
const grain = 32_768;

/** How a call is cut into tasks: by size alone, so that results do not depend on the number of threads. */
export interface Tasks {
  /** The range that tasks cut up: `begin` and `end` of the kernel are within [0, total). */
  readonly total: number;
  /** Length of a task; total or more: one task. */
  readonly chunk: number;
}

/** Rows and columns of the tile of a product that is one task: multiples of every micro kernel's. */
export const contractTile = { rows: 144, columns: 288 };

/** Cuts a call into tasks. */
export function tasksOf(call: KernelCall): Tasks {
  const { kernel, extents } = call;
  if (kernel.kind === "contract") {
    const batch = extents.slice(0, kernel.batch).reduce((a, b) => a * b, 1);
    const [m, n] = extents.slice(kernel.batch) as [number, number];
    const total = batch * Math.ceil(m / contractTile.rows) * Math.ceil(n / contractTile.columns);
    const k = extents.at(-1)!;
    return { total, chunk: m * n * k * batch < grain * 8 ? total : 1 };
  }
  if (kernel.kind !== "loop") return { total: extents[0]!, chunk: extents[0]! };
  if (kernel.outer === 0 && kernel.body.some((v) => v.op === "reduce")) return { total: 1, chunk: 1 };
  const total = extents[0]!;
  const work = extents.reduce((a, b) => a * b, 1) * Math.max(1, kernel.body.length / 4);
  if (work < grain * 2) return { total, chunk: total };
  const perIndex = work / total;
  return { total, chunk: Math.min(total, Math.max(16, Math.ceil(grain / perIndex / 16) * 16)) };
}

/** Bytes of an element of an access; an index has no memory and counts in elements. */
export const elementBytes = (call: KernelCall, access: number): number =>
  call.accesses[access]!.buffer < 0 ? 1 : dtypes[call.kernel.accesses[access]!.dtype].bytes;
