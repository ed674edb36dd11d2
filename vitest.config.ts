import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const src = fileURLToPath(new URL("./src/", import.meta.url));

/** Folders whose files neither choose a backend, nor count what is in memory, nor wait for what is said once. */
const folders =
  "adapters,autodiff,base,codegen,data,freeze,ir,lowered,models,nn,optim,oracle,plan,property,scripts,targets,tensor,testing,train,types";
/** But these do, or take so long that code which V8 has made for others would slow them down. */
const alone = [
  "test/base/bounded-json.test.ts",
  "test/base/storage/*.test.ts",
  "test/models/fit-{embeddings,options,phases,resume}.test.ts",
  "test/nn/dropout.test.ts",
  "test/optim/{late,replay}.test.ts",
  "test/oracle/samples/*.test.ts",
  "test/tensor/operations-corners.test.ts",
  "test/train/{abort,tasks}.test.ts",
  "test/train/trainer/*.test.ts",
];
/** MiniLM's real weights are not in the repository: the variable names their folder. */
const needsWeights = process.env.MINILM === undefined ? ["test/models/minilm.test.ts"] : [];
const together = [`test/{${folders}}/**/*.test.ts`];

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
      // To load the library anew for each file would take a fifth of the whole run.
      {
        extends: true,
        test: { name: "together", include: together, exclude: [...alone, ...needsWeights], isolate: false },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: [`test/!(${folders.replaceAll(",", "|")})/**/*.test.ts`, ...alone],
          exclude: [...needsWeights, "**/node_modules/**"],
        },
      },
    ],
  },
});
