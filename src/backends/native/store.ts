import { CompileError } from "../../base/errors.ts";
import { settings } from "../../base/settings.ts";
import type { CUnit } from "../../codegen/c/kernel.ts";
import { compile, type Source } from "./compile.ts";
import { distrust, temporaryFolder } from "./folder.ts";
import { KernelFolder } from "./kernel-folder.ts";
import { digestOf, node } from "./node.ts";
import { isSealed, seal } from "./seal.ts";
import { flags, type Toolchain } from "./toolchain.ts";

/** Hours after which what a process has left half made is thrown away. */
const stale = 1;

/** Compiled kernels on disk: those of a folder that is named, then the cache, then the compiler. */
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
    return digestOf(prelude, body, flags().join(" "), this.#toolchain.fingerprint);
  }

  /** Paths of the objects of some sources, in order; what is missing is compiled. Throws `CompileError`. */
  obtain(sources: readonly CUnit[]): string[] {
    const keys = sources.map((source) => this.#keyOf(source));
    const found = keys.map((key) => this.#named?.path(key) ?? this.#cached(key));
    const missing = keys.flatMap((key, i) =>
      found[i] === null && keys.indexOf(key) === i ? [{ name: key, ...sources[i]! }] : [],
    );
    if (missing.length > 0) {
      this.#compile(missing);
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
    if (!fs.existsSync(file)) return null;
    if (distrust(file) !== null || !isSealed(file)) {
      fs.rmSync(file, { force: true });
      return null;
    }
    // So that what is used stays.
    const now = new Date();
    fs.utimesSync(file, now, now);
    return file;
  }

  #compile(sources: readonly Source[]): void {
    if (this.#toolchain.compiler === "")
      throw new CompileError(
        `native: ${this.#named!.folder} lacks ${sources.length} kernel(s) that this program needs, and there is no compiler; ` +
          "run thaw compile with all that the program does, its shapes included",
      );
    try {
      this.#compileInto(sources);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (error instanceof CompileError && !/No space left/.test(error.message)) throw error;
      if (!(error instanceof CompileError) && code === undefined) throw error;
      // The disk is full, or the folder has gone: once more elsewhere.
      const before = this.folder;
      this.folder = temporaryFolder();
      console.warn(
        `thaw: ${before} cannot be written to (${(error as Error).message}); kernels are not kept`,
      );
      try {
        this.#compileInto(sources);
      } catch (second) {
        if (second instanceof CompileError) throw second;
        throw new CompileError(`native: kernels cannot be written anywhere: ${(second as Error).message}`, {
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
          try {
            fs.linkSync(made, link);
          } catch {
            // Not every file system has links.
            fs.copyFileSync(made, link);
          }
          fs.renameSync(link, this.#place(other));
        }
      }
    } finally {
      fs.rmSync(work, { recursive: true, force: true });
    }
    this.#tidy(new Set(sources.map(({ name }) => this.#place(name))));
  }

  /** Throws away what was left half made long ago, and what was unused for longest beyond the bound; not what is `needed`. */
  #tidy(needed: ReadonlySet<string>): void {
    const { fs } = node();
    const entries = entriesOf(this.folder);
    for (const { file, time } of entries)
      if (/^tmp-|\.tmp$/.test(node().path.basename(file)) && Date.now() - time > stale * 3_600_000)
        fs.rmSync(file, { recursive: true, force: true });
    const objects = entries.filter(({ file }) => file.endsWith(".so")).sort((a, b) => a.time - b.time);
    let total = objects.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { file, bytes } of objects) {
      if (total <= settings.cacheMax) break;
      if (needed.has(file)) continue;
      // An object that is loaded stays so after its name is gone.
      fs.rmSync(file, { force: true });
      total -= bytes;
    }
  }

  info(): { folder: string; objects: number; bytes: number; maxBytes: number; oldest: Date | null } {
    const objects = entriesOf(this.folder).filter(({ file }) => file.endsWith(".so"));
    const times = objects.map(({ time }) => time);
    return {
      folder: this.folder,
      objects: objects.length,
      bytes: Math.round(objects.reduce((sum, { bytes }) => sum + bytes, 0)),
      maxBytes: settings.cacheMax,
      oldest: times.length === 0 ? null : new Date(Math.min(...times)),
    };
  }

  /** Removes all objects; those that are loaded go on working. */
  clear(): { objects: number; bytes: number } {
    const { fs } = node();
    const { objects, bytes } = this.info();
    for (const { file } of entriesOf(this.folder)) fs.rmSync(file, { recursive: true, force: true });
    return { objects, bytes };
  }
}

/** What is in a folder, less what goes while one looks; a file of several names counts once among them. */
function entriesOf(folder: string): { file: string; bytes: number; time: number }[] {
  const { fs, path } = node();
  return fs.readdirSync(folder).flatMap((name) => {
    const file = path.join(folder, name);
    const stats = fs.lstatSync(file, { throwIfNoEntry: false });
    return stats === undefined
      ? []
      : [{ file, bytes: stats.size / Math.max(1, stats.nlink), time: stats.mtimeMs }];
  });
}
