import { FileError } from "../base/errors.ts";
import { passSignals } from "../base/pass-signals.ts";

/**
 * Runs this command once more, in a process of its own with more of Node's options, as one that runs TypeScript. Gives its
 * exit status; where a signal has ended it, this process ends by that too. What asks this process to end meanwhile is asked
 * of that one. Rejects with `FileError` where it does not start.
 */
export async function rerun(options: readonly string[], script: string): Promise<number> {
  const { spawn } = process.getBuiltinModule("node:child_process");
  const command = [...process.execArgv, ...options, ...process.argv.slice(1)];
  const child = spawn(process.execPath, command, { stdio: "inherit" });
  const passing = passSignals(child);
  try {
    const [status, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.on("error", (error) =>
        reject(new FileError(`Cannot run ${script}: ${error.message}`, { cause: error })),
      );
      child.on("exit", (...ended) => resolve(ended));
    });
    passing.stop();
    if (signal !== null) process.kill(process.pid, signal);
    return status ?? 1;
  } finally {
    passing.stop();
  }
}
