import { isAttention, type KernelCall } from "../plan/kernel.ts";

/** Work below which a call is not worth sharing out, in element operations. */
const grain = 32_768;

/** Work of a plan's shared calls below which the threads that it wakes are not worth it: some 0.3 ms of one thread. */
const worthThreads = 32 * grain;

/** Queries of a head that are one task of attention: whole register tiles of any target. */
export const attentionQueries = 336;

/** How a call is cut into tasks: by size alone, so that results do not depend on the number of threads. */
export interface Tasks {
  /** The range that tasks cut up: `begin` and `end` of the kernel are within [0, total). */
  readonly total: number;
  /** Length of a task; total or more: one task. */
  readonly chunk: number;
  /** Contractions: rows and columns of one task's block. */
  readonly block: readonly number[];
}

/** How a target cuts products. */
export interface ProductTiling {
  /** The largest block of a product that is one task: what a thread's scratch holds. */
  readonly largest: { readonly rows: number; readonly columns: number };
  /** Rows and columns of a block are multiples of these: whole register tiles. */
  readonly tile: { readonly rows: number; readonly columns: number };
  /** Multiply-adds that are worth a task of their own. */
  readonly worthTask: number;
  /** How many such tasks a product is cut into at most. */
  readonly mostTasks: number;
}

/** Cuts a product into blocks that cost little to pack: across the longer side first, into equal parts. */
function productTasks(
  batch: number,
  m: number,
  n: number,
  k: number,
  { largest, tile, worthTask, mostTasks }: ProductTiling,
): Tasks {
  const wanted = Math.min(mostTasks, Math.floor((batch * m * n * k) / worthTask)) / batch;
  let rows = Math.ceil(m / largest.rows);
  let columns = Math.ceil(n / largest.columns);
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
export function tasksOf(call: KernelCall, tiling: ProductTiling): Tasks {
  const { kernel, extents } = call;
  const block: readonly number[] = [];
  if (kernel.kind === "contract") {
    const batch = extents.slice(0, kernel.batch).reduce((a, b) => a * b, 1);
    const [m, n, k] = extents.slice(kernel.batch) as [number, number, number];
    return productTasks(batch, m, n, k, tiling);
  }
  if (isAttention(kernel)) {
    const [n, h, g, l] = extents as [number, number, number, number];
    const total = kernel.kind === "attention" ? n * h * g * Math.ceil(l / attentionQueries) : n * h;
    return { total, chunk: Math.max(1, Math.min(total, Math.ceil((grain * total) / workOf(call)))), block };
  }
  if (kernel.kind !== "loop") return { total: extents[0]!, chunk: extents[0]!, block };
  if (kernel.outer === 0 && kernel.body.some((v) => v.op === "reduce")) return { total: 1, chunk: 1, block };
  const total = extents[0]!;
  const work = workOf(call);
  if (work < grain * 2) return { total, chunk: total, block };
  const perIndex = work / total;
  // Blocks of rows are few, and long.
  const unit = kernel.blocks === undefined ? 16 : 1;
  const chunk = Math.max(unit, Math.ceil(grain / perIndex / unit) * unit);
  return { total, chunk: Math.min(total, chunk), block };
}

/** What a call takes, in element operations: a multiply-add of a product is an eighth of one, as vectors do them. */
function workOf({ kernel, extents, flops }: KernelCall): number {
  if (isAttention(kernel)) return flops / 16;
  const points = extents.reduce((a, b) => a * b, 1);
  if (kernel.kind === "contract") return points / 8;
  return kernel.kind === "loop" ? points * Math.max(1, kernel.body.length / 4) : points;
}

/** Whether the calls of a plan that are cut into tasks take so long together that several threads gain by them. */
export const gainsByThreads = (calls: readonly KernelCall[], tasks: readonly Tasks[]): boolean =>
  calls.reduce((sum, call, i) => (tasks[i]!.chunk < tasks[i]!.total ? sum + workOf(call) : sum), 0) >=
  worthThreads;
