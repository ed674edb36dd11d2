import { FileError } from "../base/errors.ts";

/**
 * Runs this command once more, in a process of its own with more of Node's options, as one that runs TypeScript. Gives its
 * exit status; where a signal has ended it, this process ends by that too. Throws `FileError` where it does not start.
 */
export function rerun(options: readonly string[], script: string): number {
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const command = [...process.execArgv, ...options, ...process.argv.slice(1)];
  const { status, signal, error } = spawnSync(process.execPath, command, { stdio: "inherit" });
  if (error !== undefined) throw new FileError(`Cannot run ${script}: ${error.message}`, { cause: error });
  // Ended by a signal, as the script was.
  if (signal !== null) process.kill(process.pid, signal);
  return status ?? 1;
}
