import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { root } from "./sources.ts";

// The JavaScript of dist/: a file for each entry of package.json, and chunks of what they share. Node takes 0.4 ms for
// each module that it loads and a page a request; types come from tsc, file by file.

const { exports, bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, string | { default: string }>;
  bin: Record<string, string>;
};
const files = [
  ...Object.values(exports).map((to) => (typeof to === "string" ? to : to.default)),
  ...Object.values(bin),
];
const dist = /^(?:\.\/)?dist\/(.*)\.js$/;

rmSync(join(root, "dist/chunks"), { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: files.flatMap((file) => dist.exec(file)?.[1] ?? []).map((entry) => `src/${entry}.ts`),
  outdir: "dist",
  outbase: "src",
  // One folder deep: what a file names relative to itself is found from src/ and from here (scripts/check-imports.ts).
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "neutral",
  target: "es2023",
  packages: "external",
  // Errors and reports name classes.
  keepNames: true,
  sourcemap: true,
  // src/ is published too.
  sourcesContent: false,
  logLevel: "warning",
});
