import { FileError } from "../../base/errors.ts";
import { failed, progressOf, type Transfer } from "./place.ts";

/** The bytes of a file that come one after the other. */
export interface Arriving {
  /** How many there are in all; null where that is not known before they are all there. */
  readonly size: number | null;
  /** Parts of them in order, to be read once. */
  readonly parts: AsyncIterable<Uint8Array>;
}

/** Why a file is not there, as part of a sentence: "the server answered 404". */
export interface Absent {
  readonly absent: string;
  /** Of a server's answer. */
  readonly status?: number;
}

/** Bytes of a blob that are read at a time. */
export const piece = 2 ** 22;

/** A blob in parts. */
export async function* partsOfBlob(blob: Blob): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < blob.size; at += piece)
    yield new Uint8Array(await blob.slice(at, at + piece).arrayBuffer());
}

/** All bytes of a file, once they are there. */
export async function allOf({ parts }: Arriving): Promise<Uint8Array> {
  const list: Uint8Array[] = [];
  for await (const part of parts) list.push(part);
  if (list.length === 1) return list[0]!;
  const bytes = new Uint8Array(list.reduce((length, part) => length + part.length, 0));
  let at = 0;
  // Each part goes as soon as it has been copied.
  for (let part = list.shift(); part !== undefined; part = list.shift()) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** As a file arrives, tells how far it has come, and throws where a connection ends before all of it is there. */
export function watched(what: string, { size, parts }: Arriving, transfer: Transfer): Arriving {
  return {
    size,
    parts: (async function* () {
      const progress = progressOf(transfer, size);
      progress(0);
      let loaded = 0;
      try {
        for await (const part of parts) {
          transfer.signal?.throwIfAborted();
          loaded += part.length;
          progress(loaded);
          yield part;
        }
      } catch (cause) {
        throw failed(what, cause, transfer, "; try again");
      }
      // Nothing tells a connection that was cut from one that has ended, but the length.
      if (size !== null && loaded < size)
        throw new FileError(
          `Cannot ${what}: ${loaded} of ${size} bytes came, then the connection ended; try again`,
        );
      if (loaded !== size) progressOf(transfer, loaded)(loaded);
    })(),
  };
}

/** Reads a file in order: as many bytes as are asked for, whatever the parts are that they come in. */
export class ArrivingReader {
  readonly #parts: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  #begun = false;

  constructor({ parts }: Arriving) {
    this.#parts = parts[Symbol.asyncIterator]();
  }

  /** Gives the next so many bytes to `use`, in pieces, each with how many came before; gives how many there were. */
  async each(length: number, use: (bytes: Uint8Array, at: number) => void): Promise<number> {
    let at = 0;
    while (at < length) {
      if (this.#rest.length === 0) {
        this.#begun = true;
        const { value, done } = await this.#parts.next();
        if (done) break;
        this.#rest = value;
        continue;
      }
      const bytes = this.#rest.subarray(0, length - at);
      use(bytes, at);
      at += bytes.length;
      this.#rest = this.#rest.subarray(bytes.length);
    }
    return at;
  }

  /** The next so many bytes, or as many as there are. */
  async next(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    const count = await this.each(length, (part, at) => bytes.set(part, at));
    return bytes.subarray(0, count);
  }

  /** Lets go of what has not been read. */
  async close(): Promise<void> {
    // What has not begun would not end either.
    if (!this.#begun) await this.#parts.next();
    await this.#parts.return?.();
  }
}
