import { errorText } from "../../base/error-text.ts";
import { GroupError, GroupTimeoutError, RankError } from "../../base/errors.ts";
import { printableLines } from "../../base/printable.ts";
import { Control, seenText } from "../control.ts";
import { explained } from "./explained.ts";
import { loadMpi, type Mpi } from "./library.ts";
import { MpiEngine } from "./mpi-engine.ts";
import { pause } from "./pause.ts";
import { type Hub, startWatch, type Watch } from "./watch.ts";

/** How ranks that MPI has started behave, from what `thaw run` or the user's own start file says. */
export interface MpiOptions {
  /** Milliseconds that a rank waits for another. */
  readonly timeout: number;
  /** Milliseconds without a word after which a rank counts as stopped. */
  readonly silence: number;
  /** Milliseconds that a rank which has failed stays, so that the others can say so before they are ended. */
  readonly grace: number;
  readonly restarts: number;
}

/** The engine of this process, which MPI has started as one of `expected` ranks. */
export function startMpi(expected: number, options: MpiOptions): MpiEngine {
  const mpi = loadMpi(expected);
  const control = new Control(mpi.size);
  const watch = meetWatch(mpi, control, options);
  endWith(mpi, control, watch, options.grace);
  watch.join();
  return new MpiEngine(explained(mpi, control, options.grace), control, options);
}

/** The tag of the first messages, which come before the engine's. */
const tag = 9;

/** Starts this rank's watch, with rank 0's address, which goes to the others by MPI. */
function meetWatch(mpi: Mpi, control: Control, { silence, timeout }: MpiOptions): Watch {
  const request = new BigInt64Array(new ArrayBuffer(128), 0, 1);
  const deadline = performance.now() + timeout;
  const settle = (rank: number): void => {
    while (!mpi.isDone(request)) {
      if (performance.now() > deadline)
        throw new GroupTimeoutError(
          `rank ${rank} has not come to the group within ${timeout / 1000} s; where it has more to do before, allow more by THAW_GROUP_TIMEOUT`,
          { rank },
        );
      pause(1);
    }
  };
  const letter = new Uint8Array(new ArrayBuffer(4096));
  if (mpi.rank > 0) {
    mpi.receive(letter, 0, tag, request);
    settle(0);
    const text = new TextDecoder().decode(letter.subarray(0, letter.indexOf(0)));
    return startWatch(control, mpi.rank, { hub: JSON.parse(text) as Hub, silence });
  }
  const watch = startWatch(control, 0, { hub: null, silence });
  const text = new TextEncoder().encode(JSON.stringify(watch.hub));
  if (text.length >= letter.length)
    throw new GroupError("MPI: rank 0 has more addresses than can be told to the others");
  letter.set(text);
  for (let rank = 1; rank < mpi.size; rank++) {
    mpi.send(letter, rank, tag, request);
    settle(rank);
  }
  return watch;
}

/** Has the end of this process be known to the others, whatever it is, and MPI end where all have come to theirs. */
function endWith(mpi: Mpi, control: Control, watch: Watch, grace: number): void {
  const { rank, size } = mpi;
  const { writeSync } = process.getBuiltinModule("node:fs");
  // Node says what was thrown when everything else is done, and what has started the ranks ends all when one has ended.
  const say = (problem: string): void =>
    void writeSync(2, `thaw: rank ${rank} ends: ${printableLines(problem)}\n`);
  let thrown: unknown = null;
  process.on("uncaughtExceptionMonitor", (error) => say(errorText((thrown = error))));
  const until = (isSo: () => boolean, milliseconds: number): void => {
    const end = performance.now() + milliseconds;
    while (!isSo() && performance.now() < end) pause(10);
  };
  const all = (): boolean => Array.from({ length: size }, (_, r) => r).every((r) => control.hasEnded(r));
  process.on("exit", (code) => {
    control.end(rank);
    if (code === 0 && control.failure() === null) {
      watch.flush(1000);
      // The others may have long to go: a validation, a checkpoint.
      until(() => all() || control.failure() !== null, Number.POSITIVE_INFINITY);
      const failure = control.failure();
      if (failure === null) return mpi.finalize();
      say(errorText(failure));
      process.exitCode = 1;
    } else if (thrown instanceof RankError) control.fail(thrown.rank, thrown.message);
    else {
      const problem = thrown === null ? `it has ended with exit code ${code}` : errorText(thrown);
      control.fail(rank, `rank ${rank} has failed: ${problem}; ${seenText(control.seen(rank))}`);
    }
    watch.flush(1000);
    until(all, grace);
    // One that is stopped does not end by itself, and what has started the ranks would wait for it.
    if (!all()) mpi.abort();
  });
}
