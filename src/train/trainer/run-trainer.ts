import { ArgumentError } from "../../base/errors.ts";
import { yielding } from "../../base/yielding.ts";
import type { Report } from "../report.ts";
import { carried, uncarried } from "./carried-error.ts";
import { refuseUncopied } from "./copied.ts";
import type { FromTrainer, ToTrainer } from "./messages.ts";
import { type OwnThread, ownThread } from "./thread.ts";

/** What a trainer in a worker has of the side that has started it. `M` is what it sends there by `send`. */
export interface TrainerHost<M = unknown> {
  /**
   * Tells a loss, one a step. Await it: it waits here while the trainer is paused, and throws the signal's reason where
   * it is aborted. Losses travel some at a time, so a call costs little.
   */
  loss(loss: number): Promise<void>;
  /** Tells what a step has done to each parameter so far: `host.report(step.report())`. */
  report(report: Report): void;
  /** Tells anything that can be copied (structured clone). */
  send(message: M): void;
  /** Aborted when the signal of `startTrainer` is: for whatever takes one. */
  readonly signal: AbortSignal;
}

/** A module that trains, as `startTrainer` knows it: what goes in, what comes out, and what it sends meanwhile. */
export interface TrainerModule<I, R, M> {
  readonly types?: { readonly input: I; readonly result: R; readonly message: M };
}

/**
 * Makes the module that it is called in one that `startTrainer` can start in a worker: `train` is called there with the
 * input, and what it gives, or throws, is what the other side gets. Export what this gives as the module's default: the
 * other side takes its types from it. Throws `ArgumentError` outside a worker.
 */
export function runTrainer<I = undefined, R = void, M = never>(
  train: (input: I, host: TrainerHost<M>) => R | Promise<R>,
): TrainerModule<I, R, M> {
  const thread = ownThread();
  if (thread === null)
    throw new ArgumentError(
      "runTrainer: this is no worker. Start the module with startTrainer(new URL(…, import.meta.url)), and import no more than its type elsewhere.",
    );
  const host = new Host(thread);
  thread.onMessage((message) => {
    const said = message as ToTrainer;
    if (said.kind === "hello") thread.post({ kind: "ready" } satisfies FromTrainer);
    else if (said.kind === "start") void host.run(() => train(said.input as I, host as TrainerHost<M>));
    else host.obey(said);
  });
  // A browser drops what comes before anybody listens, as where the module awaits something first.
  thread.post({ kind: "ready" } satisfies FromTrainer);
  return {};
}

/** Milliseconds for which losses are collected. */
const together = 16;

class Host implements TrainerHost {
  readonly #thread: OwnThread;
  readonly #abort = new AbortController();
  #losses: number[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** While it is paused: settles when it is not, and what does that. */
  #paused: { readonly over: Promise<void>; readonly end: () => void; told: boolean } | null = null;

  constructor(thread: OwnThread) {
    this.#thread = thread;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  async run(train: () => unknown): Promise<void> {
    try {
      const result = await train();
      refuseUncopied("What a trainer gives", result);
      this.#post({ kind: "done", result });
    } catch (error) {
      this.#post({ kind: "failed", error: carried(error) });
    }
    this.#thread.close();
  }

  obey(said: ToTrainer): void {
    if (said.kind === "pause") {
      if (this.#paused !== null) return;
      let end = (): void => {};
      const over = new Promise<void>((resolve) => (end = resolve));
      this.#paused = { over, end, told: false };
      return;
    }
    if (said.kind === "abort") this.#abort.abort(uncarried(said.reason));
    this.#paused?.end();
    this.#paused = null;
  }

  async loss(loss: number): Promise<void> {
    await yielding(() => {
      this.#losses.push(loss);
      this.#timer ??= setTimeout(() => this.#sendLosses(), together);
    });
    while (this.#paused !== null && !this.signal.aborted) {
      const paused = this.#paused;
      if (!paused.told) this.#post({ kind: "paused" });
      paused.told = true;
      await paused.over;
    }
    this.signal.throwIfAborted();
  }

  report({ parameters }: Report): void {
    this.#post({ kind: "report", parameters });
  }

  send(message: unknown): void {
    refuseUncopied("host.send: the message", message);
    this.#post({ kind: "message", message });
  }

  #sendLosses(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#losses.length === 0) return;
    const losses = this.#losses;
    this.#losses = [];
    this.#thread.post({ kind: "losses", losses } satisfies FromTrainer);
  }

  /** Says something after all losses so far. */
  #post(message: FromTrainer): void {
    this.#sendLosses();
    this.#thread.post(message);
  }
}
