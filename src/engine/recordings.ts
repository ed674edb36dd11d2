import { type Cell, stateEpoch } from "./cell.ts";

/** A cell that recordings depend on, and where each of its values leads. */
interface Fork<V> {
  readonly cell: Cell<unknown>;
  readonly next: Map<unknown, Place<V>>;
}

/** A recording, at the end of a way through forks. */
interface End<V> {
  readonly value: V;
}

type Place<V> = Fork<V> | End<V>;

/**
 * Recordings of one key, found by the cells that they depend on. What a function reads next is settled by what it has
 * read so far, so recordings are the ends of a tree whose forks are cells: finding one takes one look at each cell
 * that it depends on, however many others there are.
 */
export class Recordings<V> {
  #root: Place<V> | null = null;
  #found: V | null = null;
  #epoch = -1;

  /** The recording that holds in the present state. */
  find(): V | null {
    if (this.#epoch === stateEpoch()) return this.#found;
    let place = this.#root ?? undefined;
    while (place !== undefined && "cell" in place) place = place.next.get(place.cell.peek());
    this.#found = place?.value ?? null;
    this.#epoch = stateEpoch();
    return this.#found;
  }

  /** All of them. */
  all(): V[] {
    return endsOf(this.#root ?? undefined);
  }

  /** Adds a recording with what it has read; gives those whose place it takes. */
  add(reads: ReadonlyMap<Cell<unknown>, unknown>, value: V): V[] {
    this.#forget();
    let displaced: V[] = [];
    let put = (place: Place<V>): void => {
      this.#root = place;
    };
    let place = this.#root ?? undefined;
    for (const [cell, seen] of reads) {
      let fork = place !== undefined && "cell" in place && place.cell === cell ? place : null;
      if (fork === null) {
        // Where the function has gone another way for a reason that no cell tells, its latest way is the one to look for.
        displaced = displaced.concat(endsOf(place));
        put((fork = { cell, next: new Map() }));
      }
      const { next } = fork;
      put = (into) => next.set(seen, into);
      place = next.get(seen);
    }
    displaced = displaced.concat(endsOf(place));
    put({ value });
    return displaced;
  }

  /** Takes out the recording that has read this; gives whether any is left. */
  delete(reads: ReadonlyMap<Cell<unknown>, unknown>): boolean {
    this.#forget();
    const way: [Fork<V>, unknown][] = [];
    let place = this.#root ?? undefined;
    for (const seen of reads.values()) {
      if (place === undefined || !("cell" in place)) break;
      way.push([place, seen]);
      place = place.next.get(seen);
    }
    // Forks that lead nowhere any more go with it.
    for (const [{ next }, seen] of way.reverse()) {
      next.delete(seen);
      if (next.size > 0) return true;
    }
    this.#root = null;
    return false;
  }

  #forget(): void {
    this.#found = null;
    this.#epoch = -1;
  }
}

/** All recordings from a place on. */
function endsOf<V>(place: Place<V> | undefined): V[] {
  if (place === undefined) return [];
  return "cell" in place ? [...place.next.values()].flatMap(endsOf) : [place.value];
}
