import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSafetensors } from "thaw/checkpoint";
import { type Tensor, tensor } from "thaw/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ArgumentError,
  FileError,
  IndexError,
  SafetensorsError,
  SelectorError,
} from "../../src/base/errors.ts";
import { type DiffCommandOptions, diff } from "../../src/cli/diff.ts";
import { inspect } from "../../src/cli/inspect.ts";

const main = new URL("../../src/cli/main.ts", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "thaw-diff-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
const write = (name: string, tensors: Record<string, Tensor>, metadata?: Record<string, string>): void =>
  writeSafetensors(at(name), new Map(Object.entries(tensors)), { metadata });

const table = (fill: (row: number) => number): Tensor =>
  tensor(Array.from({ length: 6 }, (_, row) => [row, fill(row)]));

beforeAll(() => {
  const base = {
    "emb.weight": table((row) => row),
    "enc.bias": tensor([1, 2]),
    "head.weight": tensor([[1, 2]]),
  };
  write("a.safetensors", base, { format: "pt" });
  write("b.safetensors", {
    ...base,
    "emb.weight": table((row) => (row < 4 ? row : 9)),
    "head.weight": tensor([[1, 3]]),
  });
  mkdirSync(at("shards"));
  write("shards/model-1.safetensors", { "emb.weight": base["emb.weight"] }, { format: "pt" });
  write(
    "shards/model-2.safetensors",
    { "enc.bias": base["enc.bias"], "head.weight": base["head.weight"] },
    { format: "pt" },
  );
  writeFileSync(
    at("shards/model.safetensors.index.json"),
    JSON.stringify({
      weight_map: {
        "emb.weight": "model-1.safetensors",
        "enc.bias": "model-2.safetensors",
        "head.weight": "model-2.safetensors",
      },
    }),
  );
  writeFileSync(at("broken.safetensors"), "nonsense, and not very long");
});

async function run(a: string, b: string, options: DiffCommandOptions = {}) {
  const lines: string[] = [];
  const outcome = await diff(at(a), at(b), options, (line) => lines.push(line));
  return { ...outcome, text: lines.join("\n") };
}

test("says which tensors differ, by how much, and in which rows", async () => {
  const { text, differs, moved } = await run("a.safetensors", "b.safetensors");
  expect([differs, moved]).toEqual([true, []]);
  expect(text).toMatch(/emb\.weight +changed +2 of 12 .* \[4:6\]/);
  expect(text).toMatch(/head\.weight +changed +1 of 2 /);
  expect(text).not.toContain("enc.bias");
  expect(text).toContain("1 of 3 tensors are the same, bit for bit.");
  expect(text).toContain("Metadata differ: format.");
  expect((await run("a.safetensors", "b.safetensors", { all: true })).text).toMatch(/enc\.bias +same/);
});

test("a folder of shards is the same as one file", async () => {
  const { differs, text } = await run("a.safetensors", "shards");
  expect(differs).toBe(false);
  expect(text).toBe("All 3 tensors are the same, bit for bit.");
});

describe("--expect-frozen", () => {
  test.each([
    [["enc.**"], []],
    [["emb.weight[:4]"], []],
    [["emb.weight[:, 0]", "enc.*"], []],
    [["**", "!emb.weight[4:]", "!head.**"], []],
    [["!emb.weight[4:]", "!head.**"], []],
    [["emb.weight[:5]"], ["emb.weight"]],
    [["emb.weight[:, 1]"], ["emb.weight"]],
    [["**"], ["emb.weight", "head.weight"]],
  ])("%j", async (expectFrozen, expected) => {
    const { moved, text } = await run("a.safetensors", "b.safetensors", { expectFrozen });
    expect([...moved].sort()).toEqual(expected);
    expect(text).toMatch(expected.length === 0 ? /None of the .* has moved\.$/ : /MOVED {2}/);
  });

  test("what is missing, or has another dtype, has moved", async () => {
    write("less.safetensors", { "enc.bias": tensor([1, 2]).to("f64"), "head.weight": tensor([[1, 2]]) });
    const { moved } = await run("a.safetensors", "less.safetensors", { expectFrozen: ["**"] });
    expect([...moved].sort()).toEqual(["emb.weight", "enc.bias"]);
  });

  test.each([
    [["encoder.**"], SelectorError, /names no tensor\. Nearest: /],
    [["emb.weight[7]"], IndexError, /7 is outside a dimension of 6/],
  ])("%j cannot be answered", async (expectFrozen, kind, message) => {
    const failed = run("a.safetensors", "b.safetensors", { expectFrozen });
    await expect(failed).rejects.toThrow(kind);
    await expect(failed).rejects.toThrow(message);
  });
});

test("--json is JSON alone", async () => {
  const { text } = await run("a.safetensors", "b.safetensors", {
    json: true,
    expectFrozen: ["emb.weight[:5]"],
  });
  const found = JSON.parse(text);
  expect(found).toMatchObject({
    same: 1,
    moved: ["emb.weight"],
    expectedFrozen: ["emb.weight"],
    metadata: ["format"],
  });
  expect(found.tensors.find(({ name }: { name: string }) => name === "emb.weight")).toMatchObject({
    kind: "changed",
    before: { dtype: "F32", shape: [6, 2] },
    change: { changed: 2, counted: 1, rows: [[4, 6]] },
  });
});

test("inspect lists tensors, figures and metadata", () => {
  const lines: string[] = [];
  inspect(at("a.safetensors"), { stats: true }, (line) => lines.push(line));
  const text = lines.join("\n");
  expect(text).toMatch(/emb\.weight +F32 +\[6, 2\] +12 +48 +0\.000 +5\.000 +2\.500/);
  expect(text).toContain("F32: 3 tensors, 16 elements, 64 bytes");
  expect(text).toContain("format = pt");
  const json: string[] = [];
  inspect(at("shards"), { json: true }, (line) => json.push(line));
  expect(JSON.parse(json.join("\n"))).toMatchObject({ tensors: { length: 3 }, files: { length: 2 } });
});

test("bad input is told from differences", async () => {
  await expect(run("a.safetensors", "nowhere.safetensors")).rejects.toThrow(FileError);
  await expect(run("broken.safetensors", "a.safetensors")).rejects.toThrow(SafetensorsError);
  await expect(run("a.safetensors", "b.safetensors", { map: "nothing" })).rejects.toThrow(ArgumentError);
});

test("the exit status is 0, 1 where something has moved, 2 where nothing can be said", () => {
  const status = (...args: string[]): number | null =>
    spawnSync(process.execPath, ["--import", "tsx", main, "diff", ...args], { encoding: "utf8" }).status;
  const [a, b] = [at("a.safetensors"), at("b.safetensors")];
  expect(status(a, b)).toBe(0);
  expect(status(a, b, "--exit-code")).toBe(1);
  expect(status(a, a, "--exit-code")).toBe(0);
  expect(status(a, b, "--expect-frozen", "enc.**", "--expect-frozen", "emb.weight[:4]")).toBe(0);
  expect(status(a, b, "--expect-frozen", "**")).toBe(1);
  expect(status(a, b, "--expect-frozen", "nothing")).toBe(2);
  expect(status(a, at("broken.safetensors"))).toBe(2);
});
