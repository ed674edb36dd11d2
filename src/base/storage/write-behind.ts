import { FileError } from "../errors.ts";
import { appendTo, beginFile, discard, settle, type Unfinished } from "./atomic.ts";
import { checksumBy, makeCrc } from "./checksum.ts";

/** The whole program of the thread that writes, as text so that it needs no file of its own. */
const program = () => `
const { parentPort } = require("node:worker_threads");
const fs = require("node:fs");
const appendTo = (${appendTo});
const settle = (${settle});
const discard = (${discard});
const crc = (${makeCrc})();
const checksumBy = (${checksumBy});
parentPort.on("message", ({ unfinished, parts, sums, state }) => {
  let problem = null;
  const goOn = () => {
    if (Atomics.load(state, 2) !== 0) throw new Error("it was aborted");
  };
  try {
    goOn();
    unfinished.file = fs.openSync(unfinished.temporary, fs.constants.O_WRONLY);
    unfinished.open = true;
    for (const { at, from, to } of sums) {
      parts[0].set(Buffer.from(checksumBy(crc, parts.slice(from, to)), "latin1"), at);
      Atomics.add(state, 1, 1);
      goOn();
    }
    for (const part of parts)
      for (let at = 0; at < part.length; at += 2 ** 24) {
        appendTo(fs, unfinished.file, part.subarray(at, at + 2 ** 24));
        Atomics.add(state, 1, 1);
        goOn();
      }
    settle(fs, unfinished);
  } catch (error) {
    problem = error;
    discard(fs, unfinished);
  } finally {
    Atomics.store(state, 0, 1);
    Atomics.notify(state, 0);
    parentPort.postMessage(problem);
  }
});`;

/** What is used of Node's threads. */
interface Thread {
  postMessage(message: unknown, transfer: readonly unknown[]): void;
  on(event: "message" | "error", listener: (value: Error | null) => void): void;
  ref(): void;
  unref(): void;
}
type NewThread = new (source: string, options: { eval: true; execArgv: string[] }) => Thread;

/** A file that is being written: whether that has ended, how many pieces of it are written, and whether it is to stop. */
interface Job {
  readonly path: string;
  readonly state: Int32Array;
  readonly end: (problem: Error | null) => void;
}

let thread: Thread | null = null;
/** In the order in which the thread answers. */
let jobs: Job[] = [];

/** Milliseconds without a sign of the thread after which it is taken to be stuck. */
const patience = 600_000;

/** A checksum that the first part has room for at a place: of the parts in a range. */
export interface PartsSum {
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

/**
 * As `writeAtomically`, but the bytes, which are no longer the caller's, are written by another thread while this one
 * goes on, also where it never gets to its event loop. Before that the thread puts `sums` into the first part, one after
 * the other. One file is written at a time: it waits for the one before. Where `signal` is aborted before the file is whole
 * the file that was there stays, and the promise is rejected with the signal's reason.
 */
export function writeBehind(
  path: string,
  parts: readonly Uint8Array[],
  sums: readonly PartsSum[] = [],
  signal?: AbortSignal,
): Promise<void> {
  finishWrites();
  const unfinished: Unfinished = beginFile(path);
  // A thread closes what it has opened; the other one opens the file for itself.
  process.getBuiltinModule("node:fs").closeSync(unfinished.file);
  unfinished.open = false;
  const state = new Int32Array(new SharedArrayBuffer(12));
  const abort = (): void => void Atomics.store(state, 2, 1);
  const buffers = new Set(parts.map((part) => part.buffer));
  try {
    thread ??= startThread();
    thread.postMessage({ unfinished, parts, sums, state }, [...buffers]);
  } catch (error) {
    discard(process.getBuiltinModule("node:fs"), unfinished);
    throw error;
  }
  // The program does not end before the file is written.
  thread.ref();
  signal?.addEventListener("abort", abort);
  return new Promise<void>((resolve, reject) => {
    jobs.push({
      path,
      state,
      end(problem) {
        signal?.removeEventListener("abort", abort);
        if (problem === null) resolve();
        else if (signal?.aborted) reject(signal.reason);
        else reject(new FileError(`Cannot write ${path}: ${problem.message}`, { cause: problem }));
      },
    });
  });
}

function startThread(): Thread {
  const { Worker } = process.getBuiltinModule("node:worker_threads") as unknown as { Worker: NewThread };
  const started = new Worker(program(), { eval: true, execArgv: [] });
  started.on("message", (problem) => {
    jobs.shift()?.end(problem);
    if (jobs.length === 0) started.unref();
  });
  started.on("error", (problem) => {
    thread = null;
    for (const job of jobs) job.end(problem);
    jobs = [];
  });
  return started;
}

/** Waits, without a turn of the event loop, until nothing is being written any more. */
export function finishWrites(): void {
  const last = jobs.at(-1);
  if (last === undefined) return;
  const { path, state } = last;
  for (let seen = -1; Atomics.load(state, 0) === 0; ) {
    const pieces = Atomics.load(state, 1);
    if (pieces === seen)
      throw new FileError(`Cannot write ${path}: nothing of it was written for ${patience / 60_000} minutes`);
    seen = pieces;
    Atomics.wait(state, 0, 0, patience);
  }
}
