import { availableCores } from "../../backends/cores.ts";
import { shareCores } from "../../backends/sharing.ts";
import { errorText } from "../../base/error-text.ts";
import { ArgumentError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { settings } from "../../base/settings.ts";
import { Control, seenText } from "../control.ts";
import { crowdText, shareOf } from "../divide-machine.ts";
import { lineWriter } from "../line-writer.ts";
import { groupsDoNotNest } from "../nested.ts";
import { type RankData, rankKey } from "./threads-engine.ts";

/** Options of `startRanks`. */
export interface RanksOptions {
  /** How many ranks there are, from 1. */
  ranks: number;
  /** Arguments of the script. */
  args?: readonly string[];
  /** How often all begin again where one has failed; default 0. Scripts resume from their last checkpoint. */
  restarts?: number;
  /** Seconds that a rank waits for another before that one counts as hung; default 300. */
  timeout?: number;
  /** Seconds that ranks have to end by themselves when one has failed, before they are ended; default 2. */
  grace?: number;
  /** Bytes that a rank gives the others at a time, a multiple of 64; default 1 MiB. */
  bucketBytes?: number;
  /** Is given each line that a rank writes. */
  output?: (rank: number, line: string, stream: "stdout" | "stderr") => void;
  /** Is told, once, what is good to know: that there are more ranks than cores, that all begin again. */
  notice?: (text: string) => void;
}

/** Why a run has failed. */
export interface RankFailure {
  readonly rank: number;
  /** What it threw, or how it ended, and what it was at. */
  readonly message: string;
}

/** Ranks that run. */
export interface RunningRanks {
  /** Settles when all have ended: null where all scripts came to their end, or which rank failed first. */
  readonly result: Promise<RankFailure | null>;
  /** Ends one rank, wherever it is, as a crash would. */
  terminate(rank: number): Promise<void>;
}

/**
 * Starts a script on several ranks, each a thread of this process with a backend of its own, and watches over them: where
 * one fails, ends early or hangs, all others throw an error that names it, and end. Limits of threads and memory are
 * divided among them. Throws `ArgumentError` for options that cannot be, `GroupError` inside a rank.
 */
export function startRanks(script: URL | string, options: RanksOptions): RunningRanks {
  checkOptions(options);
  groupsDoNotNest("startRanks");
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  const { ranks, restarts = 0, notice = () => {} } = options;
  const crowd = crowdText(ranks);
  if (crowd !== null) notice(crowd);
  let attempt: Attempt | null = null;
  const runAll = async (): Promise<RankFailure | null> => {
    for (let restart = 0; ; restart++) {
      attempt = new Attempt(script, options, restart, Worker);
      const failure = await attempt.result;
      if (failure === null || restart >= restarts) return failure;
      notice(`${failure.message}. All ranks begin again (${restart + 1} of ${restarts}).`);
    }
  };
  return {
    result: runAll(),
    terminate: async (rank) => void (await attempt?.terminate(rank)),
  };
}

const checkedBelow = {
  ranks: null,
  args: null,
  restarts: null,
  timeout: null,
  grace: null,
  bucketBytes: null,
  output: null,
  notice: null,
};

const defaults = { timeout: 300, grace: 2, bucketBytes: 2 ** 20 } as const;

/** Ranks that one control has room for: more threads than any machine has cores are a mistake. */
const mostRanks = 256;

function checkOptions(given: RanksOptions): void {
  refuseOptions<RanksOptions>("startRanks", given, checkedBelow);
  const { ranks, restarts = 0, ...options } = given;
  if (!Number.isInteger(ranks) || ranks < 1 || ranks > mostRanks)
    throw new ArgumentError(
      `startRanks: ranks is ${ranks}; it must be a whole number from 1 to ${mostRanks}`,
    );
  if (!Number.isInteger(restarts) || restarts < 0)
    throw new ArgumentError(`startRanks: restarts is ${restarts}; it must be a whole number of at least 0`);
  const { timeout, grace, bucketBytes } = { ...defaults, ...options };
  if (!(timeout > 0))
    throw new ArgumentError(`startRanks: timeout is ${timeout}; it must be seconds above 0`);
  if (!(grace >= 0)) throw new ArgumentError(`startRanks: grace is ${grace}; it must be seconds, or 0`);
  if (!Number.isInteger(bucketBytes) || bucketBytes < 64 || bucketBytes % 64 !== 0)
    throw new ArgumentError(`startRanks: bucketBytes is ${bucketBytes}; it must be a multiple of 64`);
}

type WorkerClass = ReturnType<typeof process.getBuiltinModule<"node:worker_threads">>["Worker"];

/** All ranks, from their start until the last has ended. */
class Attempt {
  readonly result: Promise<RankFailure | null>;
  readonly #control: Control;
  readonly #workers: InstanceType<WorkerClass>[] = [];
  readonly #grace: number;
  #failure: RankFailure | null = null;
  #left: number;
  #settle: (failure: RankFailure | null) => void = () => {};
  #ending: ReturnType<typeof setTimeout> | null = null;

  constructor(script: URL | string, options: RanksOptions, restarts: number, Worker: WorkerClass) {
    const { ranks, args = [], output = () => {} } = options;
    const { timeout, grace, bucketBytes } = { ...defaults, ...options };
    this.#control = new Control(ranks);
    this.#grace = grace * 1000;
    this.#left = ranks;
    const staging = new SharedArrayBuffer(2 * ranks * bucketBytes);
    this.result = new Promise((resolve) => (this.#settle = resolve));
    const env = environmentOf(ranks);
    for (let rank = 0; rank < ranks; rank++) {
      const data: RankData = {
        rank,
        ranks,
        restarts,
        timeout: timeout * 1000,
        control: this.#control.memory,
        staging,
        slotBytes: bucketBytes,
      };
      const worker = new Worker(script, {
        argv: [...args],
        env,
        workerData: { [rankKey]: data },
        stdout: true,
        stderr: true,
      });
      this.#workers.push(worker);
      for (const stream of ["stdout", "stderr"] as const) {
        const lines = lineWriter((line) => output(rank, line, stream));
        worker[stream].on("data", lines.write);
        worker[stream].on("end", lines.end);
      }
      worker.on("error", (error) => this.#fail(rank, errorText(error)));
      worker.on("exit", (code) => this.#ended(rank, code));
    }
  }

  async terminate(rank: number): Promise<void> {
    await this.#workers[rank]?.terminate();
  }

  /** Notes the first failure, tells the others, and ends those that do not end by themselves. */
  #fail(rank: number, problem: string): void {
    if (this.#failure !== null) return;
    const message = `rank ${rank} has failed: ${problem}; ${seenText(this.#control.seen(rank))}`;
    this.#control.fail(rank, message);
    // One may have been told by another that it is not there: then that is what has failed.
    const cause = this.#control.failure() ?? { rank, message };
    this.#failure = { rank: cause.rank, message: cause.message };
    this.#ending = setTimeout(() => {
      for (const worker of this.#workers) void worker.terminate();
    }, this.#grace);
  }

  #ended(rank: number, code: number): void {
    if (code === 0) this.#control.end(rank);
    else this.#fail(rank, `it has ended with exit code ${code}`);
    if (--this.#left > 0) return;
    if (this.#ending !== null) clearTimeout(this.#ending);
    this.#settle(this.#failure);
  }
}

/** What the system gives a process, divided among the ranks. */
function environmentOf(ranks: number): NodeJS.ProcessEnv {
  const { threads, memory } = shareOf(ranks);
  const env: NodeJS.ProcessEnv = { ...process.env, THAW_MAX_MEMORY: `${memory}` };
  // Where there are more, ranks see how much the others have to do.
  if (settings.threads !== undefined || availableCores() < 2 * ranks) env.THAW_THREADS = `${threads}`;
  else shareCores();
  return env;
}
