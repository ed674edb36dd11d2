import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { loadKoffi } from "../../../src/backends/koffi.ts";
import { cacheFolder, distrust } from "../../../src/backends/native/folder.ts";
import { isSealed } from "../../../src/backends/native/seal.ts";
import { KernelStore } from "../../../src/backends/native/store.ts";
import { findCompiler, toolchainOf } from "../../../src/backends/native/toolchain.ts";
import { CompileError } from "../../../src/base/errors.ts";
import { settings } from "../../../src/base/settings.ts";
import { fakeCompiler, inFolder } from "./child.ts";
import { source, toolchain } from "./sources.ts";

const { cacheMax } = settings;
afterEach(() => {
  settings.cacheMax = cacheMax;
  vi.restoreAllMocks();
});

const objects = (folder: string) => readdirSync(folder).filter((name) => name.endsWith(".so"));
const unfinished = (folder: string) => readdirSync(folder).filter((name) => /^tmp-|\.tmp$/.test(name));
const age = (file: string, hours: number): void => {
  const then = new Date(Date.now() - hours * 3_600_000);
  utimesSync(file, then, then);
};
const bytesOnDisk = (folder: string): number =>
  objects(folder).reduce((sum, name) => {
    const { size, nlink } = statSync(join(folder, name));
    return sum + size / nlink;
  }, 0);

test("what is asked for twice is compiled once, and another compiler's is not taken for it", () =>
  inFolder((folder) => {
    const tools = toolchain(folder);
    const store = new KernelStore(folder, tools, null);
    const first = store.obtain([source(1), source(2), source(1)]);
    expect(first[2]).toBe(first[0]);
    expect(first.every(isSealed)).toBe(true);
    expect(objects(folder)).toHaveLength(2);
    expect(new KernelStore(folder, tools, null).obtain([source(2), source(1)])).toEqual([first[1], first[0]]);
    const other = new KernelStore(folder, { ...tools, fingerprint: "another machine" }, null);
    expect(other.obtain([source(1)])).not.toEqual([first[0]]);
    expect(unfinished(folder)).toEqual([]);
  }));

test("what stands in an object's place, be it a folder, goes", () =>
  inFolder((folder) => {
    const store = new KernelStore(folder, toolchain(folder), null);
    const [file] = store.obtain([source(1)]);
    rmSync(file!);
    mkdirSync(file!);
    expect(store.obtain([source(1)])).toEqual([file]);
    expect(isSealed(file!)).toBe(true);
  }));

test("beyond the bound files go whole, those unused for longest first, and never what is asked for", () =>
  inFolder((folder) => {
    const store = new KernelStore(folder, toolchain(folder), null);
    // Several kernels share a file.
    const old = store.obtain([1, 2, 3, 4, 5, 6].map(source));
    const used = store.obtain([7, 8].map(source));
    for (const file of old) age(file, 3);
    for (const file of used) age(file, 2);
    const bytes = bytesOnDisk(folder);
    expect(store.info()).toMatchObject({ objects: 8, bytes: Math.round(bytes) });
    expect(Date.now() - store.info().oldest!.getTime()).toBeGreaterThan(2.9 * 3_600_000);
    settings.cacheMax = bytes;
    const [more] = store.obtain([source(9)]);
    expect([...used, more!].every((file) => existsSync(file))).toBe(true);
    const left = old.filter((file) => existsSync(file));
    expect(left.length).toBeLessThan(old.length);
    expect(bytesOnDisk(folder)).toBeLessThanOrEqual(bytes);
    // Those that are left have all names that their file was given.
    for (const file of left) {
      const { ino, nlink } = statSync(file);
      expect(left.filter((other) => statSync(other).ino === ino)).toHaveLength(nlink);
    }
    settings.cacheMax = 1;
    const both = store.obtain([source(9), source(10)]);
    expect(both.every((file) => existsSync(file))).toBe(true);
    expect(objects(folder).sort()).toEqual(both.map((file) => basename(file)).sort());
  }));

test("what another process is making is left to it, until it is old", () =>
  inFolder((folder) => {
    const store = new KernelStore(folder, toolchain(folder), null);
    store.obtain([source(1)]);
    const [fresh, stale] = [join(folder, "tmp-fresh0"), join(folder, "tmp-stale0")];
    for (const made of [fresh, stale]) {
      mkdirSync(made);
      writeFileSync(join(made, "kernel.c"), "");
    }
    age(stale, 2);
    store.obtain([source(2)]);
    expect(unfinished(folder)).toEqual(["tmp-fresh0"]);
    const { objects: count, bytes } = store.info();
    expect(store.clear()).toEqual({ objects: count, bytes });
    expect(readdirSync(folder)).toEqual(["tmp-fresh0"]);
    age(fresh, 2);
    store.clear();
    expect(readdirSync(folder)).toEqual([]);
  }));

test("a compiler that fails after it has begun to write leaves nothing", () =>
  inFolder((folder) => {
    const tools = toolchain(folder);
    const half = `while [ "$1" != -o ]; do shift; done; echo half > "$2"; echo "it broke" >&2; exit 1`;
    const store = new KernelStore(folder, { ...tools, compiler: fakeCompiler(folder, half) }, null);
    expect(() => store.obtain([source(1)])).toThrow(CompileError);
    expect(() => store.obtain([source(1)])).toThrow(/did not compile a kernel.*It said: it broke/);
    expect([...objects(folder), ...unfinished(folder)]).toEqual([]);
    // The compiler is back.
    expect(new KernelStore(folder, tools, null).obtain([source(1)]).every(isSealed)).toBe(true);
  }));

test("a folder that goes away: another takes its place", () =>
  inFolder((folder) => {
    const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
    const cache = join(folder, "cache");
    mkdirSync(cache);
    const store = new KernelStore(cache, toolchain(folder), null);
    store.obtain([source(1)]);
    renameSync(cache, join(folder, "moved"));
    const [file] = store.obtain([source(1)]);
    expect(isSealed(file!)).toBe(true);
    expect(store.folder).not.toBe(cache);
    expect(warned.mock.calls).toEqual([[expect.stringContaining(`${cache} cannot be written to (ENOENT`)]]);
    rmSync(store.folder, { recursive: true });
  }));

test.runIf(process.getuid?.() === 0)("what belongs to the administrator is as good as one's own", () =>
  inFolder((folder) => {
    vi.spyOn(process, "getuid").mockReturnValue(12345);
    expect(distrust(folder)).toBe(null);
    chmodSync(folder, 0o775);
    expect(distrust(folder)).toMatch(/others may write to it/);
  }),
);

/** Whether a disk of few bytes can be had; only the system's administrator may. */
const mounted = (folder: string): boolean =>
  spawnSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]).status === 0;

const canMount = await inFolder((folder) => {
  const could = mounted(folder);
  if (could) spawnSync("umount", [folder]);
  return could;
});

test.runIf(canMount)("a disk that is full, at any moment: kernels are made elsewhere", () =>
  inFolder((folder) => {
    const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
    const tools = toolchain(folder);
    const disk = join(folder, "disk");
    mkdirSync(disk);
    expect(mounted(disk)).toBe(true);
    try {
      for (const room of [0, 1, 8, 16, 24, 40]) {
        writeFileSync(join(disk, "much"), Buffer.alloc((256 - 4 * room) * 1024 - 4096));
        const store = new KernelStore(disk, tools, null);
        const files = store.obtain([source(1), source(2)]);
        expect(files.every(isSealed)).toBe(true);
        expect(unfinished(disk)).toEqual([]);
        if (store.folder !== disk) rmSync(store.folder, { recursive: true });
        for (const name of readdirSync(disk)) rmSync(join(disk, name));
      }
    } finally {
      spawnSync("umount", [disk]);
    }
    expect(warned.mock.calls.length).toBeGreaterThan(0);
    for (const [line] of warned.mock.calls)
      expect(line).toMatch(/cannot be written to .*(no space left|did not compile).*kernels are not kept/is);
  }),
);

test.runIf(canMount)(
  "a folder that can only be read: its kernels are used, and new ones made elsewhere",
  () =>
    inFolder((folder) => {
      const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
      const disk = join(folder, "disk");
      mkdirSync(disk, { mode: 0o700 });
      spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", disk]);
      const { cache } = settings;
      settings.cache = disk;
      try {
        const compiler = findCompiler();
        const tools = toolchainOf(compiler, disk);
        const [there, broken] = new KernelStore(disk, tools, null).obtain([source(1), source(2)]);
        truncateSync(broken!, 100);
        spawnSync("mount", ["-o", "remount,ro", disk]);
        expect(cacheFolder()).toBe(disk);
        expect(toolchainOf(compiler, disk)).toEqual(tools);
        const store = new KernelStore(disk, tools, null);
        expect(store.obtain([source(1)])).toEqual([there]);
        expect(warned).not.toHaveBeenCalled();
        const made = store.obtain([source(3), source(1), source(2)]);
        expect(made[1]).toBe(there);
        expect(made.every(isSealed)).toBe(true);
        expect(warned).toHaveBeenCalledOnce();
        // Both folders serve from now on, and nothing is compiled twice.
        expect(store.obtain([source(1), source(2), source(3)])).toEqual([there, made[2], made[0]]);
        expect(warned).toHaveBeenCalledOnce();
        rmSync(store.folder, { recursive: true });
      } finally {
        settings.cache = cache;
        spawnSync("umount", [disk]);
      }
    }),
);

test.runIf(canMount)("where nothing has room, that is said, and the step before it stays good", () =>
  inFolder((folder) => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const places = vi.spyOn(process.getBuiltinModule("node:os"), "tmpdir").mockReturnValue("/nowhere");
    const tools = toolchain(folder);
    const disk = join(folder, "disk");
    mkdirSync(disk);
    mounted(disk);
    try {
      writeFileSync(join(disk, "much"), Buffer.alloc(250 * 1024));
      const store = new KernelStore(disk, tools, null);
      // The memory's disk is the last resort.
      if (existsSync("/dev/shm")) {
        const [file] = store.obtain([source(1)]);
        expect(file).toMatch(/^\/dev\/shm\/|^\/var\/tmp\//);
        rmSync(store.folder, { recursive: true });
      } else expect(() => store.obtain([source(1)])).toThrow(/can be written nowhere.*make room/s);
    } finally {
      places.mockRestore();
      spawnSync("umount", [disk]);
    }
  }),
);

test.runIf(process.platform === "linux")("an object takes two maps of memory, or three", () =>
  inFolder((folder) => {
    const files = new KernelStore(folder, toolchain(folder), null).obtain([1, 2, 3, 4, 5].map(source));
    const { load } = loadKoffi();
    for (const file of files) load(file);
    const lines = readFileSync("/proc/self/maps", "utf8").split("\n");
    const inodes = new Set(files.map((file) => statSync(file).ino));
    const maps = lines.filter((line) => inodes.has(Number(line.split(/ +/)[4])));
    expect(maps.length).toBeGreaterThanOrEqual(inodes.size);
    expect(maps.length).toBeLessThanOrEqual(3 * inodes.size);
  }),
);
