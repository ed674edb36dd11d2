import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { KernelFolder } from "../../../src/backends/native/kernel-folder.ts";
import { KernelStore } from "../../../src/backends/native/store.ts";
import { BackendError, CompileError } from "../../../src/base/errors.ts";
import { inFolder } from "./child.ts";
import { source, toolchain } from "./sources.ts";

test("objects that share a file still do", () =>
  inFolder((cache) =>
    inFolder((out) => {
      const tools = toolchain(cache);
      const store = new KernelStore(cache, tools, null);
      const files = store.obtain([1, 2, 3, 4, 5, 6, 7, 8].map(source));
      const nodes = (paths: readonly string[]) => new Set(paths.map((path) => statSync(path).ino)).size;
      const made = KernelFolder.make(out, tools);
      for (const [i, file] of files.entries()) {
        made.add(`k${i}`, file);
        made.add(`k${i}`, file);
      }
      expect(nodes(files)).toBeLessThan(files.length);
      expect(nodes(files.map((_, i) => join(out, `k${i}.so`)))).toBe(nodes(files));
      const [first] = files;
      expect(readFileSync(join(out, "k0.so")).equals(readFileSync(first!))).toBe(true);
      expect(KernelFolder.open(out).path("k7")).toBe(join(out, "k7.so"));
      expect(KernelFolder.open(out).path("k8")).toBe(null);
    }),
  ));

test("a store with such a folder takes from it alone, and writes nowhere", () =>
  inFolder((folder) => {
    const [cache, out] = [join(folder, "cache"), join(folder, "out")];
    const tools = toolchain(folder);
    const made = KernelFolder.make(out, tools);
    const [file] = new KernelStore(folder, tools, null).obtain([source(1)]);
    made.add(file!.split("/").at(-1)!.slice(0, -3), file!);
    const store = new KernelStore(cache, tools, KernelFolder.open(out));
    expect(store.obtain([source(1)])).toEqual([file!.replace(folder, out)]);
    expect(() => store.obtain([source(1), source(2)])).toThrow(CompileError);
    expect(() => store.obtain([source(1), source(2)])).toThrow(/lacks 1 kernel.*run thaw compile with all/);
    expect(store.info()).toMatchObject({ objects: 0, bytes: 0, oldest: null });
    expect(existsSync(cache)).toBe(false);
  }));

test("one for another machine, begun by another compiler, or that says nothing of use", () =>
  inFolder((folder) => {
    const tools = toolchain(folder);
    KernelFolder.make(folder, tools);
    expect(KernelFolder.make(folder, tools).manifest.fingerprint).toBe(tools.fingerprint);
    expect(() => KernelFolder.make(folder, { ...tools, fingerprint: "another" })).toThrow(
      /holds kernels of another compiler or machine; name an empty folder/,
    );
    const file = join(folder, "manifest.json");
    const good = JSON.parse(readFileSync(file, "utf8"));
    const opened = (manifest: unknown) => () => {
      writeFileSync(file, JSON.stringify(manifest));
      return KernelFolder.open(folder);
    };
    expect(opened({ ...good, platform: "linux s390x" })).toThrow(/are for linux s390x, and this is/);
    expect(opened({ ...good, format: 2 })).toThrow(/holds no kernels \(its format is 2\)/);
    for (const bad of [{ format: 1 }, { ...good, features: 3 }, { ...good, target: null }, null, []])
      expect(opened(bad)).toThrow(BackendError);
    expect(opened(good)().manifest).toEqual(good);
  }));
