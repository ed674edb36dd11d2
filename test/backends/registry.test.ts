import { renameSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { backendOf } from "../../src/backends/registry.ts";
import { type Environment, fakeCompiler, inFolder, program, runProgram } from "./native/child.ts";

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
    renameSync(failing, join(folder, "cc"));
    const broken = runProgram({ PATH: `${folder}:${process.env.PATH}`, THAW_CACHE: cache }, onTerminal);
    expect(broken.stdout).toMatch(/^wasm /);
    expect(broken.stderr).toMatch(/^thaw: [^\n]*\/cc did not compile a kernel[^\n]*It said: one[^\n]*\n$/);
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

test("what is named and does not work is an error, not a reason to run something else", limit, () =>
  inFolder((folder) => {
    const cache = join(folder, "cache");
    const failing = fakeCompiler(folder, "echo out of ink >&2; exit 3");
    const named: readonly Environment[] = [
      { THAW_CC: failing },
      { THAW_CC: "/nowhere/cc" },
      { THAW_KERNELS: folder },
    ];
    for (const env of named) {
      const { status, stdout, stderr } = runProgram({ THAW_CACHE: cache, ...env });
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      expect(stderr).toMatch(/BackendError: native: .*(out of ink|no compiler|no kernels)/s);
      expect(stderr).toContain(`${Object.keys(env)[0]} asks for native`);
    }
  }),
);

test("names that objects have by themselves are no backends", () => {
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", "", "Native", "wasm "])
    expect(() => backendOf(name)).toThrow(
      `There is no backend "${name}"; there are native, wasm, reference.`,
    );
});
