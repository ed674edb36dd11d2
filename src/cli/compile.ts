import { ArgumentError, FileError } from "../base/errors.ts";
import { mib } from "../base/mib.ts";
import { printable } from "../base/printable.ts";
import { isFolder, joinPath, namesIn, readFile } from "../base/storage/index.ts";
import { scriptPath } from "./script-path.ts";
import { typescriptOptions, withoutTypescript } from "./typescript.ts";

/** Whether a folder is there; throws `ArgumentError` where something else is. */
function isThere(folder: string): boolean {
  try {
    if (isFolder(folder)) return true;
    throw new ArgumentError(`compile: ${folder} is a file; name a folder for the kernels`);
  } catch (error) {
    if (error instanceof FileError) return false;
    throw error;
  }
}

/**
 * `thaw compile`: runs a script, and leaves the kernels that it used in a folder, for machines without a compiler.
 * Throws `ArgumentError` where the folder holds something else; gives the script's exit status.
 */
export function compile(
  script: string,
  args: readonly string[],
  out: string,
  printLine: (line: string) => void,
): number {
  const print = (line: string): void => printLine(printable(line));
  const path = scriptPath(script);
  if (out === "") throw new ArgumentError("compile: --out is empty; name a folder for the kernels");
  if (isThere(out)) {
    const other = namesIn(out).find((name) => name !== "manifest.json" && !name.endsWith(".so"));
    if (other !== undefined)
      throw new ArgumentError(`compile: ${out} holds ${other}, which is no kernel; name a folder of its own`);
  }
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const { resolve } = process.getBuiltinModule("node:path");
  const { statSync } = process.getBuiltinModule("node:fs");
  const options = typescriptOptions(path);
  if (options === null) throw new FileError(withoutTypescript(path));
  // What runs this runs the script too: a loader of TypeScript, say.
  const command = [...process.execArgv, ...options, path, ...args];
  const { status, signal, error } = spawnSync(process.execPath, command, {
    stdio: "inherit",
    // Kernels that were compiled before would stand in for the compiler.
    env: { ...process.env, THAW_BACKEND: "native", THAW_KERNELS: "", THAW_KERNELS_OUT: resolve(out) },
  });
  if (error !== undefined) throw new FileError(`Cannot run ${script}: ${error.message}`, { cause: error });
  if (status !== 0 || !isThere(out)) {
    print(
      status === 0
        ? `${script} has computed nothing: there is no kernel`
        : `${script} ended with ${status === null ? signal : `status ${status}`}`,
    );
    return status || 1;
  }
  const kernels = namesIn(out).filter((name) => name.endsWith(".so"));
  const { version, features } = JSON.parse(
    new TextDecoder().decode(readFile(joinPath(out, "manifest.json"))),
  ) as { version: string; features: string[] };
  // A file of several names counts once.
  const bytes = kernels
    .map((name) => statSync(joinPath(out, name)))
    .reduce((n, s) => n + s.size / s.nlink, 0);
  print(`${kernels.length} kernels in ${out} (${mib(bytes)}), by ${version}`);
  print(`They need ${features.map((name) => name.replaceAll("__", "")).join(", ") || "nothing special"}.`);
  print(`THAW_KERNELS=${out} uses them, without a compiler.`);
  return 0;
}
