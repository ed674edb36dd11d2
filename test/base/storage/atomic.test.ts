import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { FileError } from "../../../src/base/errors.ts";
import { finishWrites, writeAtomically, writeBehind } from "../../../src/base/storage/index.ts";
import { temporaryFolder } from "../../checkpoint/folder.ts";

const fs = process.getBuiltinModule("node:fs");
const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const isRoot = process.getuid?.() === 0;

/** Both ways to write a file, which must treat the world alike. */
const ways: [string, (path: string, content: string) => Promise<void> | void][] = [
  ["writeAtomically", (path, content) => writeAtomically(path, (append) => append(text(content)))],
  ["writeBehind", (path, content) => writeBehind(path, [text(content)])],
];

describe.each(ways)("%s", (_, put) => {
  const refused = async (path: string, reason: string): Promise<void> => {
    const run = async () => put(path, "new");
    await expect(run()).rejects.toThrow(FileError);
    await expect(run()).rejects.toThrow(`Cannot write ${path}: `);
    await expect(run()).rejects.toThrow(reason);
  };

  test("the mode and the owner of the file that is replaced stay", async () => {
    const path = join(temporaryFolder(), "a");
    for (const mode of [0o600, 0o644, 0o664, 0o640]) {
      writeFileSync(path, "old");
      chmodSync(path, mode);
      if (isRoot) chownSync(path, 1234, 2345);
      await put(path, "new");
      const { mode: now, uid, gid } = statSync(path);
      expect([now & 0o7777, readFileSync(path, "utf8")]).toEqual([mode, "new"]);
      if (isRoot) expect([uid, gid]).toEqual([1234, 2345]);
    }
  });

  test("a new file has the mode that any new file has", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "plain"), "");
    await put(join(folder, "a"), "new");
    expect(statSync(join(folder, "a")).mode).toBe(statSync(join(folder, "plain")).mode);
  });

  test("what is no file is refused, and stays", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "folder"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    const server = createServer().listen(join(folder, "socket"));
    await new Promise((listening) => server.once("listening", listening));
    symlinkSync("pipe", join(folder, "to-pipe"));
    const before = readdirSync(folder).sort();
    await refused("/dev/full", "it is a device");
    await refused(join(folder, "folder"), "it is a folder");
    await refused(join(folder, "pipe"), "it is a pipe");
    await refused(join(folder, "socket"), "it is a socket");
    await refused(join(folder, "to-pipe"), `${join(folder, "pipe")} is a pipe`);
    await refused(`${join(folder, "new")}/`, "it names a folder");
    await refused("", "it is no name");
    expect(lstatSync("/dev/full").isCharacterDevice()).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(before);
    server.close();
  });

  test("links stay links, to whatever they lead", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "deep"));
    mkdirSync(join(folder, "other"));
    symlinkSync("../deep", join(folder, "other", "way"));
    // Relative to where a link really is, not to the path that led there.
    symlinkSync("../target", join(folder, "deep", "up"));
    symlinkSync("deep/up", join(folder, "twice"));
    symlinkSync(join(folder, "deep", "absolute"), join(folder, "dangling"));
    await put(join(folder, "other", "way", "up"), "one");
    expect(readFileSync(join(folder, "target"), "utf8")).toBe("one");
    await put(join(folder, "twice"), "two");
    expect(readFileSync(join(folder, "target"), "utf8")).toBe("two");
    await put(join(folder, "dangling"), "three");
    expect(readFileSync(join(folder, "deep", "absolute"), "utf8")).toBe("three");
    expect(readlinkSync(join(folder, "twice"))).toBe("deep/up");
    expect(readlinkSync(join(folder, "deep", "up"))).toBe("../target");
    expect(lstatSync(join(folder, "dangling")).isSymbolicLink()).toBe(true);
    symlinkSync("b", join(folder, "a"));
    symlinkSync("a", join(folder, "b"));
    await refused(join(folder, "a"), "its links lead to each other");
    expect(readlinkSync(join(folder, "a"))).toBe("b");
  });

  test("another hard link keeps what was in the file", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "a"), "old");
    linkSync(join(folder, "a"), join(folder, "b"));
    await put(join(folder, "a"), "new");
    expect([readFileSync(join(folder, "a"), "utf8"), readFileSync(join(folder, "b"), "utf8")]).toEqual([
      "new",
      "old",
    ]);
  });

  test("a name that is taken, or as long as names can be, does not stop it", async () => {
    const folder = temporaryFolder();
    const random = vi.spyOn(crypto, "getRandomValues");
    let next = 0;
    random.mockImplementation((bytes) => {
      (bytes as Uint8Array).fill(Math.min(3, ++next));
      return bytes;
    });
    const path = join(folder, "a");
    const left = [1, 2].map((n) => `${path}.thaw-${`0${n}`.repeat(8)}.tmp`);
    for (const temporary of left) writeFileSync(temporary, "of somebody else");
    await put(path, "new");
    expect(readFileSync(path, "utf8")).toBe("new");
    for (const temporary of left) expect(readFileSync(temporary, "utf8")).toBe("of somebody else");
    // Where every name is taken, that is an error and not a wait without end.
    writeFileSync(`${path}.thaw-${"03".repeat(8)}.tmp`, "");
    await refused(path, "EEXIST");
    random.mockRestore();
    for (const name of ["b".repeat(255), "é".repeat(127)]) {
      await put(join(folder, name), "long");
      expect(readFileSync(join(folder, name), "utf8")).toBe("long");
    }
  });

  test("a folder that cannot be synced has the file all the same", async () => {
    const path = join(temporaryFolder(), "a");
    if (put !== ways[0]![1]) return void (await put(path, "new"));
    const sync = fs.fsyncSync;
    let calls = 0;
    const spy = vi.spyOn(fs, "fsyncSync").mockImplementation((file) => {
      if (++calls === 2) throw Object.assign(new Error("EINVAL: invalid argument"), { code: "EINVAL" });
      sync(file);
    });
    await put(path, "new");
    spy.mockRestore();
    expect([calls, readFileSync(path, "utf8")]).toEqual([2, "new"]);
  });
});

test("a file that is protected from being written is not replaced, where that protects it", () => {
  const path = join(temporaryFolder(), "a");
  writeFileSync(path, "old");
  const spy = vi.spyOn(fs, "accessSync").mockImplementation(() => {
    throw Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
  });
  expect(() => writeAtomically(path, (append) => append(text("new")))).toThrow(FileError);
  spy.mockRestore();
  expect(readFileSync(path, "utf8")).toBe("old");
});

test("an owner that cannot stay is an error, and the file stays", () => {
  const folder = temporaryFolder();
  const path = join(folder, "a");
  writeFileSync(path, "old");
  const { fstatSync } = fs;
  const stat = vi.spyOn(fs, "fstatSync").mockImplementation(((file: number) => ({
    ...fstatSync(file),
    uid: 77,
  })) as typeof fs.fstatSync);
  const own = vi.spyOn(fs, "fchownSync").mockImplementation(() => {
    throw Object.assign(new Error("EPERM: operation not permitted"), { code: "EPERM" });
  });
  expect(() => writeAtomically(path, (append) => append(text("new")))).toThrow(
    /belongs to user \d+ and group/,
  );
  stat.mockRestore();
  own.mockRestore();
  expect([readFileSync(path, "utf8"), readdirSync(folder)]).toEqual(["old", ["a"]]);
});

describe("writeBehind", () => {
  test("writes while this thread never gets to its event loop", () => {
    const path = join(temporaryFolder(), "a");
    const bytes = new Uint8Array(40 * 2 ** 20).fill(7);
    void writeBehind(path, [bytes, text("end")]);
    finishWrites();
    const written = readFileSync(path);
    expect([written.length, written[0], written.toString("latin1", written.length - 3)]).toEqual([
      40 * 2 ** 20 + 3,
      7,
      "end",
    ]);
    // They are the writer's now: nobody can change them under its hands.
    expect(bytes.length).toBe(0);
  });

  test("files come in the order in which they were asked for", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "a");
    const all = Array.from({ length: 20 }, (_, i) => writeBehind(path, [text(String(i))]));
    finishWrites();
    expect(readFileSync(path, "utf8")).toBe("19");
    await Promise.all(all);
    expect(readdirSync(folder)).toEqual(["a"]);
  });

  test("what is aborted leaves the old file and nothing else, and does not stop the next", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "a"), "old");
    const stop = new AbortController();
    const big = (): Uint8Array => new Uint8Array(64 * 2 ** 20);
    const first = writeBehind(join(folder, "a"), [big()], [], stop.signal);
    stop.abort(new RangeError("enough"));
    await expect(first).rejects.toBe(stop.signal.reason);
    expect(readdirSync(folder)).toEqual(["a"]);
    expect(readFileSync(join(folder, "a"), "utf8")).toBe("old");
    const later = new AbortController();
    await writeBehind(join(folder, "a"), [text("new")], [], later.signal);
    later.abort();
    expect(readFileSync(join(folder, "a"), "utf8")).toBe("new");
  });

  test("a failure is told, leaves the old file, and does not stop the next", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "gone"));
    const lost = writeBehind(join(folder, "gone", "a"), [new Uint8Array(2 ** 20)]);
    // Whichever comes first: the file is not in its place, or is removed with its folder.
    fs.rmSync(join(folder, "gone"), { recursive: true, force: true });
    await lost.catch((error) => expect(error).toBeInstanceOf(FileError));
    await writeBehind(join(folder, "b"), [text("next")]);
    expect(readFileSync(join(folder, "b"), "utf8")).toBe("next");
  });
});
