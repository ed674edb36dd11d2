import { ArgumentError } from "../base/errors.ts";

/** Ranks that share out what there is, and which of them this is: `distributed.group()` gives such. */
export interface Ranks {
  /** Which of them this is, from 0. */
  readonly rank: number;
  /** How many there are. */
  readonly size: number;
}

/** Throws `ArgumentError` for what are no ranks. */
export function requireRanks(what: string, group: Ranks): void {
  const { rank, size } = (group ?? {}) as Partial<Ranks>;
  if (![rank, size].every(Number.isInteger) || rank! < 0 || rank! >= size!)
    throw new ArgumentError(
      `${what}: group is no group of ranks; give what distributed.group() gives, or { rank, size }`,
    );
}

/** How a pass is shared out. */
export interface Sharding extends Ranks {
  /** Rows a batch, of all ranks together. */
  readonly together: number;
  readonly dropLast: boolean;
}

/**
 * Batches of a pass over some rows, which are as many on each rank. A last batch of fewer rows than ranks would leave
 * a rank without any, so these rows go into the batch before.
 */
export function batchesIn(rows: number, { together, dropLast, size }: Omit<Sharding, "rank">): number {
  const full = Math.floor(rows / together);
  const rest = rows - full * together;
  return rest === 0 || dropLast || (rest < size && full > 0) ? full : full + 1;
}

/** What a rank has of a batch of an order: of the rows of all ranks every `size`th, from its own. */
export function shareOf(order: Int32Array, batch: number, sharding: Sharding): Int32Array {
  const { rank, size, together, dropLast } = sharding;
  const from = batch * together;
  const isLast = !dropLast && batch === batchesIn(order.length, sharding) - 1;
  const all = order.subarray(from, isLast ? order.length : from + together);
  return size === 1 ? all : all.filter((_, i) => i % size === rank);
}
