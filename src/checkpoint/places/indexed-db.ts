import { FileError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { readBlob } from "./blob.ts";
import { type Place, placeNamed, progressOf } from "./place.ts";

/** The store of a database that holds the bytes, by key. */
const store = "files";

/**
 * An entry of a database of the page's origin (IndexedDB): as `opfs`, for browsers without it. `key`: what it is found
 * under; `database`: default `"thaw"`. Reading and writing throw `FileError`.
 * Source: https://developer.mozilla.org/docs/Web/API/IndexedDB_API
 */
export function indexedDb(key: string, options: { database?: string } = {}): Place {
  refuseOptions("indexedDb", options, { database: null });
  const { database = "thaw" } = options;
  const name = `${key} in the database ${database}`;
  return placeNamed(name, {
    async read(transfer) {
      const found = await within(database, "readonly", (files) => files.get(key));
      if (!(found instanceof Blob)) throw new FileError(`Cannot load ${name}: there is no such entry`);
      return readBlob(found, transfer);
    },
    async write(bytes, transfer) {
      const progress = progressOf(transfer, bytes.length);
      progress(0);
      await within(database, "readwrite", (files) => files.put(new Blob([bytes as BlobPart]), key));
      progress(bytes.length);
    },
  });
}

/** Does one thing with the entries of a database, all of it or nothing, and gives what comes of it. */
async function within(
  database: string,
  mode: IDBTransactionMode,
  use: (files: IDBObjectStore) => IDBRequest,
): Promise<unknown> {
  const { indexedDB } = globalThis as { indexedDB?: IDBFactory };
  if (indexedDB === undefined)
    throw new FileError("There is no IndexedDB here; in Node, save() and load() take paths of files");
  const opened = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(database, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(store);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("another tab has it open in another version; close that"));
  });
  try {
    return await new Promise((resolve, reject) => {
      const transaction = opened.transaction(store, mode);
      const request = use(transaction.objectStore(store));
      // A request that has succeeded may still be undone: only the transaction's end says that it holds.
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? request.error);
      transaction.onerror = () => reject(request.error);
    });
  } finally {
    opened.close();
  }
}
