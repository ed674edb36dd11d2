import { equalBytes } from "../base/equal-bytes.ts";
import { ArgumentError, CheckpointError, type ThawError } from "../base/errors.ts";
import { baseName, fileVersion, folderOf, joinPath, samePlace } from "../base/storage/index.ts";
import type { Storage } from "../engine/storage.ts";
import { computedStorage } from "../nn/bits.ts";
import { shown } from "./header-text.ts";
import { bytesSource, openTensors, type TensorSource } from "./open.ts";
import type { BaseRecord } from "./record.ts";
import { checksumIn } from "./seal.ts";
import { bytesFor, type Outgoing } from "./write.ts";

/** Weights that a checkpoint may refer to: the path of a safetensors file, index or folder, or the bytes of a file. */
export type Base = string | Uint8Array;

/** What is known to be the same in a base: nothing has been written to it, nor to the file, since it was compared. */
interface Compared {
  readonly version: number;
  readonly file: unknown;
  readonly sum: string;
}

const compared = new WeakMap<Storage, Compared>();

const openBase = (base: Base): TensorSource =>
  typeof base === "string" ? openTensors(base) : bytesSource(base);

/**
 * Those of some tensors that are in a base bit for bit, and need not be written. They are compared once, and then only
 * where something has been written to them; so what is frozen costs nothing.
 */
export function inBase(
  what: string,
  outgoing: readonly Outgoing[],
  base: Base,
  path: string | null,
): BaseRecord {
  if (typeof base === "string" && path !== null && samePlace(base, path))
    throw new ArgumentError(
      `${what}: the base is ${base}, the file that is to be written; a checkpoint cannot refer to itself`,
    );
  const source = openBase(base);
  const versions = new Map<string, string>();
  const versionOf = (file: string): unknown => {
    if (typeof base !== "string") return base;
    if (!versions.has(file)) versions.set(file, fileVersion(file));
    return versions.get(file);
  };
  try {
    const tensors: Record<string, string> = {};
    for (const one of outgoing) {
      const entry = source.entries.get(one.name);
      if (entry === undefined || entry.dtype !== one.dtype || !sameList(entry.shape, one.tensor.shape))
        continue;
      const storage = computedStorage(one.tensor, what);
      const file = versionOf(entry.file);
      const before = compared.get(storage);
      if (before?.version === storage.version && before.file === file) {
        tensors[one.name] = before.sum;
        continue;
      }
      if (!sameBytes(source, one)) continue;
      const sum = checksumIn(source, one.name);
      compared.set(storage, { version: storage.version, file, sum });
      tensors[one.name] = sum;
    }
    return { name: typeof base === "string" ? baseName(base) : null, tensors };
  } finally {
    source.close();
  }
}

const sameList = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i]);

/** Bytes that are compared at a time. */
const pieceBytes = 2 ** 20;

function sameBytes(source: TensorSource, one: Outgoing): boolean {
  const into = new Uint8Array(pieceBytes);
  let from = 0;
  for (const bytes of bytesFor(one))
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const part = bytes.subarray(at, at + pieceBytes);
      const read = into.subarray(0, part.length);
      if (source.read(one.name, read, from) < part.length) return false;
      if (!equalBytes(part, read)) return false;
      from += part.length;
    }
  return true;
}

/**
 * Opens what a checkpoint refers to: what is given, or else what lies beside it under the name that it says. Throws
 * `CheckpointError` where that is not there, or is another.
 */
export function openReferred(
  from: string,
  path: string | null,
  record: BaseRecord,
  given?: Base,
): TensorSource {
  const { name, tensors } = record;
  const names = Object.keys(tensors);
  const what = name === null ? "weights that were given as bytes" : shown(name);
  const refuse = (problem: string, options?: ErrorOptions): ThawError =>
    new CheckpointError(
      `${from} refers to ${what} for ${names.length} of its tensors, ${problem}. Pass the weights that it was saved with as { base }; nothing was loaded.`,
      options,
    );
  const base = given ?? (path === null || name === null ? undefined : joinPath(folderOf(path), name));
  if (base === undefined) throw refuse("and no base was given");
  let source: TensorSource;
  try {
    source = openBase(base);
  } catch (cause) {
    throw refuse(`which cannot be read: ${(cause as Error).message}`, { cause });
  }
  try {
    for (const one of names) {
      if (!source.entries.has(one)) throw refuse(`which has no ${shown(one)}`);
      const is = checksumIn(source, one);
      if (is !== tensors[one])
        throw refuse(
          `which is another: the checksum of ${shown(one)} is ${is} there, and was ${tensors[one]}`,
        );
    }
  } catch (error) {
    source.close();
    throw error;
  }
  return source;
}
