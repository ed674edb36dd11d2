import { join } from "node:path";
import { rolldown } from "rolldown";
import { root } from "../sources.ts";

/** Builds dist/thaw.min.js: what `thaw` exports, without what only Node can run, for `<script type="module">`. */
export async function buildPageFile(): Promise<void> {
  const bundle = await rolldown({
    cwd: root,
    input: "src/index.ts",
    platform: "browser",
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
  await bundle.write({
    file: "dist/thaw.min.js",
    format: "esm",
    comments: false,
    minify: true,
    // Errors and reports name classes.
    keepNames: true,
  });
  await bundle.close();
}
