import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A script of Python that answers a line of JSON with one; its first line says that it is ready. */
export interface PythonPeer {
  ask(request: object): Promise<{ ms: number[] }>;
  readonly child: ChildProcess;
}

/** Starts a script with a Python that has PyTorch: the one named, else that of `bench/.venv`, else `python3`. */
export function pythonPeer(script: URL, named: string | undefined): PythonPeer {
  const own = fileURLToPath(new URL("./.venv/bin/python", import.meta.url));
  const python = named ?? (existsSync(own) ? own : "python3");
  const child = spawn(python, [fileURLToPath(script)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${python} has no PyTorch; give another with --python`);
    return JSON.parse(value);
  };
  const ready = next();
  return {
    child,
    async ask(request) {
      await ready;
      child.stdin!.write(`${JSON.stringify(request)}\n`);
      return next();
    },
  };
}
