import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { processor } from "../../../src/backends/native/machine.ts";
import { findCompiler, toolchainOf } from "../../../src/backends/native/toolchain.ts";
import { BackendError } from "../../../src/base/errors.ts";
import { settings } from "../../../src/base/settings.ts";
import { fakeCompiler, inFolder } from "./child.ts";

const { compiler, path, compilerTimeout } = settings;
afterEach(() => Object.assign(settings, { compiler, path, compilerTimeout }));

const usual = findCompiler();

test("the first on the path that can be run, under the name it has there", () =>
  inFolder((folder) => {
    const [plain, folders, links] = ["plain", "folders", "links"].map((name) => join(folder, name));
    for (const made of [plain!, folders!, links!]) mkdirSync(made);
    writeFileSync(join(plain!, "cc"), "no program");
    mkdirSync(join(folders!, "cc"));
    // As ccache is installed: one program, that does what it is called.
    const wrapper = fakeCompiler(folder, `case "$0" in */cc) exec ${usual} "$@";; esac; exit 1`);
    symlinkSync(wrapper, join(links!, "cc"));
    Object.assign(settings, { compiler: undefined, path: [plain, folders, links].join(":") });
    expect(findCompiler()).toBe(join(links!, "cc"));
    expect(toolchainOf(findCompiler(), folder).version).toBe(toolchainOf(usual, folder).version);
    Object.assign(settings, { path: [plain, folders].join(":") });
    expect(findCompiler).toThrow(/there is no C compiler; install gcc or clang/);
    chmodSync(wrapper, 0o644);
    Object.assign(settings, { compiler: wrapper });
    expect(findCompiler).toThrow(/there is no compiler .*fake-cc, which THAW_CC names/);
  }));

test("a compiler is the same under all its names", () =>
  inFolder((folder) => {
    symlinkSync(realpathSync(usual), join(folder, "another-name"));
    const [here, there] = [usual, join(folder, "another-name")].map((name) => toolchainOf(name, folder));
    expect(there!.version).toBe(here!.version);
    expect(there!.fingerprint).toBe(here!.fingerprint);
  }));

test("what a compiler says of itself is asked once, and again where what is remembered is no good", () =>
  inFolder((folder) => {
    const log = join(folder, "log");
    const asked = () => readFileSync(log, "utf8").length;
    const fake = fakeCompiler(folder, `printf . >> ${log}\nexec ${usual} "$@"`);
    const first = toolchainOf(fake, folder);
    const once = asked();
    expect(toolchainOf(fake, folder)).toEqual(first);
    expect(asked()).toBe(once);
    const [remembered] = readdirSync(folder).filter((name) => name.startsWith("compiler-"));
    const file = join(folder, remembered!);
    const good = JSON.parse(readFileSync(file, "utf8"));
    const { target } = good;
    const bad = [
      "",
      "{",
      "null",
      "[]",
      "3",
      "[".repeat(2 ** 19),
      ...[
        {},
        { ...good, compiler: "/another" },
        { ...good, format: undefined },
        { ...good, format: 0 },
        { ...good, format: 2 },
        { ...good, features: "__AVX2__" },
        { ...good, features: [3] },
        { ...good, fingerprint: 7 },
        { ...good, version: null },
        { ...good, target: null },
        { ...good, target: { ...target, vectorBytes: 1024 } },
        { ...good, target: { ...target, vectorBytes: "32" } },
        { ...good, target: { ...target, fma: "no" } },
        { ...good, target: { ...target, l1: -1 } },
        { ...good, target: { ...target, l2: "512K" } },
      ].map((content) => JSON.stringify(content)),
    ];
    for (const [i, text] of bad.entries()) {
      writeFileSync(file, text);
      expect(toolchainOf(fake, folder)).toEqual(first);
      expect(asked(), text.slice(0, 200)).toBe((i + 2) * once);
      // What is remembered from then on is good.
      expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(good);
    }
    // Where nothing can be written it is asked each time.
    expect(toolchainOf(fake, join(folder, "missing"))).toEqual(first);
    expect(asked()).toBe((bad.length + 2) * once);
  }));

test("another compiler, or another machine, has another fingerprint", () =>
  inFolder((folder) => {
    const here = toolchainOf(usual, folder);
    const elsewhere = fakeCompiler(
      folder,
      `case "$*" in *-dM*) ${usual} "$@" | grep -v AVX; exit 0;; esac\nexec ${usual} "$@"`,
    );
    expect(toolchainOf(elsewhere, folder).version).toBe(here.version);
    if (here.target.vectorBytes > 16 || process.arch === "arm64")
      expect(toolchainOf(elsewhere, folder).target.vectorBytes).toBe(16);
    mkdirSync(join(folder, "newer"));
    const newer = fakeCompiler(
      join(folder, "newer"),
      `case "$*" in *--version*) echo "cc 99"; exit 0;; esac\nexec ${usual} "$@"`,
    );
    expect(toolchainOf(newer, folder)).toMatchObject({ version: "cc 99", target: here.target });
    expect(toolchainOf(newer, folder).fingerprint).not.toBe(here.fingerprint);
  }));

test("the instruction sets that code may use are among the processor's", () =>
  inFolder((folder) => {
    const { features, target } = toolchainOf(usual, folder);
    expect(features.includes("__AVX2__")).toBe(
      processor().features.includes("avx2") && target.vectorBytes >= 32,
    );
    // What Linux calls otherwise.
    if (processor().features.includes("bmi1")) expect(features).toContain("__BMI__");
    // What only some makers' processors have, and no compiler uses unasked, keeps kernels from none of the others.
    expect(features.filter((name) => /CLZERO|SSE4A|RDPID/.test(name))).toEqual([]);
  }));

test("a compiler that does not say what it is: in time, and with what it did say", () =>
  inFolder((folder) => {
    const failing = fakeCompiler(folder, "echo no licence >&2; exit 7");
    expect(() => toolchainOf(failing, folder)).toThrow(BackendError);
    expect(() => toolchainOf(failing, folder)).toThrow(/--version failed \(status 7: no licence\)/);
    settings.compilerTimeout = 0.5;
    const hanging = fakeCompiler(folder, "sleep 1000");
    expect(() => toolchainOf(hanging, folder)).toThrow(/--version failed \(it has not ended after 0.5 s\)/);
  }));
