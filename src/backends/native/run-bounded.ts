import { node } from "./node.ts";

/** How a program ended. `late`: it had to be ended. `problem`: why it could not be run, or null. */
interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly late: boolean;
  readonly problem: string | null;
}

/**
 * A shell's script that runs something, beside a guard that ends the whole group once this process has gone, however it went: the
 * system then closes its end of descriptor 3, at which the guard's reading ends. Nothing else holds the other end. Shells say on
 * their standard error that a guard was killed, which is nothing that the program said.
 */
const guarded = (what: string): string => `
{ read -r end <&3; kill -s KILL -- -$$; } >/dev/null 2>&1 &
guard=$!
${what} 3<&-
status=$?
exec 2>/dev/null
kill -s KILL $guard
wait $guard
exit $status`;

/**
 * Runs a program, named by its path, for so many seconds at most: then it is ended, with everything that it has
 * started, and so it is where this process ends before it.
 */
export function runBounded(program: string, args: readonly string[], seconds: number): Ended {
  const { fs } = node();
  try {
    fs.accessSync(program, fs.constants.X_OK);
  } catch (error) {
    return { status: null, stdout: "", stderr: "", late: false, problem: (error as Error).message };
  }
  return runInShell(guarded('"$@"'), [program, ...args], seconds);
}

/** As `runBounded`, of a script of the shell. */
export const runScript = (script: string, seconds: number): Ended =>
  runInShell(guarded('(eval "$1")'), [script], seconds);

function runInShell(script: string, args: readonly string[], seconds: number): Ended {
  const options = {
    // A group of its own, so that nothing is left behind.
    detached: true,
    encoding: "utf8" as const,
    input: "",
    stdio: new Array<"pipe">(4).fill("pipe"),
    timeout: Math.ceil(seconds * 1000),
    killSignal: "SIGKILL" as const,
  };
  const run = ["-c", script, "sh", ...args];
  const { pid, status, stdout, stderr, error } = node().spawn("/bin/sh", run, options);
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
