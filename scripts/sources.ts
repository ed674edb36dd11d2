import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The text of source files by path relative to src/, with forward slashes. */
export type Sources = ReadonlyMap<string, string>;

/** The repository's root folder. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** Reads every TypeScript file under src/. */
export function readSources(): Sources {
  const src = join(root, "src");
  const files = readdirSync(src, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return new Map(files.map((file) => [relative(src, file).split(sep).join("/"), readFileSync(file, "utf8")]));
}

/** What a module of src/ exports at run time. */
export const exportsOf = async (file: string): Promise<Readonly<Record<string, unknown>>> =>
  import(pathToFileURL(join(root, "src", file)).href);

/** Prints what a check found and sets the exit status. */
export function report(check: string, problems: readonly string[]): void {
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
  console.log(`${check}: ${problems.length === 0 ? "ok" : `${problems.length} problem(s)`}`);
}

/** Whether a module is the script that Node was started with. */
export const isMain = (url: string): boolean => process.argv[1] === fileURLToPath(url);
