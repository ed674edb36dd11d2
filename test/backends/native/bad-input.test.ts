import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { built } from "../../built.ts";
import { fakeCompiler, inFolder, program, runProgram, startProgram } from "./child.ts";

const limit = { timeout: 120_000 };
const objects = (folder: string) => readdirSync(folder).filter((name) => name.endsWith(".so"));
const isRoot = process.getuid?.() === 0;

/** What the program prints where all is well. */
const right = (() => {
  let known: string | undefined;
  return () => (known ??= runProgram({ THAW_BACKEND: "native" }).stdout);
})();

/** A script that compiles, unless it is asked for a kernel (and not for the runtime, which has `thaw_walk`). */
const butKernels = (instead: string) =>
  `for a in "$@"; do case "$a" in *.c) grep -q thaw_walk "$a" || { ${instead}; };; esac; done\nexec cc "$@"`;

describe("a compiler", () => {
  test("that is not there: wasm takes over, silently in a pipe", limit, () =>
    inFolder((folder) => {
      const env = { PATH: folder, THAW_CACHE: join(folder, "cache") };
      const { status, stdout, stderr } = runProgram(env);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toMatch(/^wasm /);
      const asked = runProgram({ ...env, THAW_BACKEND: "native" });
      expect(asked.status).toBe(1);
      expect(asked.stderr).toContain("there is no C compiler; install gcc or clang");
      const named = runProgram({
        THAW_BACKEND: "native",
        THAW_CC: "/nowhere/cc",
        THAW_CACHE: env.THAW_CACHE,
      });
      expect(named.stderr).toContain("there is no compiler /nowhere/cc, which THAW_CC names");
    }),
  );

  test("that fails at once: its message is told, and wasm takes over where nobody named it", limit, () =>
    inFolder((folder) => {
      const env = {
        THAW_CACHE: join(folder, "cache"),
        THAW_CC: fakeCompiler(folder, 'echo "out of ink" >&2; exit 3'),
      };
      expect(runProgram({ ...env, THAW_BACKEND: "native" }).stderr).toContain("out of ink");
      symlinkSync(env.THAW_CC, join(folder, "cc"));
      expect(runProgram({ ...env, THAW_CC: "", PATH: folder }).stdout).toMatch(/^wasm /);
    }),
  );

  test("that makes a library of something else: wasm takes over where nobody named it", limit, () =>
    inFolder((folder) => {
      const real = execFileSync("sh", ["-c", "command -v cc"], { encoding: "utf8" }).trim();
      const env = {
        THAW_CACHE: join(folder, "cache"),
        THAW_CC: fakeCompiler(
          folder,
          `case "$*" in *.c*) ;; *) exec ${real} "$@";; esac
while [ $# -gt 0 ]; do [ "$1" = -o ] && o=$2; shift; done
echo 'int other;' | ${real} -shared -fPIC -x c - -o "$o"`,
        ),
      };
      const named = runProgram(env);
      expect(named.status).toBe(1);
      expect(named.stderr).toMatch(
        /BackendError: native: .* is not what its compiler was given: .*thaw_walk/,
      );
      symlinkSync(env.THAW_CC, join(folder, "cc"));
      const found = runProgram({ THAW_CACHE: env.THAW_CACHE, PATH: `${folder}:${process.env.PATH}` });
      expect(found.stdout).toMatch(/^wasm /);
    }),
  );

  test("that fails on a kernel: its message is told", limit, () =>
    inFolder((folder) => {
      const env = {
        THAW_BACKEND: "native",
        THAW_CACHE: join(folder, "cache"),
        THAW_CC: fakeCompiler(folder, butKernels('echo "cannot do loops" >&2; exit 1')),
      };
      const { status, stderr } = runProgram(env);
      expect(status).toBe(1);
      expect(stderr).toContain("CompileError");
      expect(stderr).toContain("did not compile a kernel");
      expect(stderr).toContain("cannot do loops");
      expect(readdirSync(env.THAW_CACHE).filter((name) => name.startsWith("tmp-"))).toEqual([]);
    }),
  );

  test("that hangs is ended, with what it has started", limit, () =>
    inFolder((folder) => {
      const env = {
        THAW_BACKEND: "native",
        THAW_CC_TIMEOUT: "2",
        THAW_CACHE: join(folder, "cache"),
        THAW_CC: fakeCompiler(folder, butKernels(`sleep 4321.${process.pid}`)),
      };
      const { status, stderr } = runProgram(env);
      expect(status).toBe(1);
      expect(stderr).toMatch(/has not ended after 2 s \(THAW_CC_TIMEOUT\)/);
      const left = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
      expect(left).not.toContain(`sleep 4321.${process.pid}`);
    }),
  );

  test(
    "that is gone when a step needs a new kernel: the step changes nothing, and the next one goes on",
    limit,
    () =>
      inFolder((folder) => {
        const broken = join(folder, "broken");
        const env = {
          THAW_BACKEND: "native",
          THAW_CACHE: join(folder, "cache"),
          THAW_CC: fakeCompiler(folder, `test -e ${broken} && { echo "no more" >&2; exit 1; }\nexec cc "$@"`),
        };
        const training = `
        const { writeFileSync, rmSync } = await import("node:fs");
        const { CompileError, manualSeed, mseLoss, nn, optim, randn, trainStep } = await import("${built("index.js")}");
        manualSeed(0);
        const net = new nn.Linear(6, 5);
        const optimizer = new optim.AdamW(net);
        const step = trainStep(optimizer, {
          loss: (x, y, power) => mseLoss(power ? net.forward(x).sigmoid().exp() : net.forward(x), y),
          trains: "**",
        });
        const [x, y] = [randn([4, 6]), randn([4, 5])];
        const state = () => JSON.stringify([net.stateDict(), optimizer.stateDict()], (_, v) => (v?.dataSync ? [...v.dataSync()] : v));
        await step(x, y, false);
        const before = state();
        writeFileSync("${broken}", "");
        const failed = await step(x, y, true).then(() => null, (error) => error);
        console.log(failed instanceof CompileError, failed?.message.includes("no more"), state() === before);
        await step(x, y, false);
        rmSync("${broken}");
        await step(x, y, true);
        console.log(state() !== before, optimizer.state.get(net.weight).step);
      `;
        const { stdout, stderr } = runProgram(env, training);
        expect({ stdout, stderr }).toEqual({ stdout: "true true true\ntrue 3\n", stderr: "" });
      }),
  );
});

describe("a cache folder", () => {
  test("that others may write to is not used", limit, () =>
    inFolder((folder) => {
      const cache = join(folder, "cache");
      mkdirSync(cache, { mode: 0o700 });
      chmodSync(cache, 0o777);
      const { stdout, stderr } = runProgram({ THAW_BACKEND: "native", THAW_CACHE: cache });
      expect(stdout).toBe(right());
      expect(stderr).toContain("compiled kernels are not kept");
      expect(stderr).toContain("others may write to it (mode 777)");
      expect(readdirSync(cache)).toEqual([]);
    }),
  );

  test("that is a link, or a file, is not used", limit, () =>
    inFolder((folder) => {
      const [target, link, file] = [join(folder, "target"), join(folder, "link"), join(folder, "file")];
      mkdirSync(target, { mode: 0o700 });
      symlinkSync(target, link);
      writeFileSync(file, "", { mode: 0o600 });
      for (const cache of [link, file]) {
        const { stdout, stderr } = runProgram({ THAW_BACKEND: "native", THAW_CACHE: cache });
        expect(stdout).toBe(right());
        expect(stderr).toContain(`${cache} cannot be used`);
      }
      expect(readdirSync(target)).toEqual([]);
    }),
  );

  test.runIf(isRoot)("of somebody else is not used", limit, () =>
    inFolder((folder) => {
      const cache = join(folder, "cache");
      mkdirSync(cache, { mode: 0o700 });
      chownSync(cache, 12345, 12345);
      const { stdout, stderr } = runProgram({ THAW_BACKEND: "native", THAW_CACHE: cache });
      expect(stdout).toBe(right());
      expect(stderr).toContain("it belongs to user 12345, not to 0");
      expect(readdirSync(cache)).toEqual([]);
    }),
  );

  test("is private, and what is in it is used again", limit, () =>
    inFolder((folder) => {
      const cache = join(folder, "cache");
      expect(runProgram({ THAW_BACKEND: "native", THAW_CACHE: cache }).stdout).toBe(right());
      expect(statSync(cache).mode & 0o777).toBe(0o700);
      expect(objects(cache).length).toBeGreaterThan(2);
      // Nothing is compiled: a compiler that only fails is not missed, as long as what it said is remembered.
      const before = objects(cache).map((name) => statSync(join(cache, name)).ino);
      expect(runProgram({ THAW_BACKEND: "native", THAW_CACHE: cache }).stdout).toBe(right());
      expect(objects(cache).map((name) => statSync(join(cache, name)).ino)).toEqual(before);
    }),
  );

  test("whose objects were cut off or changed: they are compiled again", limit, () =>
    inFolder((folder) => {
      const env = { THAW_BACKEND: "native", THAW_CACHE: join(folder, "cache") };
      runProgram(env);
      for (const [i, name] of objects(env.THAW_CACHE).entries()) {
        const file = join(env.THAW_CACHE, name);
        if (i % 3 === 0) truncateSync(file, 100);
        else if (i % 3 === 1) {
          const bytes = readFileSync(file);
          bytes[1000]! ^= 1;
          writeFileSync(file, bytes);
        } else appendFileSync(file, "more");
      }
      const { stdout, stderr } = runProgram(env);
      expect({ stdout, stderr }).toEqual({ stdout: right(), stderr: "" });
    }),
  );

  test("that several processes fill at a time", limit, () =>
    inFolder(async (folder) => {
      const env = { THAW_BACKEND: "native", THAW_CACHE: join(folder, "cache") };
      const all = await Promise.all([1, 2, 3, 4].map(() => startProgram(env).ended));
      for (const { status, output } of all)
        expect({ status, output }).toEqual({ status: 0, output: right() });
      expect(readdirSync(env.THAW_CACHE).filter((name) => /tmp/.test(name))).toEqual([]);
    }),
  );

  test(
    "that a process was killed over: the next goes on, and what was left is cleared after an hour",
    limit,
    () =>
      inFolder(async (folder) => {
        const slow = fakeCompiler(folder, butKernels("sleep 3"));
        const env = { THAW_BACKEND: "native", THAW_CACHE: join(folder, "cache") };
        const { child, ended } = startProgram({ ...env, THAW_CC: slow });
        const begun = () => {
          try {
            return readdirSync(env.THAW_CACHE).some(
              (name) => name.startsWith("tmp-") && objects(env.THAW_CACHE).length > 0,
            );
          } catch {
            return false;
          }
        };
        while (!begun()) await sleep(20);
        child.kill("SIGKILL");
        await ended;
        const left = readdirSync(env.THAW_CACHE).filter((name) => name.startsWith("tmp-"));
        expect(left).toHaveLength(1);
        const old = new Date(Date.now() - 2 * 3_600_000);
        utimesSync(join(env.THAW_CACHE, left[0]!), old, old);
        expect(runProgram(env).stdout).toBe(right());
        expect(readdirSync(env.THAW_CACHE).filter((name) => name.startsWith("tmp-"))).toEqual([]);
      }),
  );

  test("holds no more than it may: what was unused for longest goes", limit, () =>
    inFolder((folder) => {
      const functions = ["exp", "tanh", "log1p", "sin", "cos", "erf", "sigmoid", "expm1", "sqrt", "abs"];
      const text = `${program}\nfor (const f of ${JSON.stringify(functions)}) console.log(x[f]().sum().itemSync());`;
      const whole = { THAW_BACKEND: "native", THAW_CACHE: join(folder, "whole") };
      const bounded = { ...whole, THAW_CACHE: join(folder, "bounded"), THAW_CACHE_MAX: "40000" };
      expect(runProgram(bounded, text).stdout).toBe(runProgram(whole, text).stdout);
      const bytes = (cache: string) =>
        objects(cache).reduce((sum, name) => {
          const { size, nlink } = statSync(join(cache, name));
          return sum + size / nlink;
        }, 0);
      expect(bytes(whole.THAW_CACHE)).toBeGreaterThan(40_000);
      expect(bytes(bounded.THAW_CACHE)).toBeLessThanOrEqual(40_000);
    }),
  );

  test("on a full disk: kernels are made elsewhere", limit, () =>
    inFolder((folder) => {
      // A compiler that finds no room there, and only there.
      const cache = join(folder, "cache");
      const full = fakeCompiler(
        folder,
        `case "$*" in *${cache}*) echo "ld: final link failed: No space left on device" >&2; exit 1;; esac\nexec cc "$@"`,
      );
      const { stdout, stderr } = runProgram({ THAW_BACKEND: "native", THAW_CACHE: cache, THAW_CC: full });
      expect(stdout).toBe(right());
      expect(stderr).toMatch(/cannot be written to .*No space left on device.*kernels are not kept/s);
    }),
  );
});

describe("kernels compiled ahead", () => {
  const compiled = (use: (kernels: string, env: Record<string, string>) => void) =>
    inFolder((folder) => {
      const [kernels, script] = [join(folder, "kernels"), join(folder, "script.mjs")];
      writeFileSync(script, program);
      const cache = join(folder, "cache");
      const out = execFileSync(
        process.execPath,
        [built("cli/main.js"), "compile", script, "--out", kernels],
        { encoding: "utf8", env: { ...process.env, THAW_CACHE: cache } },
      );
      expect(out).toContain(right());
      expect(out).toContain(`THAW_KERNELS=${kernels} uses them, without a compiler.`);
      use(kernels, {
        THAW_BACKEND: "native",
        THAW_KERNELS: kernels,
        PATH: folder,
        THAW_CACHE: join(folder, "empty"),
      });
    });

  test("run without a compiler, and give the same", limit, () =>
    compiled((_, env) => {
      const { stdout, stderr } = runProgram(env);
      expect({ stdout, stderr }).toEqual({ stdout: right(), stderr: "" });
      // Nothing is to be written, so no folder is made.
      expect(existsSync(env.THAW_CACHE!)).toBe(false);
    }),
  );

  test("that are not all there: what is missing is said", limit, () =>
    compiled((_, env) => {
      const more = `${program}\nconsole.log(x.tanh().sum().itemSync());`;
      const { status, stdout, stderr } = runProgram(env, more);
      expect({ status, stdout }).toEqual({ status: 1, stdout: right() });
      expect(stderr).toMatch(/which THAW_KERNELS names, lacks \d+ kernel\(s\) that this program needs/);
    }),
  );

  test("that have been changed, are none, or are for another processor", limit, () =>
    compiled((kernels, env) => {
      const manifest = join(kernels, "manifest.json");
      const text = readFileSync(manifest, "utf8");
      writeFileSync(
        manifest,
        text
          .replace('"__SSE4_1__"', '"__AVX1024__"')
          .replace('"features": []', '"features": ["__AVX1024__"]'),
      );
      expect(runProgram(env).stderr).toContain("need avx1024, which this processor lacks");
      writeFileSync(manifest, "{");
      expect(runProgram(env).stderr).toContain("holds no kernels");
      writeFileSync(manifest, text);
      for (const name of objects(kernels)) truncateSync(join(kernels, name), 500);
      expect(runProgram(env).stderr).toMatch(/is not as it was made; make .* again with thaw compile/);
    }),
  );
});
