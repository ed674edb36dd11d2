import { parseJson } from "../../base/bounded-json.ts";
import { FileError, GroupError, ResumeError } from "../../base/errors.ts";
import { holdFile } from "../../base/storage/hold.ts";
import {
  appendFile,
  joinPath,
  makeFolder,
  namesIn,
  readFile,
  removeFile,
  temporaryEnd,
  writeText,
} from "../../base/storage/index.ts";
import { CheckpointFolder } from "../../checkpoint/checkpoint-folder.ts";
import type { SaveOptions } from "../../checkpoint/save-options.ts";
import type { Group } from "../../distributed/group.ts";
import type { TextModel } from "../text-model.ts";
import { isPrefixFile } from "./prefix/kept-file.ts";
import { isKeptFile } from "./prefix/kept-store.ts";
import { differences, type RunIdentity } from "./run-identity.ts";

/** Checkpoints that are kept: the last one, and one to fall back to. */
const keep = 2;

const [identityName, lockName] = ["run.json", "run.lock"];

/** What is written line by line: of each update and epoch how well it went, and of each epoch what became of parameters. */
const lineNames = { metrics: "metrics.jsonl", parameters: "parameters.jsonl" };

/**
 * What is in the folder of a training: `checkpoints/`, `run.json` (what it was begun with), `metrics.jsonl`,
 * `parameters.jsonl` and, at the end, the model. One process at a time has it. Of ranks, rank 0 writes.
 */
export class RunFolder {
  readonly path: string;
  readonly #group: Group | null;
  readonly #checkpoints: CheckpointFolder;
  readonly #release: () => void;

  private constructor(path: string, group: Group | null, release: () => void) {
    this.path = path;
    this.#group = group;
    this.#checkpoints = new CheckpointFolder(joinPath(path, "checkpoints"), { keep });
    this.#release = release;
  }

  /** Takes the folder, which is made where there is none. All ranks must call it. Throws `LockError` where another has it. */
  static async open(path: string, group: Group | null): Promise<RunFolder> {
    let release = (): void => {};
    let problem: unknown = null;
    if (group === null || group.rank === 0)
      try {
        makeFolder(path);
        release = holdFile(joinPath(path, lockName), `fit: the folder ${path}`);
        // A process that was killed has left what only it can use.
        for (const name of namesIn(path))
          if (isKeptFile(name) || (isPrefixFile(name) && temporaryEnd.test(name)))
            removeFile(joinPath(path, name));
      } catch (error) {
        problem = error;
      }
    const told = await group?.broadcast(problem instanceof Error ? problem.message : null);
    if (problem !== null) throw problem;
    if (typeof told === "string") throw new GroupError(`rank 0 cannot have the folder: ${told}`);
    return new RunFolder(path, group, release);
  }

  /** Lets others have it. */
  close(): void {
    this.#release();
  }

  /**
   * Whether there is a checkpoint to go on from. Throws `ResumeError` for one that was begun with something else or that
   * nobody has asked to go on from, and for a folder with a model that no training has put there.
   */
  hasBegun(identity: RunIdentity, resume: boolean): boolean {
    const steps = this.#checkpoints.steps();
    if (steps.length === 0) {
      const model = namesIn(this.path).find((name) => name === "config.json" || name === "model.safetensors");
      if (model !== undefined)
        throw new ResumeError(
          `fit: out is ${this.path}, which holds ${model} and no checkpoints; what is there would be lost. Give another folder, or move it away.`,
        );
      return false;
    }
    if (!resume)
      throw new ResumeError(
        `fit: out is ${this.path}, which has checkpoints of a training up to update ${steps.at(-1)}; give resume: true to go on from there, or another folder`,
      );
    const differing = differences(this.#identity(), identity);
    if (differing.length > 0)
      throw new ResumeError(
        `fit: the training in ${this.path} was begun with something else; nothing was changed. Give what it was begun with, or another folder.\n${differing.map((line) => `  ${line}`).join("\n")}`,
      );
    return true;
  }

  #identity(): RunIdentity {
    const path = joinPath(this.path, identityName);
    try {
      return parseJson(new TextDecoder().decode(readFile(path))) as RunIdentity;
    } catch (cause) {
      if (!(cause instanceof FileError || cause instanceof SyntaxError)) throw cause;
      throw new ResumeError(
        `fit: ${path} does not say what the training was begun with: ${cause.message}. Give another folder.`,
        { cause },
      );
    }
  }

  /** Begins anew. */
  async begin(identity: RunIdentity): Promise<void> {
    // Until all ranks have seen what is there.
    await this.#group?.barrier();
    if (!this.#writes) return;
    this.#write(identityName, `${JSON.stringify(identity, null, 2)}\n`);
    for (const name of Object.values(lineNames)) this.#write(name, "");
  }

  /** Puts the last checkpoint into what was saved. */
  load(saved: SaveOptions): void {
    this.#checkpoints.load(this.#with(saved));
  }

  /** Saves a checkpoint of an update. */
  save(step: number, saved: SaveOptions): void {
    this.#checkpoints.save(step, this.#with(saved));
  }

  #with(saved: SaveOptions): SaveOptions {
    return this.#group === null ? saved : { ...saved, group: this.#group };
  }

  /** Takes away lines beyond the first few, which come again. */
  cut(file: keyof typeof lineNames, lines: number): void {
    if (!this.#writes) return;
    const text = new TextDecoder().decode(readFile(joinPath(this.path, lineNames[file])));
    const kept = text.split("\n").slice(0, lines);
    this.#write(lineNames[file], kept.map((line) => `${line}\n`).join(""));
  }

  /** Adds a line. */
  log(file: keyof typeof lineNames, line: object): void {
    if (this.#writes)
      appendFile(joinPath(this.path, lineNames[file]), new TextEncoder().encode(`${JSON.stringify(line)}\n`));
  }

  /** Writes the tuned model, and removes what only a training that goes on would have used. */
  async finish(model: TextModel): Promise<void> {
    if (this.#writes) {
      await model.savePretrained(this.path);
      for (const name of namesIn(this.path)) if (isPrefixFile(name)) removeFile(joinPath(this.path, name));
    }
    await this.#group?.barrier();
  }

  get #writes(): boolean {
    return this.#group === null || this.#group.rank === 0;
  }

  #write(name: string, text: string): void {
    writeText(joinPath(this.path, name), text);
  }
}
