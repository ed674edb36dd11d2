import { FileError } from "../base/errors.ts";

/**
 * The absolute path of a script that is to be run; throws `FileError` where it is no file. Absolute, it is never taken
 * for an option: what begins with a dash would otherwise be one of Node's (`--eval=…`).
 */
export function scriptPath(script: string): string {
  const { statSync } = process.getBuiltinModule("node:fs");
  const { resolve } = process.getBuiltinModule("node:path");
  const path = resolve(script);
  const advice = script.startsWith("-")
    ? ". After -- come the script and its own arguments; Node's options go into NODE_OPTIONS"
    : "";
  let found: ReturnType<typeof statSync>;
  try {
    found = statSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? `There is no ${path}` : `Cannot run ${path}: ${message}`;
    throw new FileError(why + advice, { cause: error });
  }
  if (!found.isFile())
    throw new FileError(
      `Cannot run ${path}: it is ${found.isDirectory() ? "a folder" : "no ordinary file"}${advice}`,
    );
  return path;
}
