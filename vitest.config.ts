import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const src = fileURLToPath(new URL("./src/", import.meta.url));

/** Files that choose a backend, which is fixed at first use, count what is in memory, or change what others take as given. */
const alone = [
  "test/backend/**/*.test.ts",
  "test/backends/**/*.test.ts",
  "test/base/bounded-json.test.ts",
  "test/base/storage/*.test.ts",
  "test/checkpoint/{damage,memory,open,safetensors-header}.test.ts",
  "test/cli/*.test.ts",
  "test/engine/*.test.ts",
  "test/nn/dropout.test.ts",
  "test/optim/state-policy.test.ts",
  "test/oracle/samples/*.test.ts",
  "test/tensor/operations-corners.test.ts",
  "test/train/{noticed,tasks}.test.ts",
];

export default defineConfig({
  resolve: {
    // Tests name the package as a user does; here that means its sources.
    alias: [
      { find: /^thaw$/, replacement: `${src}index.ts` },
      { find: /^thaw\/(.+)$/, replacement: `${src}$1/index.ts` },
    ],
  },
  test: {
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
    projects: [
      { extends: true, test: { name: "alone", include: alone } },
      // To load the library anew for each file would take a fifth of the whole run.
      {
        extends: true,
        test: { name: "together", include: ["test/**/*.test.ts"], exclude: alone, isolate: false },
      },
    ],
  },
});
