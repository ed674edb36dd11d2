import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const src = fileURLToPath(new URL("./src/", import.meta.url));

export default defineConfig({
  resolve: {
    // Tests name the package as a user does; here that means its sources.
    alias: [
      { find: /^thaw$/, replacement: `${src}index.ts` },
      { find: /^thaw\/(.+)$/, replacement: `${src}$1/index.ts` },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
    testTimeout: 60_000,
    maxWorkers: "100%",
    env: {
      // The tests of backends go through all of them; for the others no compiler needs to run.
      THAW_BACKEND: process.env.THAW_BACKEND ?? "wasm",
      // Graphs are verified between passes.
      THAW_VERIFY: "1",
      // Files run beside each other: they take the cores there are.
      THAW_THREADS: "1",
    },
  },
});
