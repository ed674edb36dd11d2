import { node } from "./node.ts";

/** How a program ended. `late`: it had to be ended. `problem`: why it could not be run, or null. */
interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly late: boolean;
  readonly problem: string | null;
}

/** Runs a program for so many seconds at most: then it is ended, with everything that it has started. */
export function runBounded(program: string, args: readonly string[], seconds: number): Ended {
  const options = {
    // A group of its own, so that nothing is left behind.
    detached: true,
    encoding: "utf8" as const,
    input: "",
    timeout: seconds * 1000,
    killSignal: "SIGKILL" as const,
  };
  const { pid, status, stdout, stderr, error } = node().spawn(program, args, options);
  // Where nothing has been started the id is 0, which would mean our own group.
  if (error !== undefined && pid > 0)
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // All of it has ended.
    }
  return {
    status,
    stdout: stdout ?? "",
    stderr: stderr ?? "",
    late: (error as NodeJS.ErrnoException | undefined)?.code === "ETIMEDOUT",
    problem: error?.message ?? null,
  };
}
