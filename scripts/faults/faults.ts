import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";

const program = fileURLToPath(new URL("program.mjs", import.meta.url));

/** How ranks are started: as threads, or as processes by a program of MPI. */
export type Start = "threads" | "mpirun.openmpi" | "mpirun.mpich";

/** What happens to a rank. */
export interface Fault {
  /** To a process from without, or to a thread, or what a rank does by itself. */
  readonly how: "kill" | "stop" | "terminate" | "throws" | "stalls";
  /** Whether it does that in a call of the step; otherwise between two. */
  readonly inside?: boolean;
}

/** What `faultsOn` has seen. */
export interface Faults {
  /** Ranks that had a fault, in as many runs. */
  count: number;
  /** Errors of those that had none. */
  survivors: number;
  /** The longest time from a fault to the last word of a survivor, in seconds. */
  longest: number;
  /** Calls that all runs together have made. */
  calls: number;
}

/** Seconds that a rank waits for another, and that a process may be silent. */
const patience = 3;

/** What a rank has written, as far as it is JSON. */
interface Said {
  readonly process?: number;
  readonly from?: number;
  readonly error?: string;
  readonly rank?: number;
  readonly message?: string;
  readonly hash?: string;
  readonly calls?: number;
}

/** Ranks that run, and what they have said. */
interface Run {
  readonly said: readonly Said[][];
  /** When each has said its error. */
  readonly times: readonly number[];
  /** Everything, for whoever has to find out what went wrong. */
  readonly lines: readonly string[];
  /** Whether all have come to their end. */
  readonly result: Promise<boolean>;
  terminate(rank: number): Promise<void>;
}

/** Where thaw is, and what is run by it. */
export interface FaultOptions {
  /** The built package's address. */
  readonly entry: string;
  readonly start: Start;
  readonly ranks: number;
  /** What happens in each run, one after the other. */
  readonly faults: readonly Fault[];
  readonly tell?: (line: string) => void;
}

/**
 * Has a training run on several ranks suffer a fault of a random rank at a random instant, many times, each time going on
 * from its last checkpoint, by a new start or by restarting; then lets it come to its end. Throws where a rank without a
 * fault does not end with an error that names the one that had it and what that did last, or where the end is not that of
 * a run without faults.
 */
export async function faultsOn({
  entry,
  start,
  ranks,
  faults,
  tell = () => {},
}: FaultOptions): Promise<Faults> {
  const folder = mkdtempSync(join(tmpdir(), "thaw-faults-"));
  const seen: Faults = { count: 0, survivors: 0, longest: 0, calls: 0 };
  const begin = (where: string, calls: string, fault: object, restarts = 0): Promise<Run> =>
    started(entry, start, ranks, restarts, [entry, join(folder, where), calls, JSON.stringify(fault)]);
  try {
    let saved = 0;
    for (const [i, fault] of faults.entries()) {
      const victim = Math.floor(Math.random() * ranks);
      const after = Math.floor(Math.random() * 400);
      const restarts = i % 2;
      const run = await begin("faults", "1e9", { ...fault, rank: victim, after }, restarts);
      const problem = await suffered(start, run, fault, victim, after, restarts, seen).catch(String);
      const from = run.said[0]!.find((line) => line.from !== undefined)?.from ?? -1;
      const how = `${fault.how}${fault.inside ? " in a call" : ""} of rank ${victim}, ${after} ms after call ${from + 6}`;
      if (problem !== null) throw new Error(`${how}: ${problem}\n${run.lines.join("\n")}`);
      if (from < saved) throw new Error(`${how}: call ${from} was loaded, and ${saved} had been saved`);
      saved = from + 6;
      if (i % 10 === 9) tell(`${start}, ${ranks} ranks: ${i + 1} faults, at call ${from}`);
    }
    const end = await ended(await begin("faults", "+12", {}));
    const straight = await ended(await begin("straight", String(end[0]!.calls), {}));
    if (JSON.stringify(end) !== JSON.stringify(straight))
      throw new Error(`the end is ${JSON.stringify(end)}, and without faults ${JSON.stringify(straight)}`);
    return { ...seen, calls: end[0]!.calls! };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Starts the program on ranks. */
async function started(
  entry: string,
  start: Start,
  ranks: number,
  restarts: number,
  args: readonly string[],
): Promise<Run> {
  const { distributed }: typeof import("../../src/index.ts") = await import(entry);
  const said = Array.from({ length: ranks }, (): Said[] => []);
  const times: number[] = [];
  const lines: string[] = [];
  const output = (rank: number | null, line: string): void => {
    lines.push(`  [${rank ?? ""}] ${line}`);
    if (rank === null || !line.startsWith("{")) return;
    const what = JSON.parse(line) as Said;
    said[rank]!.push(what);
    if (what.error !== undefined) times[rank] ??= performance.now();
  };
  const notice = (line: string): void => void lines.push(`  ${line}`);
  if (start === "threads") {
    const running = distributed.startRanks(pathToFileURL(program), {
      ranks,
      args,
      restarts,
      timeout: patience,
      output,
      notice,
    });
    const result = running.result.then((failure) => failure === null);
    return { said, times, lines, result, terminate: (rank) => running.terminate(rank) };
  }
  process.env.THAW_GROUP_SILENCE = String(patience);
  const running = distributed.runMpi([process.execPath, program, ...args], {
    ranks,
    restarts,
    timeout: patience,
    mpirun: start,
    output,
    notice,
  });
  return { said, times, lines, result: running.then((status) => status === 0), terminate: async () => {} };
}

/** Waits until all ranks train. */
async function training(run: Run): Promise<void> {
  let hasEnded = false;
  void run.result.finally(() => {
    hasEnded = true;
  });
  const all = (): boolean => run.said.every((lines) => lines.some(({ from }) => from !== undefined));
  for (const end = performance.now() + 60_000; !all(); await sleep(2))
    if (hasEnded || performance.now() > end) throw new Error("not all ranks have begun to train");
}

/** Has one rank suffer a fault; gives what is wrong with what the others did, or null. */
async function suffered(
  start: Start,
  run: Run,
  { how }: Fault,
  victim: number,
  after: number,
  restarts: number,
  seen: Faults,
): Promise<string | null> {
  await training(run);
  await sleep(after);
  const began = performance.now();
  const { process: id } = run.said[victim]![0]!;
  if (how === "terminate") await run.terminate(victim);
  if (how === "kill") process.kill(id!, "SIGKILL");
  if (how === "stop") process.kill(id!, "SIGSTOP");
  const ended = await Promise.race([run.result, sleep(60_000, null, { ref: false })]);
  if (ended === null) return "after a minute ranks still run";
  if (ended !== restarts > 0) return `the run has ${ended ? "come to its end" : "failed"}`;
  seen.count++;
  for (const [rank, lines] of run.said.entries()) {
    if (rank === victim) continue;
    const error = lines.find((line) => line.error !== undefined);
    // MPICH's mpirun ends all ranks at once where one is killed.
    if (error === undefined && start === "mpirun.mpich" && how === "kill") continue;
    if (error === undefined) return `rank ${rank} has said nothing`;
    if (error.rank !== victim) return `rank ${rank} names rank ${error.rank}`;
    if (!/it last was in (a |the |what )?\w+.* \d|in step \d+/.test(error.message!))
      return `rank ${rank} does not say what rank ${victim} last did`;
    const seconds = (run.times[rank]! - began) / 1000;
    if (seconds > patience + 3) return `rank ${rank} took ${seconds.toFixed(1)} s`;
    seen.survivors++;
    seen.longest = Math.max(seen.longest, seconds);
  }
  return null;
}

/** The hashes that a run without a fault ends with, by rank. */
async function ended(run: Run): Promise<Said[]> {
  if (!(await run.result)) throw new Error(`a run without a fault has failed:\n${run.lines.join("\n")}`);
  return run.said.map((lines) => lines.at(-1)!);
}
