import { join } from "node:path";
import { expect, test } from "vitest";
import { fakeCompiler, inFolder, program, runProgram } from "./native/child.ts";

const limit = { timeout: 60_000 };
/** As on a terminal. */
const onTerminal = `process.stderr.isTTY = true;\n${program}\nx.sum().itemSync();`;

test("on a terminal one line says why native does not run, once", limit, () =>
  inFolder((folder) => {
    const cache = join(folder, "cache");
    const none = runProgram({ PATH: folder, THAW_CACHE: cache }, onTerminal);
    expect(none.stdout).toMatch(/^wasm /);
    expect(none.stderr).toMatch(
      /^thaw: slower than it could be: native: there is no C compiler; install [^\n]*\n$/,
    );
    const failing = fakeCompiler(
      folder,
      'case "$*" in *--version*) echo cc 1;; *-dM*) ;; *) echo "one\ntwo" >&2; exit 1;; esac',
    );
    const broken = runProgram({ THAW_CC: failing, THAW_CACHE: cache }, onTerminal);
    expect(broken.stdout).toMatch(/^wasm /);
    expect(broken.stderr).toMatch(/^thaw: [^\n]*fake-cc did not compile a kernel[^\n]*It said: one[^\n]*\n$/);
  }),
);

test("nothing is said where native runs, or another was asked for", limit, () =>
  inFolder((folder) => {
    const env = { PATH: folder, THAW_CACHE: join(folder, "cache"), THAW_BACKEND: "wasm" };
    expect(runProgram(env, onTerminal)).toMatchObject({ status: 0, stderr: "" });
    const native = runProgram({ THAW_CACHE: join(folder, "cache") }, onTerminal);
    expect(native.stdout).toMatch(/^native /);
    expect(native.stderr).toBe("");
  }),
);
