import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { root } from "../sources.ts";

/** Builds dist/thaw.min.js: what `thaw` exports, without what only Node can run, for `<script type="module">`. */
export async function buildPageFile(): Promise<void> {
  const bundle = await rolldown({
    cwd: root,
    input: "src/index.ts",
    platform: "browser",
    // Some bundlers, which may get this file too, install a stand-in for `process`.
    transform: { define: { process: "globalThis.process" } },
    plugins: [
      {
        name: "browser",
        resolveId: (specifier) =>
          specifier === "./native/backend.ts" ? join(root, "src/backends/native/absent.ts") : null,
      },
    ],
    onLog(_, log) {
      throw new Error(log.message);
    },
  });
  const { output } = await bundle.generate({
    format: "esm",
    comments: false,
    minify: true,
    // Errors and reports name classes.
    keepNames: true,
  });
  await bundle.close();
  // On a line of its own even programs that only look at the text, as linters of packages, find the exports.
  const code = output[0].code.replace(/\bexport\s*\{/, "\n$&");
  writeFileSync(join(root, "dist/thaw.min.js"), code);
}
