import { FileError } from "../base/errors.ts";
import { printable, printableLines } from "../base/printable.ts";
import { writeFile } from "../base/storage/index.ts";
import { startProfile } from "../engine/profile.ts";
import { finishing } from "./finish-writes.ts";
import { rerun } from "./rerun.ts";
import { scriptPath } from "./script-path.ts";
import { typescriptOptions, withoutTypescript } from "./typescript.ts";

/** Options of `thaw profile`. */
export interface ProfileScriptOptions {
  /** A file for the runs as a Chrome trace. */
  readonly trace?: string;
  /** Show every row, and each with all of its module paths. */
  readonly all?: boolean;
}

/**
 * `thaw profile`: runs a script in this process, and says where its time went once it has ended, by itself or not. A
 * script in TypeScript, where this Node does not run it as it was started, is profiled by another process, which does.
 * Throws `FileError` where there is no script, or none that can be run.
 */
export async function profileScript(
  script: string,
  args: readonly string[],
  { trace, all = false }: ProfileScriptOptions,
  print: (line: string) => void,
): Promise<void> {
  const { resolve } = process.getBuiltinModule("node:path");
  const { pathToFileURL } = process.getBuiltinModule("node:url");
  const path = scriptPath(script);
  const options = typescriptOptions(path);
  if (options === null) throw new FileError(withoutTypescript(path));
  if (options.length > 0) {
    process.exitCode = await rerun(options, script);
    return;
  }
  // Where it was when it was asked for, whatever folder the script goes to.
  const file = trace === undefined ? null : resolve(trace);
  process.argv.splice(1, process.argv.length - 1, path, ...args);
  const { read, stop } = startProfile();
  const report = (): void => {
    stop();
    const profile = read(1);
    if (profile.rows.every(({ kind }) => kind === "host")) {
      print(`${printable(script)} has computed nothing with the thaw that profiles it.`);
      return;
    }
    print(profile.toString({ all }));
    if (file === null) return;
    try {
      const bytes = new TextEncoder().encode(profile.toChromeTrace());
      finishing(() => writeFile(file, bytes));
      print(`${printable(file)} can be opened by chrome://tracing and ui.perfetto.dev`);
    } catch (error) {
      // Nobody else would hear of it now.
      console.error(`thaw: ${printableLines((error as Error).message)}`);
      process.exitCode = 1;
    }
  };
  process.once("exit", report);
  try {
    await import(pathToFileURL(path).href);
  } catch (error) {
    stop();
    process.off("exit", report);
    throw error;
  }
}
