import { FileError } from "../base/errors.ts";
import { runMpi, startRanks } from "../distributed/index.ts";
import { rerun } from "./rerun.ts";
import { scriptPath } from "./script-path.ts";
import { typescriptOptions, withoutTypescript } from "./typescript.ts";

/** Options of `thaw run`. */
export interface RunOptions {
  readonly ranks: number;
  /** How ranks reach each other. */
  readonly engine: "threads" | "mpi";
  /** The program that starts ranks of MPI. */
  readonly mpirun: string;
  readonly restarts: number;
  /** Seconds that a rank waits for another. */
  readonly timeout: number;
}

/**
 * `thaw run`: runs a script on several ranks, and says whose each line is. A script in TypeScript, where this Node does
 * not run it as it was started, is run by another process, which does. Gives the exit status: 1 where a rank failed.
 * Throws `FileError` where there is no script, or none that can be run.
 */
export async function run(
  script: string,
  args: readonly string[],
  { ranks, restarts, timeout, engine, mpirun }: RunOptions,
): Promise<number> {
  const { pathToFileURL } = process.getBuiltinModule("node:url");
  const path = scriptPath(script);
  const options = typescriptOptions(path);
  if (options === null) throw new FileError(withoutTypescript(path));
  const output = (rank: number | null, line: string, stream: "stdout" | "stderr"): void =>
    void process[stream].write(rank === null ? `${line}\n` : `[${rank}] ${line}\n`);
  const notice = (text: string): void => console.error(`thaw: ${text}`);
  if (engine === "mpi") {
    const command = [process.execPath, ...process.execArgv, ...options, path, ...args];
    return runMpi(command, { ranks, restarts, timeout, mpirun, output, notice });
  }
  if (options.length > 0) return rerun(options, script);
  const running = startRanks(pathToFileURL(path), {
    ranks,
    args,
    restarts,
    timeout,
    output,
    notice,
  });
  const failure = await running.result;
  if (failure === null) return 0;
  console.error(`thaw: ${failure.message}`);
  return 1;
}
