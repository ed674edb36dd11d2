/** A stretch of this rank's memory. */
export interface Stored {
  /** How many bytes it is of. */
  readonly length: number;
  /** Where it is in the memory of the process, if other threads can read it there; else null. */
  readonly address: number | null;
  bytes(): Uint8Array;
}

/** What an update by a sum goes over, on one rank. */
export interface Updated {
  /** A number that is another one for another update. */
  readonly key: number;
  /** Where each thing that it goes over is in the memory of the process. */
  readonly addresses: readonly number[];
}

/** What a rank gives to the others at a time, and where it has what they give. */
export interface Given {
  readonly parts: readonly Stored[];
  /** Bytes of an element. */
  readonly unit: number;
  /** Whether each rank is given only its share of parts that are large: see `isShared`. */
  readonly shares: boolean;
  /** By rank and part, where that goes; null: nowhere. */
  readonly takes: readonly (readonly (Stored | null)[])[];
  /** Has memory of another rank stand in for `takes[rank][part]`; null: it is to be copied there. */
  readonly bind: ((rank: number, part: number, address: number) => void) | null;
  /** By part, what is updated by its sum, where ranks may share that out; null: each updates all of its own. */
  readonly updates: readonly (Updated | null)[];
  /** Has ranks share out the update by a part, which all have alike. `addresses` are by rank; null: they cannot. */
  readonly share: ((part: number, addresses: readonly (readonly number[])[]) => void) | null;
}

/** Something that has begun, and goes on while this rank does something else. */
export interface Transfer {
  /** Does what can be done without waiting. */
  poll(): void;
  /** Waits for its end. Throws where a rank does not come; nothing is written by any then. */
  finish(): void;
}

/** Several ranks that run the same plan at once, as an exchange between them sees them. */
export interface Collective {
  readonly id: number;
  readonly rank: number;
  readonly size: number;
  /** Begins an exchange, to which all ranks come in the same order; the one before must have been finished. */
  begin(given: Given): Transfer;
  /** Waits until all ranks have read what they were given to read where it is. */
  release(): void;
}

/** Bytes up to which every rank adds up all of a part itself: less would not repay a second exchange. */
const addedByAll = 32_768;

/** Whether of a part each of several ranks adds up a share, and gives it to all. Of two, each would be given as much as without. */
export const isShared = (bytes: number, ranks: number): boolean => ranks > 2 && bytes > addedByAll;

/** Where the share of a rank begins, of so many elements; the next one's begins where it ends. */
export const shareStart = (length: number, rank: number, ranks: number): number =>
  Math.floor((length * rank) / ranks);

/** The bytes of a part that a rank is given. */
export function shareOf(
  bytes: number,
  shares: boolean,
  unit: number,
  { rank, size }: { readonly rank: number; readonly size: number },
): { readonly start: number; readonly end: number } {
  if (!shares || !isShared(bytes, size)) return { start: 0, end: bytes };
  const at = (rank: number): number => shareStart(bytes / unit, rank, size) * unit;
  return { start: at(rank), end: at(rank + 1) };
}

/** Bytes that a rank gives away of parts of so many, each counted once however many ranks it goes to. */
export function sentOf(
  parts: readonly number[],
  unit: number,
  shares: boolean,
  own: Pick<Collective, "rank" | "size">,
): number {
  return parts.reduce((sum, bytes) => {
    const { start, end } = shareOf(bytes, shares, unit, own);
    return sum + (end - start < bytes ? bytes - (end - start) : bytes);
  }, 0);
}
