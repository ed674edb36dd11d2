import { dtypes } from "../../base/dtype.ts";
import type { Kernel, KernelCall } from "../../plan/kernel.ts";

/** Where a kernel finds its arguments: byte offsets into its argument block, all i32. */
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
  readonly bytes: number;
}

/** Number of dimensions of a kernel's calls. */
const rankOf = (kernel: Kernel): number =>
  kernel.kind === "loop" ? kernel.outer + kernel.inner : kernel.kind === "contract" ? kernel.batch + 3 : 3;

/** The accesses that a `gather` goes through. */
function gathered(kernel: Kernel): Set<number> {
  const values =
    kernel.kind === "loop"
      ? kernel.body
      : kernel.kind === "contract"
        ? [...kernel.prologue, ...kernel.epilogue]
        : [];
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
  const block = slots(kernel.kind === "contract" ? 2 : 0);
  return { extents, accesses, block, bytes: next };
}

/** Work below which a call is not worth sharing out, in element operations. */
const grain = 32_768;

/** How a call is cut into tasks: by size alone, so that results do not depend on the number of threads. */
export interface Tasks {
  /** The range that tasks cut up: `begin` and `end` of the kernel are within [0, total). */
  readonly total: number;
  /** Length of a task; total or more: one task. */
  readonly chunk: number;
  /** Contractions: rows and columns of one task's block. */
  readonly block: readonly number[];
}

/** The largest block of a product that is one task: what a thread's scratch holds. */
export const largestBlock = { rows: 256, columns: 384 };
/** Multiply-adds that are worth a task of their own, and how many such tasks a product is cut into at most. */
const worthTask = 2 ** 22;
const mostTasks = 8;
/** Rows and columns of a block are multiples of these: whole register tiles. */
const tile = { rows: 4, columns: 8 };

/** Cuts a product into blocks that cost little to pack: across the longer side first, into equal parts. */
function productTasks(batch: number, m: number, n: number, k: number): Tasks {
  const wanted = Math.min(mostTasks, Math.floor((batch * m * n * k) / worthTask)) / batch;
  let rows = Math.ceil(m / largestBlock.rows);
  let columns = Math.ceil(n / largestBlock.columns);
  const split = (size: number, parts: number, unit: number) =>
    Math.max(unit, Math.ceil(size / parts / unit) * unit);
  while (rows * columns < wanted) {
    // One more part along n packs the left operand once more, k · m elements; one more along m packs k · n.
    if (m < n && n / columns > 4 * tile.columns) columns++;
    else if (m / rows > 4 * tile.rows) rows++;
    else break;
  }
  const block = [split(m, rows, tile.rows), split(n, columns, tile.columns)] as const;
  const total = batch * Math.ceil(m / block[0]) * Math.ceil(n / block[1]);
  const perTask = (batch * m * n * k) / total;
  return { total, chunk: Math.min(total, Math.ceil(worthTask / 8 / Math.max(1, perTask))), block };
}

/** Cuts a call into tasks. */
export function tasksOf(call: KernelCall): Tasks {
  const { kernel, extents } = call;
  const block: readonly number[] = [];
  if (kernel.kind === "contract") {
    const batch = extents.slice(0, kernel.batch).reduce((a, b) => a * b, 1);
    const [m, n, k] = extents.slice(kernel.batch) as [number, number, number];
    return productTasks(batch, m, n, k);
  }
  if (kernel.kind !== "loop") return { total: extents[0]!, chunk: extents[0]!, block };
  if (kernel.outer === 0 && kernel.body.some((v) => v.op === "reduce")) return { total: 1, chunk: 1, block };
  const total = extents[0]!;
  const work = extents.reduce((a, b) => a * b, 1) * Math.max(1, kernel.body.length / 4);
  if (work < grain * 2) return { total, chunk: total, block };
  const perIndex = work / total;
  return { total, chunk: Math.min(total, Math.max(16, Math.ceil(grain / perIndex / 16) * 16)), block };
}

/** Bytes of an element of an access; an index has no memory and counts in elements. */
export const elementBytes = (call: KernelCall, access: number): number =>
  call.accesses[access]!.buffer < 0 ? 1 : dtypes[call.kernel.accesses[access]!.dtype].bytes;
