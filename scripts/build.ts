import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { root } from "./sources.ts";

// The JavaScript of dist/: one chunk that holds the library, and a file for each entry of package.json that names what
// it exports of that. Node takes a millisecond for each module that it loads, and a page a request; types come from tsc,
// file by file.

const { exports, bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, string>;
  bin: Record<string, string>;
};
const files = [...Object.values(exports), ...Object.values(bin)];
const entries = files.flatMap((file) => /^(?:\.\/)?dist\/(.*)\.js$/.exec(file)?.[1] ?? []);

const bundle = await rolldown({
  cwd: root,
  input: Object.fromEntries(entries.map((entry) => [entry, `src/${entry}.ts`])),
  external: /^[^./]/,
  platform: "neutral",
  onLog(_, log) {
    throw new Error(log.message);
  },
});
rmSync(join(root, "dist/chunks"), { recursive: true, force: true });
await bundle.write({
  dir: "dist",
  format: "esm",
  entryFileNames: "[name].js",
  // One folder deep: what a file names relative to itself is found from src/ and from here (scripts/check-imports.ts).
  chunkFileNames: "chunks/[name].js",
  sourcemap: true,
  // src/ is published too.
  sourcemapExcludeSources: true,
  // As it was written; names of exports too, so that chunks can be read.
  minifyInternalExports: false,
  // Errors and reports name classes.
  keepNames: true,
  codeSplitting: { groups: [{ name: "thaw", test: /\/src\/(?!cli\/)/ }] },
});
await bundle.close();
