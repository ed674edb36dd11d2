import { describe, expect, test } from "vitest";
import { ArgumentError, SettingError } from "../../src/base/errors.ts";
import { readSettings } from "../../src/base/settings.ts";

test("what is not set, or empty, is at its default", () => {
  const names = [
    "BACKEND",
    "THREADS",
    "VERIFY",
    "MAX_MEMORY",
    "CC",
    "CC_TIMEOUT",
    "CACHE",
    "CACHE_MAX",
    "SANITIZE",
  ];
  const empty = Object.fromEntries(names.map((name) => [`THAW_${name}`, ""]));
  expect(readSettings(empty)).toEqual(readSettings({}));
  expect(readSettings({})).toMatchObject({
    threads: undefined,
    compilerTimeout: 120,
    cacheMax: 2 ** 28,
    verify: false,
  });
});

test.each([
  ["THAW_THREADS", "4", "threads", 4],
  ["THAW_THREADS", "256", "threads", 256],
  ["THAW_MAX_MEMORY", "1073741824", "maxMemory", 2 ** 30],
  ["THAW_MAX_MEMORY", "1GiB", "maxMemory", 2 ** 30],
  ["THAW_MAX_MEMORY", "512 MiB", "maxMemory", 2 ** 29],
  ["THAW_CACHE_MAX", "0", "cacheMax", 0],
  ["THAW_CACHE_MAX", "64KiB", "cacheMax", 65536],
  ["THAW_CC_TIMEOUT", "0.5", "compilerTimeout", 0.5],
  ["THAW_VERIFY", "1", "verify", true],
  ["THAW_VERIFY", "0", "verify", false],
] as const)("%s=%s", (name, value, setting, wanted) => {
  expect(readSettings({ [name]: value })[setting]).toBe(wanted);
});

describe("what cannot be is an error that names the variable, its value, and what it takes", () => {
  test.each([
    ...["0", "-1", "abc", "1.5", "100000", "257", "1e2", "0x10", "4 ", "NaN", "Infinity", "auto"].map((v) => [
      "THAW_THREADS",
      v,
      "a whole number from 1 to 256",
    ]),
    ...["1GB", "1G", "2gb", "1.5GiB", "-1", "abc", "0", "1024", "1e9", "99999999999TiB", "GiB", "NaN"].map(
      (v) => ["THAW_MAX_MEMORY", v, "KB, MB and GB are not taken"],
    ),
    ...["-1", "1GB", "lots"].map((v) => ["THAW_CACHE_MAX", v, "as 1GiB"]),
    ...["-1", "0", "two", "1e3", "Infinity", "100000", "2m"].map((v) => [
      "THAW_CC_TIMEOUT",
      v,
      "it takes seconds",
    ]),
    ...["true", "yes", "2", " 1"].flatMap((v) => [
      ["THAW_VERIFY", v, "it takes 1 or 0"],
      ["THAW_SANITIZE", v, "it takes 1 or 0"],
    ]),
  ])("%s=%s", (name, value, what) => {
    const read = () => readSettings({ [name!]: value });
    expect(read).toThrow(SettingError);
    expect(read).toThrow(ArgumentError);
    expect(read).toThrow(`${name} is ${JSON.stringify(value)}`);
    expect(read).toThrow(what);
  });
});
