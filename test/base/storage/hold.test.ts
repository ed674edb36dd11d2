import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { FileError, LockError } from "thaw";
import { afterAll, expect, test } from "vitest";
import { holdFile } from "../../../src/base/storage/hold.ts";

const top = mkdtempSync(join(tmpdir(), "thaw-hold-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

test("a file is held by one at a time, and is gone when that ends", () => {
  const path = join(top, "one");
  const release = holdFile(path, "the folder");
  expect(() => holdFile(path, "the folder")).toThrow(LockError);
  expect(() => holdFile(path, "the folder")).toThrow(
    `the folder is in use by the process ${process.pid} on ${hostname()}: ${path} says so.`,
  );
  release();
  expect(existsSync(path)).toBe(false);
  holdFile(path, "the folder")();
  expect(readdirSync(top)).toEqual([]);
});

test("that of a dead process is taken over, that of another machine or of nobody knows whom is not", () => {
  const path = join(top, "two");
  // No system gives such a number.
  const dead = { pid: 2 ** 31 - 1, started: null, host: hostname() };
  writeFileSync(path, JSON.stringify(dead));
  holdFile(path, "it")();
  for (const text of [JSON.stringify({ ...dead, host: "elsewhere" }), "half", "{}"]) {
    writeFileSync(path, text);
    expect(() => holdFile(path, "it")).toThrow(LockError);
  }
  rmSync(path);
  expect(() => holdFile(join(top, "none", "three"), "it")).toThrow(FileError);
  expect(readdirSync(top)).toEqual([]);
});
