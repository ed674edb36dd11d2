import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** A peer's first line. */
export interface Ready {
  version: string;
  backend?: string;
  /** Version of Node, of a peer in JavaScript. */
  node?: string;
}

/** A peer's answer to one request. */
export interface Answer {
  captured: boolean;
  /** Time of each iteration. */
  ms: number[];
  /** Largest resident memory of the process so far. */
  peakMiB: number;
  /** From the request that built the workload to the end of its first step; only in the first answer. */
  firstStepMs?: number;
  /** What the engine itself counts as in use, of a peer that can say. */
  engineMiB?: number;
}

const startLimitMs = 180_000;
const answerLimitMs = 300_000;
const lastLines = 5;

/** A peer that is kept alive, pinned to cores, and asked for iterations; `peers/pytorch.py` has the protocol. */
export class PeerProcess {
  readonly ready: Ready;
  /** Resident memory before any workload is built; undefined where the system does not say. */
  readonly idleMiB: number | undefined;
  readonly #child: ChildProcess;
  readonly #lines: Lines;

  private constructor(child: ChildProcess, lines: Lines, ready: Ready) {
    this.ready = ready;
    this.idleMiB = residentMiB(child.pid);
    this.#child = child;
    this.#lines = lines;
  }

  /** Starts a peer on the cores named, or on all where they cannot be named; rejects with what it wrote if it fails. */
  static async start(command: string[], cores: string | undefined): Promise<PeerProcess> {
    const [program, ...args] = cores === undefined ? command : ["taskset", "-c", cores, ...command];
    const child = spawn(program!, args, { stdio: ["pipe", "pipe", "pipe"] });
    const lines = new Lines(child);
    try {
      return new PeerProcess(child, lines, (await lines.next(startLimitMs)) as Ready);
    } catch (error) {
      child.kill();
      throw error;
    }
  }

  /** Asks for timed iterations of a workload, after untimed ones; rejects with the peer's own error. */
  async ask(request: { workload: string; iterations: number; warmup?: number }): Promise<Answer> {
    this.#child.stdin!.write(`${JSON.stringify(request)}\n`);
    const answer = (await this.#lines.next(answerLimitMs)) as Answer & { error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }

  /** Ends the process, by force if it does not end by itself. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.stdin!.end();
    const timer = setTimeout(() => child.kill("SIGKILL"), 5_000);
    await ended;
    clearTimeout(timer);
  }
}

/** The lines of a process, one at a time, each an object in JSON. */
class Lines {
  readonly #child: ChildProcess;
  readonly #errors: string[] = [];
  #ended: string | undefined;
  #arrived: string[] = [];
  #wake: (() => void) | undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    createInterface({ input: child.stdout! }).on("line", (line) => {
      this.#arrived.push(line);
      this.#wake?.();
    });
    createInterface({ input: child.stderr! }).on("line", (line) => {
      if (line.trim() !== "") this.#errors.push(line);
      if (this.#errors.length > lastLines) this.#errors.shift();
    });
    // Writing to a process that has died is reported by its end, not by a broken pipe.
    child.stdin!.on("error", () => {});
    child.on("error", (error) => this.#end(error.message));
    // "close" comes after the last line of both streams.
    child.on("close", (code, signal) => this.#end(`it ended (${signal ?? `exit status ${code}`})`));
  }

  async next(limitMs: number): Promise<unknown> {
    const timer = setTimeout(() => {
      this.#end(`no answer in ${limitMs / 1000} s`);
      this.#child.kill("SIGKILL");
    }, limitMs);
    while (this.#arrived.length === 0 && this.#ended === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    clearTimeout(timer);
    const line = this.#arrived.shift();
    if (line === undefined) throw new Error([this.#ended, ...this.#errors].join("\n  "));
    return JSON.parse(line);
  }

  #end(why: string): void {
    this.#ended ??= why;
    this.#wake?.();
  }
}

function residentMiB(pid: number | undefined): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) / 1024;
  } catch {
    return undefined;
  }
}
