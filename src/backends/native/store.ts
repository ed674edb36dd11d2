import { CompileError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
import { settings } from "../../base/settings.ts";
import type { CUnit } from "../../codegen/c/writer.ts";
import { compile, type Source } from "./compile.ts";
import { distrust, linkOrCopy, temporaryFolder } from "./folder.ts";
import { KernelFolder } from "./kernel-folder.ts";
import { digestOf, node } from "./node.ts";
import { isSealed, seal } from "./seal.ts";
import { flags, type Toolchain } from "./toolchain.ts";

/** Hours after which what a process has left half made is thrown away. */
const stale = 1;

/** Compiled kernels on disk: those of a folder that is named, or else the cache and what the compiler adds to it. */
export class KernelStore {
  folder: string;
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
  #keyOf({ prelude, body }: CUnit): string {
    const { fingerprint } = this.#toolchain;
    return digestOf(prelude, body, flags(this.#toolchain).join(" "), fingerprint);
  }

  /** Paths of the objects of some sources, in order; what is missing is compiled. Throws `CompileError`. */
  obtain(sources: readonly CUnit[]): string[] {
    const keys = sources.map((source) => this.#keyOf(source));
    const found = keys.map((key) => (this.#named === null ? this.#cached(key) : this.#named.path(key)));
    const missing = keys.flatMap((key, i) =>
      found[i] === null && keys.indexOf(key) === i ? [{ name: key, ...sources[i]! }] : [],
    );
    if (missing.length > 0) {
      this.#compile(missing);
      this.#tidy(new Set(keys.map((key) => this.#place(key))));
      for (const [i, key] of keys.entries()) found[i] ??= this.#place(key);
    }
    if (this.#out !== null) for (const [i, key] of keys.entries()) this.#out.add(key, found[i]!);
    return found as string[];
  }

  #place(key: string): string {
    return node().path.join(this.folder, `${key}.so`);
  }

  /** The path of a cached object that is whole and ours; what is not is removed. */
  #cached(key: string): string | null {
    const { fs } = node();
    const file = this.#place(key);
    try {
      if (distrust(file) === null && isSealed(file)) {
        // So that what is used stays.
        const now = new Date();
        fs.utimesSync(file, now, now);
        return file;
      }
    } catch (error) {
      // Another process may remove what this one looks at; what cannot be read is no object.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    }
    fs.rmSync(file, { force: true, recursive: true });
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
      const { code } = error as NodeJS.ErrnoException;
      if (error instanceof CompileError && !/No space left|quota exceeded/i.test(error.message)) throw error;
      if (!(error instanceof CompileError) && code === undefined) throw error;
      // The disk is full, or the folder has gone: once more elsewhere.
      const why = (error as Error).message;
      const before = this.folder;
      this.folder = temporaryFolder();
      console.warn(printable(`thaw: ${before} cannot be written to (${why}); kernels are not kept`));
      try {
        this.#compileInto(sources);
      } catch (second) {
        if (second instanceof CompileError) throw second;
        throw new CompileError(`native: kernels can be written nowhere: ${(second as Error).message}`, {
          cause: second,
        });
      }
    }
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
    for (const entry of entries) if (isLeftOver(entry)) remove(entry);
    const objects = entries.filter(isObject).sort((a, b) => a.time - b.time || a.inode - b.inode);
    const kept = new Set(objects.flatMap(({ file, inode }) => (needed.has(file) ? [inode] : [])));
    let total = bytesOf(objects);
    let last = -1;
    for (const object of objects) {
      // A file takes its room until the last of its names is gone.
      if (total <= settings.cacheMax && object.inode !== last) break;
      if (kept.has(object.inode)) continue;
      // An object that is loaded stays so after its name is gone.
      remove(object);
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
