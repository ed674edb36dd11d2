import { execFileSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { FileError } from "../../../src/base/errors.ts";
import { isFolder, namesIn, openFile, readFile, writeAtomically } from "../../../src/base/storage/index.ts";
import { temporaryFolder } from "../../checkpoint/folder.ts";

const fs = process.getBuiltinModule("node:fs");
const text = (s: string): Uint8Array => new TextEncoder().encode(s);

describe("writeAtomically", () => {
  test("puts a new file in place of an old one, and leaves nothing else", () => {
    const folder = temporaryFolder();
    const path = join(folder, "a");
    writeAtomically(path, (append) => append(text("old")));
    writeAtomically(path, (append) => {
      append(text("new"));
      expect(readFileSync(path, "utf8")).toBe("old");
      append(text("er"));
    });
    expect(readFileSync(path, "utf8")).toBe("newer");
    expect(readdirSync(folder)).toEqual(["a"]);
  });

  test("goes on where the system writes less than it was given", () => {
    const path = join(temporaryFolder(), "a");
    const write = fs.writeSync;
    const spy = vi
      .spyOn(fs, "writeSync")
      .mockImplementation(((file: number, bytes: Uint8Array, from: number, count: number) =>
        write(file, bytes, from, Math.min(count, 2))) as typeof fs.writeSync);
    writeAtomically(path, (append) => append(text("seven b")));
    spy.mockRestore();
    expect(readFileSync(path, "utf8")).toBe("seven b");
  });

  test("follows a link", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "old");
    symlinkSync("file", join(folder, "link"));
    writeAtomically(join(folder, "link"), (append) => append(text("new")));
    expect(lstatSync(join(folder, "link")).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, "file"), "utf8")).toBe("new");
  });

  test.each(["writeSync", "fsyncSync", "renameSync"] as const)(
    "a disk that is full in %s leaves the old file, and nothing else",
    (call) => {
      const folder = temporaryFolder();
      const path = join(folder, "a");
      writeFileSync(path, "old");
      const full = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      const spy = vi.spyOn(fs, call).mockImplementation(() => {
        throw full;
      });
      const write = () => writeAtomically(path, (append) => append(text("new")));
      expect(write).toThrow(FileError);
      expect(write).toThrow(`Cannot write ${path}: ENOSPC`);
      spy.mockRestore();
      expect(readFileSync(path, "utf8")).toBe("old");
      expect(readdirSync(folder)).toEqual(["a"]);
    },
  );

  test("what is thrown while it is written comes through, and leaves the old file", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "a"), "old");
    const write = () =>
      writeAtomically(join(folder, "a"), (append) => {
        append(text("new"));
        throw new RangeError("not that one");
      });
    expect(write).toThrow(RangeError);
    expect(readFileSync(join(folder, "a"), "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["a"]);
  });

  test("a folder that is not there is told", () => {
    expect(() => writeAtomically(join(temporaryFolder(), "no", "a"), () => {})).toThrow(FileError);
  });
});

describe("openFile", () => {
  test("reads by position, as much as there is", () => {
    const path = join(temporaryFolder(), "a");
    writeFileSync(path, "0123456789");
    const file = openFile(path);
    const into = new Uint8Array(4);
    expect(file.size).toBe(10);
    expect([file.read(into, 3), new TextDecoder().decode(into)]).toEqual([4, "3456"]);
    expect([file.read(into, 8), new TextDecoder().decode(into.subarray(0, 2))]).toEqual([2, "89"]);
    expect(file.read(into, 10)).toBe(0);
    file.close();
    file.close();
  });

  test("beyond 4 GiB", () => {
    const path = join(temporaryFolder(), "a");
    writeFileSync(path, "");
    const size = 5 * 2 ** 30;
    truncateSync(path, size);
    const end = fs.openSync(path, "r+");
    fs.writeSync(end, text("end"), 0, 3, size - 3);
    fs.closeSync(end);
    const file = openFile(path);
    const into = new Uint8Array(3);
    expect([file.size, file.read(into, size - 3), new TextDecoder().decode(into)]).toEqual([size, 3, "end"]);
    file.close();
  });

  test("a folder, a pipe and nothing are told, without waiting", () => {
    const folder = temporaryFolder();
    expect(() => openFile(folder)).toThrow("it is not a file");
    expect(() => openFile(join(folder, "no"))).toThrow(/Cannot read .*ENOENT/);
    execFileSync("mkfifo", [join(folder, "pipe")]);
    expect(() => openFile(join(folder, "pipe"))).toThrow("it is not a file");
  });
});

test("folders are listed and told from files", () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "b"));
  writeFileSync(join(folder, "a"), "");
  expect(namesIn(folder)).toEqual(["a", "b"]);
  expect([isFolder(folder), isFolder(join(folder, "a"))]).toEqual([true, false]);
  expect(() => isFolder(join(folder, "c"))).toThrow(FileError);
});

test("where there are no files, that is said, with what to do", () => {
  vi.stubGlobal("process", undefined);
  try {
    expect(() => readFile("a")).toThrow(
      "Cannot read a: there are no files in a browser. Use the functions that take or give a Uint8Array.",
    );
  } finally {
    vi.unstubAllGlobals();
  }
});
