import { type DType, dtypes } from "../base/dtype.ts";
import type { Collective, Given, Stored, Transfer } from "../ir/collective.ts";
import type { Exchange, SharedUpdate, Stretch } from "../plan/plan.ts";

/** How a backend runs the rows of a plan's table, and finds what buffers hold. */
export interface Walk {
  /** Runs rows from one on, so many; gives -1, or which of their checks has failed. */
  rows(first: number, count: number): number;
  stored(stretch: Stretch, dtype: DType): Stored;
  /** Has memory of another thread be a buffer; null: such memory is out of reach. */
  readonly bind: ((buffer: number, address: number) => void) | null;
  /** Runs this rank's share of a row, and copies what it has stored to where other ranks have it; null as for `bind`. */
  readonly share: ((row: number, share: Share) => void) | null;
}

/** A rank's share of a row that goes over something element by element. */
export interface Share {
  /** Its first element, and the one after its last. */
  readonly from: number;
  readonly to: number;
  readonly stored: readonly SharedStore[];
}

/** Something that a shared row goes over. */
export interface SharedStore {
  /** Bytes of an element. */
  readonly bytes: number;
  /** Where this rank has it. */
  readonly address: number;
  /** Where the others do. */
  readonly others: readonly number[];
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
  /** Rows of which this rank runs a share; all of them come after the last exchange, and after all checks. */
  const shares = new Map<number, Share>();
  /** Runs rows up to one; a row at a time where a transfer is under way, which may need a hand. */
  const run = (to: number): void => {
    while (next < to && failed < 0) {
      transfer?.poll();
      const share = shares.get(next);
      if (share !== undefined) walk.share!(next++, share);
      else {
        let end = transfer === null ? to : next + 1;
        for (const row of shares.keys()) if (row > next && row < end) end = row;
        failed = walk.rows(next, end - next);
        next = end;
      }
    }
  };
  const groups = new Set<Collective>();
  for (const [i, exchange] of exchanges.entries()) {
    run(exchange.at);
    transfer = exchange.by.begin(givenOf(exchange, walk, shares));
    groups.add(exchange.by);
    run(Math.min(exchange.until, exchanges[i + 1]?.at ?? calls));
    transfer.finish();
    transfer = null;
  }
  run(calls);
  for (const by of groups) by.release();
  return failed;
}

/** What an exchange is to give and take. Rows that come to be shared out in it are noted in `sharesOfRows`. */
function givenOf(
  { dtype, parts, shares, takes, updates, by }: Exchange,
  walk: Walk,
  sharesOfRows: Map<number, Share>,
): Given {
  const { bind, share } = walk;
  const addressOf = (buffer: number): number => walk.stored({ buffer, length: 0 }, dtype).address!;
  return {
    parts: parts.map((part) => walk.stored(part, dtype)),
    unit: dtypes[dtype].bytes,
    shares,
    takes: takes.map((of) => of.map((taken) => taken && walk.stored(taken, dtype))),
    bind: bind && ((rank, part, address) => bind(takes[rank]![part]!.buffer, address)),
    updates: updates.map(
      (update) =>
        update && { key: update.key, addresses: update.stored.map(({ buffer }) => addressOf(buffer)) },
    ),
    share:
      share &&
      ((part, addresses) => {
        const update = updates[part]!;
        sharesOfRows.set(update.call, shareOf(update, by, addresses));
      }),
  };
}

/** Shares begin at multiples of so many elements, so that no two ranks store to one line of a cache. */
const together = 64;

/** A rank's share of an update, of which it is known by rank where what it goes over is. */
function shareOf(
  { length, stored }: SharedUpdate,
  { rank, size }: Collective,
  addresses: readonly (readonly number[])[],
): Share {
  const edge = (r: number): number =>
    r === size ? length : Math.floor((length * r) / size / together) * together;
  return {
    from: edge(rank),
    to: edge(rank + 1),
    stored: stored.map(({ bytes }, i) => ({
      bytes,
      address: addresses[rank]![i]!,
      others: addresses.filter((_, r) => r !== rank).map((of) => of[i]!),
    })),
  };
}
