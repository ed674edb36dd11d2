import { spawn } from "node:child_process";
import { built } from "../built.ts";

/** How a command has ended, and what it said. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command is run. */
export interface RunOptions {
  readonly cwd: string;
  /** What comes in on standard input. */
  readonly input?: string;
  /** Told what has been said so far; it may send a signal. */
  readonly heard?: (stdout: string, kill: (signal: NodeJS.Signals) => void) => void;
}

/** Runs the command line as a user does in a pipe, with the backend that needs no compiler. */
export function runThaw(args: readonly string[], { cwd, input = "", heard }: RunOptions): Promise<Outcome> {
  const child = spawn(process.execPath, [built("cli/main.js"), ...args], {
    cwd,
    env: { ...process.env, THAW_BACKEND: "wasm", THAW_THREADS: "1" },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (bytes) => {
    stdout += bytes;
    heard?.(stdout, (signal) => child.kill(signal));
  });
  child.stderr.on("data", (bytes) => {
    stderr += bytes;
  });
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
}
