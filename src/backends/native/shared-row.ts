import type { Share } from "../exchanges.ts";
import { rowLayout } from "../table.ts";
import type { NativeAllocation, NativeMemory } from "./memory.ts";
import type { Runtime } from "./runtime.ts";

/** Bytes of a word. */
const word = 8;

/** Words of the arguments of the kernel (`share-source.ts`) before those of what is stored, of which there are three for each copy. */
const before = 4;

/** What a row of a table says of its kernel. */
export interface RowWords {
  readonly function: number;
  readonly args: number;
  readonly chunk: number;
}

/** A row that runs this rank's share of another, and copies what that has stored to where other ranks have it. */
export class SharedRow {
  readonly #function: number;
  readonly #block: NativeAllocation;
  readonly #words: BigUint64Array;

  /** Of at most so many copies. Its memory is there from now on: no rank may fail when all are about to update. */
  constructor(memory: NativeMemory, runtime: Runtime, copies: number) {
    this.#function = runtime.share;
    this.#block = memory.allocate(rowLayout(word).bytes + (before + 3 * copies) * word);
    this.#words = new BigUint64Array(this.#block.view().buffer);
  }

  /** The address of such a row; it holds until the next one is asked for. */
  of(row: RowWords, { from, to, stored }: Share): number {
    const copies = stored.flatMap(({ bytes, address, others }) =>
      others.map((other) => [address, other, bytes] as const),
    );
    const layout = rowLayout(word);
    const { address } = this.#block;
    const put = (at: number, value: number): void => {
      this.#words[at / word] = BigInt(value);
    };
    put(layout.function, this.#function);
    put(layout.args, address + layout.bytes);
    put(layout.total, to - from);
    put(layout.chunk, Math.min(to - from, row.chunk));
    put(layout.status, 0);
    const args = [row.function, row.args, from, copies.length, ...copies.flat()];
    for (const [i, value] of args.entries()) put(layout.bytes + i * word, value);
    return address;
  }

  free(): void {
    this.#block.free();
  }
}
