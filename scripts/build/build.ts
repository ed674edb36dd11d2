import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isMain, root } from "../sources.ts";
import { buildChunks } from "./chunks.ts";
import { writeModules } from "./modules.ts";
import { buildPageFile } from "./page-file.ts";

// The JavaScript of dist/, in three forms, of which package.json says who gets which; types come from tsc, file by file.
// - chunks/, and a file for each entry: for whoever loads the files as they are. Node takes a millisecond for each module
//   that it loads, and a page a request.
// - modules/: a file for each of src/, of which bundlers leave out what is not used.
// - thaw.min.js: all of it in one file, for a page without a bundler.

if (isMain(import.meta.url)) {
  const { exports, bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    exports: Record<string, string | { default: string }>;
    bin: Record<string, string>;
  };
  const entriesOf = (files: readonly string[]): string[] =>
    files.flatMap((file) => /^(?:\.\/)?dist\/(.*)\.js$/.exec(file)?.[1] ?? []);
  const library = entriesOf(Object.values(exports).map((to) => (typeof to === "string" ? to : to.default)));

  for (const folder of ["chunks", "modules", "node"])
    rmSync(join(root, "dist", folder), { recursive: true, force: true });
  await buildChunks(library, entriesOf(Object.values(bin)));
  await buildPageFile();
  writeModules(library);
}
