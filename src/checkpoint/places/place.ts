import { FileError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";

/** How far bytes have come. */
export interface Progress {
  /** Bytes so far. */
  readonly loaded: number;
  /** Bytes in all; null where that is not known before they are all there. */
  readonly total: number | null;
}

/** How bytes are brought somewhere. */
export interface Transfer {
  /** Is told how far they have come: at the start, at most some 20 times a second, and at the end. */
  onProgress?: (progress: Progress) => void;
  /** Ends it; the promise rejects with the signal's reason, and nothing has changed. */
  signal?: AbortSignal;
}

/** Where the bytes of a checkpoint can be: an address, a browser's storage, a file that somebody has picked. */
export interface Place {
  /** What it is called in errors. */
  readonly name: string;
  read(transfer: Transfer): Promise<Uint8Array>;
  /** Puts bytes there, all of them or none. */
  write(bytes: Uint8Array, transfer: Transfer): Promise<void>;
}

/** Milliseconds between two reports of progress. */
const between = 50;

/** Tells how far bytes have come, as often as somebody wants to hear it. */
export function progressOf({ onProgress }: Transfer, total: number | null): (loaded: number) => void {
  let told = Number.NEGATIVE_INFINITY;
  return (loaded) => {
    const now = performance.now();
    if (onProgress === undefined || (now - told < between && loaded !== total && loaded !== 0)) return;
    told = now;
    onProgress({ loaded, total });
  };
}

/** The error of a place that could not be read or written, for whatever was thrown there; not for what was ended. */
export function failed(what: string, cause: unknown, { signal }: Transfer, remedy = ""): unknown {
  if (signal?.aborted && cause === signal.reason) return cause;
  if (cause instanceof FileError) return cause;
  const { name, message } = cause as Error;
  const full =
    name === "QuotaExceededError"
      ? "; there is no room: delete what is no longer needed there, or ask for more with navigator.storage.persist()"
      : remedy;
  return new FileError(`Cannot ${what}: ${message || name}${full}`, { cause });
}

/** A place of a name, which errors of reading and writing it tell; a signal that is aborted already ends either. */
export function placeNamed(name: string, { read, write }: Pick<Place, "read" | "write">): Place {
  const telling = async <T>(what: string, transfer: Transfer, use: () => Promise<T>): Promise<T> => {
    try {
      transfer.signal?.throwIfAborted();
      return await use();
    } catch (cause) {
      throw failed(what, cause, transfer);
    }
  };
  return {
    name,
    read: (transfer) => telling(`load ${name}`, transfer, () => read(transfer)),
    write: (bytes, transfer) => telling(`save ${name}`, transfer, () => write(bytes, transfer)),
  };
}

/** Throws `ArgumentError` for what is no option of a transfer. */
export const refuseTransfer = (what: string, transfer: Transfer): void =>
  refuseOptions(what, transfer, { onProgress: null, signal: null });
