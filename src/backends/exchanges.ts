import { type DType, dtypes } from "../base/dtype.ts";
import type { Collective, Stored, Transfer } from "../ir/collective.ts";
import type { Exchange, Stretch } from "../plan/plan.ts";

/** How a backend runs the rows of a plan's table, and finds what buffers hold. */
export interface Walk {
  /** Runs rows from one on, so many; gives -1, or which of their checks has failed. */
  rows(first: number, count: number): number;
  stored(stretch: Stretch, dtype: DType): Stored;
  /** Has memory of another thread be a buffer; null: such memory is out of reach. */
  readonly bind: ((buffer: number, address: number) => void) | null;
}

/**
 * Runs all rows of a plan, and meanwhile its exchanges with other ranks: each begins as soon as what it gives is there,
 * and ends before what it brings is used, or the next one begins. Gives -1, or the check that has failed: all checks come
 * after the last exchange. Throws what an exchange throws; nothing has been written by then.
 */
export function walkBetween(exchanges: readonly Exchange[], calls: number, walk: Walk): number {
  let next = 0;
  let failed = -1;
  let transfer: Transfer | null = null;
  /** Runs rows up to one; a row at a time where a transfer is under way, which may need a hand. */
  const run = (to: number): void => {
    while (next < to && failed < 0) {
      transfer?.poll();
      const count = transfer === null ? to - next : 1;
      failed = walk.rows(next, count);
      next += count;
    }
  };
  const groups = new Set<Collective>();
  for (const [i, { at, until, by, ...exchange }] of exchanges.entries()) {
    run(at);
    transfer = by.begin(givenOf(exchange, walk));
    groups.add(by);
    run(Math.min(until, exchanges[i + 1]?.at ?? calls));
    transfer.finish();
    transfer = null;
  }
  run(calls);
  for (const by of groups) by.release();
  return failed;
}

function givenOf(
  { dtype, parts, shares, takes }: Pick<Exchange, "dtype" | "parts" | "shares" | "takes">,
  walk: Walk,
): Parameters<Collective["begin"]>[0] {
  const { bind } = walk;
  return {
    parts: parts.map((part) => walk.stored(part, dtype)),
    unit: dtypes[dtype].bytes,
    shares,
    takes: takes.map((of) => of.map((taken) => taken && walk.stored(taken, dtype))),
    bind: bind && ((rank, part, address) => bind(takes[rank]![part]!.buffer, address)),
  };
}
