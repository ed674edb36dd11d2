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
    // Graphs are verified between passes. Files run beside each other: they take the cores there are.
    env: { THAW_VERIFY: "1", THAW_THREADS: "1" },
  },
});
