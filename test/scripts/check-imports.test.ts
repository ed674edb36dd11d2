import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkImports, exportedFolders } from "../../scripts/check-imports.ts";
import { mayImport } from "../../scripts/import-rules.ts";
import { root } from "../../scripts/sources.ts";

/** Checks files given as an object, with `nn` and `testing` as the public folders. */
const check = (files: Record<string, string>) =>
  checkImports(new Map(Object.entries(files)), ["nn", "testing"]);

describe("folders", () => {
  test.each([
    ["a lower folder", { "tensor/a.ts": 'import { b } from "../ir/b.ts";', "ir/b.ts": "" }],
    ["base, from anywhere", { "ir/a.ts": 'import { b } from "../base/b.ts";', "base/b.ts": "" }],
    ["its own folder", { "ir/a.ts": 'import { b } from "./b.ts";', "ir/b.ts": "" }],
    ["any folder before it", { "train/a.ts": 'import "../optim/b.ts"; import "../data/b.ts";' }],
    ["the contract of backends", { "engine/a.ts": 'import type { B } from "../backends/contract.ts";' }],
    ["a target, from the registry", { "backends/registry.ts": 'import("./wasm/backend.ts");' }],
    ["public folders, from src/index.ts", { "index.ts": 'export * from "./nn/index.ts";' }],
    ["public folders, from cli", { "cli/main.ts": 'import "../testing/index.ts";' }],
  ])("may import %s", (_, files) => {
    expect(check(files as Record<string, string>)).toEqual([]);
  });

  test.each([
    ["import", 'import { b } from "../tensor/b.ts";'],
    ["type import", 'import type { B } from "../tensor/b.ts";'],
    ["side effect", 'import "../tensor/b.ts";'],
    ["re-export", 'export * from "../tensor/b.ts";'],
    ["named re-export", 'export { b } from "../tensor/b.ts";'],
    ["dynamic import", 'const b = await import("../tensor/b.ts");'],
    ["type of an import", 'let b: import("../tensor/b.ts").B;'],
  ])("may not import a higher folder: %s", (_, text) => {
    expect(check({ "ir/a.ts": `\n${text}`, "tensor/b.ts": "" })).toEqual([
      "src/ir/a.ts:2: ir/ may not import tensor/ (tensor/b.ts)",
    ]);
  });

  test.each([
    [
      "a sibling backend",
      "backends/wasm/a.ts",
      "../native/b.ts",
      /the backend wasm imports its sibling native/,
    ],
    ["a sibling target", "targets/wasm/a.ts", "../c/b.ts", /the target wasm imports its sibling c/],
    ["a target of backends", "engine/a.ts", "../backends/wasm/b.ts", /imports backends\/wasm\//],
    ["a later folder of its row", "data/a.ts", "../train/b.ts", /data\/ may not import train\//],
    ["what is private, from cli", "cli/a.ts", "../plan/b.ts", /cli\/ may not import plan\//],
    ["what is private, from src/index.ts", "index.ts", "./plan/b.ts", /src\/ may not import plan\//],
    ["src/index.ts", "nn/a.ts", "../index.ts", /nn\/ may not import src\//],
    ["anything else from base", "base/a.ts", "../ir/b.ts", /base\/ may not import ir\//],
    ["what is outside src", "nn/a.ts", "../../scripts/b.ts", /outside src\//],
    ["anything, from a folder without a row", "utils/a.ts", "../ir/b.ts", /utils\/ has no row/],
  ])("may not import %s", (_, file, specifier, message) => {
    expect(check({ [file]: `import { b } from "${specifier}";` })).toEqual([expect.stringMatching(message)]);
  });

  test("every row names rows that exist", () => {
    for (const allowed of Object.values(mayImport)) {
      for (const folder of allowed) expect(Object.keys(mayImport)).toContain(folder);
    }
  });

  test("the rows themselves have no cycle", () => {
    const files = Object.entries(mayImport).map(([folder, allowed]): [string, string] => [
      `${folder}/a.ts`,
      allowed.map((other) => `import "../${other}/a.ts";`).join("\n"),
    ]);
    expect(check(Object.fromEntries(files))).toEqual([]);
  });
});

test("a cycle between files is found once, types included", () => {
  const problems = check({
    "ir/a.ts": 'import { b } from "./b.ts";',
    "ir/b.ts": 'import type { C } from "./c.ts";',
    "ir/c.ts": 'export * from "./a.ts"; import "./d.ts";',
    "ir/d.ts": "",
  });
  expect(problems).toEqual(["src/ir/a.ts: import cycle ir/a.ts → ir/b.ts → ir/c.ts → ir/a.ts"]);
});

test("a file that imports itself is a cycle", () => {
  expect(check({ "ir/a.ts": 'import { a } from "./a.ts";' })).toEqual([
    "src/ir/a.ts: import cycle ir/a.ts → ir/a.ts",
  ]);
});

test("two ways to one file are not a cycle", () => {
  const files = {
    "ir/a.ts": 'import "./b.ts"; import "./c.ts";',
    "ir/b.ts": 'import "./c.ts";',
    "ir/c.ts": "",
  };
  expect(check(files)).toEqual([]);
});

describe("Node's modules", () => {
  test.each(["node:fs", "fs", "node:fs/promises", "node:test"])("%s is not imported, even in cli", (name) => {
    expect(check({ "cli/a.ts": `import * as m from "${name}";` })).toEqual([
      `src/cli/a.ts:1: imports ${name}; fetch it with process.getBuiltinModule instead`,
    ]);
  });

  test.each([
    'process.getBuiltinModule("node:fs")',
    'process["getBuiltinModule"]("node:fs")',
    "const { getBuiltinModule } = process",
  ])("%s is kept to the folders that are for Node", (text) => {
    const allowed = ["base/storage-node.ts", "backends/native/a.ts", "backends/wasm/a.ts", "cli/a.ts"];
    for (const file of allowed) expect(check({ [file]: text })).toEqual([]);
    for (const file of ["base/shape.ts", "nn/a.ts", "backends/registry.ts", "index.ts"]) {
      expect(check({ [file]: text })).toEqual([expect.stringContaining("must run in a browser")]);
    }
  });

  test("a comment that names it is no use of it", () => {
    expect(check({ "nn/a.ts": "// not process.getBuiltinModule, which a browser lacks" })).toEqual([]);
  });
});

test("packages are imported only where they may be", () => {
  expect(check({ "cli/a.ts": 'import { Command } from "commander";' })).toEqual([]);
  expect(check({ "nn/a.ts": 'import { Command } from "commander";' })).toEqual([
    "src/nn/a.ts:1: imports the package commander; only cli may",
  ]);
  expect(check({ "cli/a.ts": 'import x from "@scope/name/sub.js";' })).toEqual([
    "src/cli/a.ts:1: imports the package @scope/name, which no folder may",
  ]);
});

test("a URL relative to a file is found from the built chunks too", () => {
  const text = 'const there = new URL("../../data/x.csv", import.meta.url);';
  expect(check({ "cli/a.ts": text })).toEqual([]);
  expect(check({ "cli/a/b.ts": text })).toEqual([
    "src/cli/a/b.ts:1: a URL relative to this file; only files one folder deep, as dist/chunks/ is, find the same there",
  ]);
});

test("a file has at most 500 lines", () => {
  expect(check({ "ir/a.ts": "\n".repeat(500) })).toEqual([]);
  expect(check({ "ir/a.ts": "\n".repeat(501) })).toEqual([
    "src/ir/a.ts: 501 lines; split it, a file has at most 500",
  ]);
});

test("the public folders are read from package.json", () => {
  expect(exportedFolders({ exports: { ".": "", "./nn": "", "./package.json": "" } })).toEqual(["nn"]);
  const folders = exportedFolders(JSON.parse(readFileSync(join(root, "package.json"), "utf8")));
  for (const folder of folders) expect(Object.keys(mayImport)).toContain(folder);
});
