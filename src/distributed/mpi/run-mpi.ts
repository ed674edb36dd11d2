import { GroupError } from "../../base/errors.ts";
import { passSignals } from "../../base/pass-signals.ts";
import { lineWriter } from "../line-writer.ts";
import { groupsDoNotNest } from "../nested.ts";
import { prefixedLines, taggedLines } from "./tagged-lines.ts";

/** Options of `runMpi`. */
export interface MpiRunOptions {
  /** How many ranks there are. */
  readonly ranks: number;
  /** How often all begin again where one has failed. */
  readonly restarts: number;
  /** Seconds that a rank waits for another. */
  readonly timeout: number;
  /** The program that starts them: `mpirun` of Open MPI or MPICH. */
  readonly mpirun: string;
  /** Is given each line that a rank writes; null: what mpirun itself says. */
  readonly output: (rank: number | null, line: string, stream: "stdout" | "stderr") => void;
  readonly notice: (text: string) => void;
}

/** How a program that starts ranks is asked to say whose each line is, and what reads that. */
interface Starter {
  readonly options: readonly string[];
  readonly lines: typeof taggedLines;
}

/** Where there are two ranks, Open MPI would bind each to one core, and its threads with it. */
const openMpi: Starter = {
  options: ["--tag-output", "--oversubscribe", "--bind-to", "none"],
  lines: taggedLines,
};
const mpich: Starter = { options: ["-prepend-rank"], lines: prefixedLines };

/**
 * Runs a command on several ranks, each a process that MPI starts; gives the exit status, which is not 0 where one has
 * failed, and 128 and the number of a signal that has asked this process to end, which is passed on. Throws `GroupError`
 * where there is no such program, or it is another one, and inside a rank.
 */
export async function runMpi(
  command: readonly string[],
  { ranks, restarts, timeout, mpirun, output, notice }: MpiRunOptions,
): Promise<number> {
  groupsDoNotNest("runMpi");
  const { spawn } = process.getBuiltinModule("node:child_process");
  const starter = starterOf(mpirun);
  // Open MPI asks for this word before it starts anything as root, as in a container.
  const root = starter === openMpi && process.getuid?.() === 0 ? ["--allow-run-as-root"] : [];
  const args = ["-n", String(ranks), ...starter.options, ...root, ...command];
  for (let restart = 0; ; restart++) {
    const env = {
      ...process.env,
      THAW_GROUP_TIMEOUT: process.env.THAW_GROUP_TIMEOUT ?? String(timeout),
      THAW_GROUP_RESTARTS: String(restart),
    };
    const running = spawn(mpirun, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of ["stdout", "stderr"] as const) {
      const ofRanks = starter.lines((rank, line) => output(rank, line, stream));
      const lines = lineWriter(ofRanks.write);
      running[stream].on("data", lines.write);
      running[stream].on("end", () => {
        lines.end();
        ofRanks.end();
      });
    }
    const passing = passSignals(running);
    const status = await new Promise<number>((resolve, reject) => {
      running.on("error", reject);
      running.on("close", (code) => resolve(code ?? 1));
    }).finally(() => passing.stop());
    if (passing.signal !== null) return 128 + passing.signal;
    if (status === 0 || restart >= restarts) return status;
    notice(`${mpirun} has ended with ${status}. All ranks begin again (${restart + 1} of ${restarts}).`);
  }
}

function starterOf(mpirun: string): Starter {
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const { stdout, error } = spawnSync(mpirun, ["--version"], { encoding: "utf8" });
  if (error !== undefined)
    throw new GroupError(
      `thaw run: ${mpirun} cannot be started (${error.message}). Install Open MPI or MPICH, name their mpirun by --mpirun, or leave --engine out: threads need nothing.`,
    );
  if (/Open MPI|OpenRTE|open-mpi/.test(stdout)) return openMpi;
  if (/HYDRA|MPICH/.test(stdout)) return mpich;
  throw new GroupError(
    `thaw run: ${mpirun} is neither Open MPI's nor MPICH's; start the script by it yourself: ${mpirun} … node script.js`,
  );
}
