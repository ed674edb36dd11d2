import { ArgumentError, TrainerError } from "../../base/errors.ts";
import { refuseOptions } from "../../base/options.ts";
import { Report } from "../report.ts";
import { carried, uncarried } from "./carried-error.ts";
import { refuseUncopied } from "./copied.ts";
import type { FromTrainer, ToTrainer } from "./messages.ts";
import type { TrainerModule } from "./run-trainer.ts";
import { listen, startWorker, type TrainerWorker } from "./thread.ts";

/** Options of `startTrainer`. `I` is what the trainer takes, `M` what it sends. */
export interface TrainerOptions<I, M> {
  /** What the module's function is called with: copied (structured clone), so neither tensors nor functions. */
  input?: I;
  /** Stops the trainer: it sees it in `host.loss` and `host.signal`, and `result` is rejected with its reason. */
  signal?: AbortSignal;
  /**
   * Milliseconds that the module may take to load and to call `runTrainer`; default 20,000. A browser does not tell when
   * a worker has nothing more to do, so that one which never calls it would be waited for for ever.
   */
  startWithin?: number;
  /** Called with each loss, and how many there have been, in order and some at a time. */
  onLoss?: (loss: number, step: number) => void;
  /** Called with each report. */
  onReport?: (report: Report) => void;
  /** Called with each message that the module sends. */
  onMessage?: (message: M) => void;
}

/** A trainer in a worker, as the side sees it that has started it. `R` is what its module gives. */
export interface Trainer<R> {
  /** What the module's function gives; rejected with what it throws, or with `TrainerError` where its worker dies. */
  readonly result: Promise<R>;
  /** Losses so far. */
  readonly steps: number;
  /** The last loss. */
  readonly loss: number | null;
  /** The last report. */
  readonly report: Report | null;
  readonly paused: boolean;
  /** Has the module wait in `host.loss`; settles when it waits there, or has been resumed or has ended. */
  pause(): Promise<void>;
  resume(): void;
}

type InputOf<T> = T extends TrainerModule<infer I, unknown, unknown> ? I : unknown;
type ResultOf<T> = T extends TrainerModule<unknown, infer R, unknown> ? R : unknown;
type MessageOf<T> = T extends TrainerModule<unknown, unknown, infer M> ? M : unknown;

/**
 * Starts a module that calls `runTrainer` in a worker: of the page, or in Node a thread. Give its URL, or, where a bundler
 * must see it, a worker: `new Worker(new URL("./train.js", import.meta.url), { type: "module" })`. With
 * `startTrainer<typeof import("./train.js").default>` input, result and messages have the module's types. When the
 * trainer has ended, so has its worker. Throws `ArgumentError` for an input that cannot be copied, and `TrainerError`
 * where no worker can be started.
 */
export function startTrainer<
  T extends TrainerModule<unknown, unknown, unknown> = TrainerModule<unknown, unknown, unknown>,
>(
  module: URL | string | TrainerWorker,
  options: TrainerOptions<InputOf<T>, MessageOf<T>> = {},
): Trainer<ResultOf<T>> {
  refuseOptions<TrainerOptions<unknown, never>>("startTrainer", options, checkedBelow);
  refuseUncopied("startTrainer: input", options.input);
  return new RunningTrainer<ResultOf<T>>(module, options as TrainerOptions<unknown, unknown>);
}

const checkedBelow = {
  input: null,
  signal: null,
  startWithin: null,
  onLoss: null,
  onReport: null,
  onMessage: null,
};

/** Milliseconds that a module has, unless told otherwise, before it must have called `runTrainer`. */
const patience = 20_000;

/** The longest that a timer waits. */
const longest = 2 ** 31 - 1;

/** Milliseconds that an aborted trainer has to end by itself. */
const grace = 1000;

class RunningTrainer<R> implements Trainer<R> {
  readonly result: Promise<R>;
  readonly #options: TrainerOptions<unknown, unknown>;
  readonly #worker: TrainerWorker | null = null;
  #settle: { resolve: (result: R) => void; reject: (error: unknown) => void } | null = null;
  #steps = 0;
  #loss: number | null = null;
  #report: Report | null = null;
  #pause: { readonly reached: Promise<void>; readonly reach: () => void } | null = null;
  #limit: ReturnType<typeof setTimeout> | undefined;
  /** What is said before the module listens; null: it does. */
  #unsaid: ToTrainer[] | null = [];

  constructor(module: URL | string | TrainerWorker, options: TrainerOptions<unknown, unknown>) {
    this.#options = options;
    this.result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const { signal, startWithin = patience } = options;
    if (!(startWithin > 0))
      throw new ArgumentError(
        `startTrainer: startWithin is ${startWithin}; it must be a number of milliseconds above 0`,
      );
    let input: unknown;
    try {
      input = structuredClone(options.input);
    } catch (error) {
      throw new ArgumentError(
        `startTrainer: input cannot be copied to a worker: ${(error as Error).message}. Give plain data.`,
        { cause: error },
      );
    }
    if (signal?.aborted) {
      this.#end(({ reject }) => reject(signal.reason));
      return;
    }
    this.#worker = typeof module === "string" || module instanceof URL ? startWorker(module) : module;
    listen(this.#worker, {
      message: (message) => this.#hear(message as FromTrainer),
      failed: (problem) =>
        this.#fail(`an error in it was not caught, or it did not load: ${textOf(problem)}`, problem),
      ended: (code) => this.#fail(`it has ended (exit code ${code}) before its trainer had`, undefined),
    });
    this.#worker.postMessage({ kind: "hello" } satisfies ToTrainer);
    this.#say({ kind: "start", input });
    this.#limit = setTimeout(
      () =>
        this.#fail(
          `its module has not called runTrainer within ${startWithin} ms. Have it call runTrainer before it waits for anything, or allow more by startWithin`,
          undefined,
        ),
      Math.min(startWithin, longest),
    );
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  get steps(): number {
    return this.#steps;
  }
  get loss(): number | null {
    return this.#loss;
  }
  get report(): Report | null {
    return this.#report;
  }
  get paused(): boolean {
    return this.#pause !== null;
  }

  pause(): Promise<void> {
    if (this.#settle === null) return Promise.resolve();
    if (this.#pause === null) {
      let reach = (): void => {};
      const reached = new Promise<void>((resolve) => (reach = resolve));
      this.#pause = { reached, reach };
      this.#say({ kind: "pause" });
    }
    return this.#pause.reached;
  }

  resume(): void {
    if (this.#pause === null) return;
    this.#pause.reach();
    this.#pause = null;
    this.#say({ kind: "resume" });
  }

  readonly #abort = (): void => {
    const { reason } = this.#options.signal!;
    this.#say({ kind: "abort", reason: carried(reason) });
    clearTimeout(this.#limit);
    this.#limit = setTimeout(() => this.#end(({ reject }) => reject(reason)), grace);
  };

  #say(message: ToTrainer): void {
    if (this.#unsaid === null) this.#worker?.postMessage(message);
    else this.#unsaid.push(message);
  }

  #sayAll(): void {
    const unsaid = this.#unsaid ?? [];
    this.#unsaid = null;
    for (const message of unsaid) this.#say(message);
  }

  #hear(said: FromTrainer): void {
    if (this.#settle === null) return;
    try {
      this.#take(said);
    } catch (error) {
      // What a listener throws is the user's, and would be nobody's to catch.
      this.#end(({ reject }) => reject(error));
    }
  }

  #take(said: FromTrainer): void {
    const { onLoss, onReport, onMessage, signal } = this.#options;
    switch (said.kind) {
      case "ready":
        if (!signal?.aborted) clearTimeout(this.#limit);
        this.#sayAll();
        return;
      case "losses":
        for (const loss of said.losses) {
          this.#loss = loss;
          this.#steps++;
          onLoss?.(loss, this.#steps);
        }
        return;
      case "report":
        this.#report = new Report(said.parameters);
        onReport?.(this.#report);
        return;
      case "message":
        onMessage?.(said.message);
        return;
      case "paused":
        this.#pause?.reach();
        return;
      case "done":
        this.#end(({ resolve }) => resolve(said.result as R));
        return;
      case "failed":
        // Of an aborted trainer the reason itself is what everybody else gets too.
        this.#end(({ reject }) => reject(signal?.aborted ? signal.reason : uncarried(said.error)));
    }
  }

  #fail(problem: string, cause: unknown): void {
    const { signal } = this.#options;
    this.#end(({ reject }) =>
      reject(
        signal?.aborted
          ? signal.reason
          : new TrainerError(
              `startTrainer: the worker has failed: ${problem}`,
              cause instanceof Error ? { cause } : {},
            ),
      ),
    );
  }

  /** Settles the result, once, and leaves nothing behind that runs. */
  #end(settle: (by: { resolve: (result: R) => void; reject: (error: unknown) => void }) => void): void {
    const by = this.#settle;
    if (by === null) return;
    this.#settle = null;
    clearTimeout(this.#limit);
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#pause?.reach();
    this.#pause = null;
    void this.#worker?.terminate();
    settle(by);
  }
}

const textOf = (problem: unknown): string => (problem instanceof Error ? problem.message : String(problem));
