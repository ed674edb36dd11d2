import { BackendError, CompileError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
import { settings } from "../../base/settings.ts";
import type { LazyUnit } from "../../targets/c/unit.ts";
import { compile, type Source } from "./compile.ts";
import { distrust, linkOrCopy, temporaryFolder, temporaryPlaces } from "./folder.ts";
import { KernelFolder } from "./kernel-folder.ts";
import { digestOf, node } from "./node.ts";
import { isSealed, seal } from "./seal.ts";
import { flags, type Toolchain } from "./toolchain.ts";

/** Hours after which what a process has left half made is thrown away. */
const stale = 1;

/** Compiled kernels on disk: those of a folder that is named, or else the cache and what the compiler adds to it. */
export class KernelStore {
  /** Where what is compiled goes. */
  folder: string;
  /** Folders that could be written to once, or can only be read: their kernels go on being used. */
  readonly #older: string[] = [];
  readonly #toolchain: Toolchain;
  readonly #named: KernelFolder | null;
  readonly #out: KernelFolder | null;

  /** `named`: kernels compiled ahead, used as they are. */
  constructor(folder: string, toolchain: Toolchain, named: KernelFolder | null) {
    this.folder = folder;
    this.#toolchain = toolchain;
    this.#named = named;
    this.#out = settings.kernelsOut === undefined ? null : KernelFolder.make(settings.kernelsOut, toolchain);
  }

  /** The file's name for a source. */
  #nameOf({ key }: LazyUnit): string {
    const { fingerprint } = this.#toolchain;
    return digestOf(key, flags(this.#toolchain).join(" "), fingerprint);
  }

  /** Paths of the objects of some sources, in order; what is missing is compiled. Throws `CompileError`. */
  obtain(sources: readonly LazyUnit[]): string[] {
    const keys = sources.map((source) => this.#nameOf(source));
    const found = keys.map((key) => (this.#named === null ? this.#cached(key) : this.#named.path(key)));
    const missing = keys.flatMap((key, i) =>
      found[i] === null && keys.indexOf(key) === i ? [{ name: key, ...sources[i]!.write() }] : [],
    );
    if (missing.length > 0) {
      this.#compile(missing);
      this.#tidy(new Set(keys.map((key) => this.#place(key))));
      for (const [i, key] of keys.entries()) found[i] ??= this.#place(key);
    }
    if (this.#out !== null) for (const [i, key] of keys.entries()) this.#out.add(key, found[i]!);
    return found as string[];
  }

  /** Where an object is put. */
  #place(key: string): string {
    return node().path.join(this.folder, `${key}.so`);
  }

  /** The path of a cached object that is whole and ours; what is not is removed. */
  #cached(key: string): string | null {
    const { path } = node();
    for (const folder of [this.folder, ...this.#older]) {
      const file = path.join(folder, `${key}.so`);
      try {
        if (distrust(file) === null && isSealed(file)) {
          touch(file);
          return file;
        }
      } catch (error) {
        // Another process may remove what this one looks at; what cannot be read is no object.
        if ((error as NodeJS.ErrnoException).code === "ENOENT") continue;
      }
      removeQuietly(file);
    }
    return null;
  }

  /** Has what is missing compiled into the folder, or into one for this process alone where that has no room. */
  #compile(sources: readonly Source[]): void {
    if (this.#named !== null)
      throw new CompileError(
        `native: ${this.#named.folder}, which THAW_KERNELS names, lacks ${sources.length} kernel(s) that this program needs; ` +
          "run thaw compile with all that the program does, its shapes included",
      );
    try {
      this.#compileInto(sources);
    } catch (error) {
      if (!isForWantOfRoom(error, this.folder)) throw error;
      this.#compileElsewhere(sources, error as Error);
    }
  }

  /** Once more where there is room, when the disk is full, or the folder has gone or cannot be written to. */
  #compileElsewhere(sources: readonly Source[], first: Error): void {
    let last = first;
    for (const place of temporaryPlaces()) {
      const before = this.folder;
      try {
        this.folder = temporaryFolder(place);
        this.#compileInto(sources);
      } catch (error) {
        const without = isForWantOfRoom(error, this.folder);
        this.folder = before;
        last = error as Error;
        if (!without && !(error instanceof BackendError && !(error instanceof CompileError))) throw error;
        continue;
      }
      this.#older.unshift(before);
      console.warn(
        printable(`thaw: ${before} cannot be written to (${first.message}); kernels are not kept`),
      );
      return;
    }
    throw new CompileError(
      `native: kernels can be written nowhere, not to ${[this.folder, ...temporaryPlaces()].join(", ")}: ${last.message}; ` +
        "make room, or name a folder with THAW_CACHE",
      { cause: last },
    );
  }

  #compileInto(sources: readonly Source[]): void {
    const { fs, path } = node();
    const work = fs.mkdtempSync(path.join(this.folder, "tmp-"));
    try {
      for (const { name, names } of compile(sources, work, this.#toolchain)) {
        const made = path.join(work, `${name}.so`);
        seal(made);
        fs.chmodSync(made, 0o700);
        // One file under the names of all that it holds: a loader that has seen it under one knows it under another.
        for (const other of names) {
          const link = path.join(work, `${other}.link`);
          linkOrCopy(made, link);
          fs.renameSync(link, this.#place(other));
        }
      }
    } finally {
      fs.rmSync(work, { recursive: true, force: true });
    }
  }

  /** Throws away what was left half made long ago, and what was unused for longest beyond the bound; not what is `needed`. */
  #tidy(needed: ReadonlySet<string>): void {
    const entries = entriesOf(this.folder);
    for (const entry of entries) if (isLeftOver(entry)) removeQuietly(entry.file);
    const objects = entries.filter(isObject).sort((a, b) => a.time - b.time || a.inode - b.inode);
    const kept = new Set(objects.flatMap(({ file, inode }) => (needed.has(file) ? [inode] : [])));
    let total = bytesOf(objects);
    let last = -1;
    for (const object of objects) {
      // A file takes its room until the last of its names is gone.
      if (total <= settings.cacheMax && object.inode !== last) break;
      if (kept.has(object.inode)) continue;
      // An object that is loaded stays so after its name is gone.
      removeQuietly(object.file);
      total -= object.bytes;
      last = object.inode;
    }
  }

  info(): { folder: string; objects: number; bytes: number; maxBytes: number; oldest: Date | null } {
    const objects = entriesOf(this.folder).filter(isObject);
    const times = objects.map(({ time }) => time);
    return {
      folder: this.folder,
      objects: objects.length,
      bytes: bytesOf(objects),
      maxBytes: settings.cacheMax,
      oldest: times.length === 0 ? null : new Date(Math.min(...times)),
    };
  }

  /** Removes all objects, and what is left of others; those that are loaded go on working, and those being made too. */
  clear(): { objects: number; bytes: number } {
    const { objects, bytes } = this.info();
    for (const entry of entriesOf(this.folder)) if (!isUnfinished(entry) || isLeftOver(entry)) remove(entry);
    return { objects, bytes };
  }
}

/** One thing that is kept: a file or a folder. `bytes`: its share of a file of several names. */
interface Entry {
  readonly file: string;
  readonly inode: number;
  readonly bytes: number;
  readonly time: number;
}

const isObject = ({ file }: Entry): boolean => file.endsWith(".so");
const isUnfinished = ({ file }: Entry): boolean => /^tmp-|\.tmp$/.test(node().path.basename(file));
const isLeftOver = (entry: Entry): boolean =>
  isUnfinished(entry) && Date.now() - entry.time > stale * 3_600_000;
const bytesOf = (entries: readonly Entry[]): number =>
  Math.round(entries.reduce((sum, { bytes }) => sum + bytes, 0));
const remove = ({ file }: Entry): void => node().fs.rmSync(file, { recursive: true, force: true });

/** Removes what is only in the way, where it can be. */
function removeQuietly(file: string): void {
  try {
    node().fs.rmSync(file, { recursive: true, force: true });
  } catch {
    // A folder that can only be read keeps it.
  }
}

/** Says that a file is used, so that it stays. */
function touch(file: string): void {
  const now = new Date();
  try {
    node().fs.utimesSync(file, now, now);
  } catch {
    // In a folder that can only be read nothing goes either.
  }
}

/** Bytes without which a disk counts as full: a compiler that runs out of them dies in many ways. */
const room = 2 ** 22;

/** Whether something failed because a folder has no room, or cannot be written to. */
function isForWantOfRoom(error: unknown, folder: string): boolean {
  if (!(error instanceof CompileError)) return (error as NodeJS.ErrnoException).code !== undefined;
  if (/No space left|quota exceeded|read-only file system|file too large/i.test(error.message)) return true;
  try {
    const { bavail, bsize } = node().fs.statfsSync(folder);
    return bavail * bsize < room;
  } catch {
    return true;
  }
}

/** Names of what thaw keeps: nothing else in a folder is counted, or removed. */
const own = /^([0-9a-f]{64}\.so|tmp-\w{6}|compiler-[0-9a-f]{32}\.json(\.\d+\.tmp)?)$/;

/** What thaw keeps in a folder, less what goes while one looks; nothing where there is no folder. */
function entriesOf(folder: string): Entry[] {
  const { fs, path } = node();
  const names = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  return names
    .filter((name) => own.test(name))
    .flatMap((name) => {
      const file = path.join(folder, name);
      const stats = fs.lstatSync(file, { throwIfNoEntry: false });
      if (stats === undefined) return [];
      const { ino: inode, size, nlink, mtimeMs: time } = stats;
      return [{ file, inode, bytes: size / Math.max(1, nlink), time }];
    });
}
