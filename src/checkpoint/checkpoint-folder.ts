import { ArgumentError, CheckpointError, FileError } from "../base/errors.ts";
import { refuseOptions } from "../base/options.ts";
import {
  baseName,
  finishWrites,
  isPlainFile,
  joinPath,
  makeFolder,
  namesIn,
  removeFile,
  samePlace,
  temporaryEnd,
} from "../base/storage/index.ts";
import { type LoadOptions, type LoadResult, load } from "./load.ts";
import { saveAsync, write } from "./save.ts";
import type { SaveOptions } from "./save-options.ts";
import { isDamage, loadTogether, meetingOf, savedByRankZero } from "./saving-group.ts";

/** Options of `CheckpointFolder`. */
export interface CheckpointFolderOptions {
  /** Checkpoints that are kept, the last ones; 3. With one, nothing is left to fall back to. */
  keep?: number;
}

/** What was loaded, and which checkpoint it was. */
export interface FolderLoadResult extends LoadResult {
  step: number;
  path: string;
}

/** The name of a checkpoint: the step in at least 8 digits, so that names are in the order of steps. */
const nameOf = (step: number): string => `checkpoint-${String(step).padStart(8, "0")}.safetensors`;
const namePattern = /^checkpoint-(\d{8,16})\.safetensors$/;

/**
 * The checkpoints of one run, in a folder of their own: each save is a file beside the others, the last `keep` stay, and
 * `load` takes the last that is whole. One process at a time saves to a folder; any may load.
 */
export class CheckpointFolder {
  readonly path: string;
  readonly keep: number;
  /** Damaged files that have been told of. */
  readonly #told = new Set<string>();
  /** Saves begun: what one leaves behind is for the last of them to clean. */
  #begun = 0;

  constructor(path: string, options: CheckpointFolderOptions = {}) {
    refuseOptions("CheckpointFolder", options, { keep: null });
    const { keep = 3 } = options;
    if (!Number.isInteger(keep) || keep < 1)
      throw new ArgumentError(`CheckpointFolder: keep is ${keep}; it must be a whole number of at least 1`);
    this.path = path;
    this.keep = keep;
  }

  /** The steps that there are checkpoints of, from the first to the last; none where there is no folder yet. */
  steps(): number[] {
    finishWrites();
    return this.#steps();
  }

  #steps(): number[] {
    return this.#names().flatMap((name) => {
      const step = stepOf(name);
      return step === null ? [] : [step];
    });
  }

  /** The path of the last checkpoint, whether it is whole or not; null where there is none. */
  get latest(): string | null {
    const last = this.steps().at(-1);
    return last === undefined ? null : this.pathOf(last);
  }

  /** The path of the checkpoint of a step, whether there is one or not. */
  pathOf(step: number): string {
    return joinPath(this.path, nameOf(step));
  }

  #names(): string[] {
    try {
      return namesIn(this.path);
    } catch (error) {
      if (error instanceof FileError && (error.cause as { code?: string } | undefined)?.code === "ENOENT")
        return [];
      throw error;
    }
  }

  /**
   * Saves a checkpoint of a step. Once it is there, what is beyond `keep` is removed, as are checkpoints of later steps,
   * which training has gone back from, and what a process that was killed has left half written. Gives its path.
   */
  save(step: number, options: SaveOptions): string {
    savedByRankZero("CheckpointFolder.save", options, `step ${step}`, (randomOf) => {
      const path = this.#begin(step, options);
      this.#begun++;
      write(path, options, randomOf);
      this.#clean(step);
    });
    return this.pathOf(step);
  }

  /** As `save`, but the file is written by another thread while training goes on: see `saveAsync`. */
  async saveAsync(step: number, options: SaveOptions): Promise<string> {
    if (meetingOf("CheckpointFolder.saveAsync", options?.group) !== null) return this.save(step, options);
    const path = this.#begin(step, options);
    const order = ++this.#begun;
    await saveAsync(path, options);
    if (order === this.#begun) this.#clean(step);
    return path;
  }

  #begin(step: number, { base }: SaveOptions): string {
    if (!Number.isSafeInteger(step) || step < 0)
      throw new ArgumentError(
        `CheckpointFolder.save: the step is ${step}; it must be a whole number of at least 0`,
      );
    finishWrites();
    if (typeof base === "string" && this.steps().some((other) => samePlace(base, this.pathOf(other))))
      throw new ArgumentError(
        `CheckpointFolder.save: the base ${baseName(base)} is one of the folder's own checkpoints, which are removed in time; take a file that stays`,
      );
    makeFolder(this.path);
    this.#removeUnfinished();
    return this.pathOf(step);
  }

  /** Nothing is being written now, so what is unfinished never will be. */
  #removeUnfinished(): void {
    for (const name of this.#names()) {
      const of = name.replace(temporaryEnd, "");
      const path = joinPath(this.path, name);
      if (of !== name && stepOf(of) !== null && isPlainFile(path)) removeFile(path);
    }
  }

  #clean(step: number): void {
    const steps = this.#steps();
    const kept = new Set(steps.filter((other) => other <= step).slice(-this.keep));
    for (const other of steps)
      if (!kept.has(other) && isPlainFile(this.pathOf(other))) removeFile(this.pathOf(other));
  }

  /**
   * Loads the last checkpoint that is whole; null where there is none at all. One that is damaged, which is said once, is
   * passed over for the one before. Throws `CheckpointError` where all are damaged, and whatever `load` throws for what
   * does not fit.
   */
  load(options: LoadOptions): FolderLoadResult | null {
    const damaged: unknown[] = [];
    const steps = this.steps().reverse();
    const found =
      steps.length === 0 ? "no checkpoints" : `checkpoints of steps ${steps.toReversed().join(", ")}`;
    loadTogether("CheckpointFolder.load", options?.group).agree(found);
    for (const [i, step] of steps.entries()) {
      const path = this.pathOf(step);
      try {
        const result = load(path, options);
        return { ...result, step, path };
      } catch (error) {
        if (!isDamage(error)) throw error;
        damaged.push(error);
        const before = steps[i + 1];
        if (before !== undefined) this.#tell(path, `${error.message} Going back to ${nameOf(before)}.`);
      }
    }
    if (damaged.length === 0) return null;
    throw new CheckpointError(
      `None of the ${damaged.length} checkpoints in ${this.path} is whole. The last: ${(damaged[0] as Error).message}`,
      { cause: damaged[0] },
    );
  }

  #tell(path: string, problem: string): void {
    if (this.#told.has(path)) return;
    this.#told.add(path);
    console.warn(`thaw: ${path} cannot be loaded: ${problem}`);
  }
}

/** The step of a name that a folder gives; null for any other. */
function stepOf(name: string): number | null {
  const digits = namePattern.exec(name)?.[1];
  const step = Number(digits);
  return digits !== undefined && nameOf(step) === name ? step : null;
}
