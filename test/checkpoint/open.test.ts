import { copyFileSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { FileError, SafetensorsError, ThawError } from "../../src/base/errors.ts";
import { openTensors, writeSafetensors } from "../../src/checkpoint/index.ts";
import { fileOf } from "./bytes.ts";
import { temporaryFolder } from "./folder.ts";

const sharded = fileURLToPath(new URL("../oracle/safetensors/sharded", import.meta.url));

/** The names in what a path opens. */
function namesOf(path: string): string[] {
  const source = openTensors(path);
  source.close();
  return [...source.entries.keys()];
}

/** A folder with files of one tensor each, which is called as the file is. */
function folderWith(...files: string[]): string {
  const folder = temporaryFolder();
  for (const file of files) writeSafetensors(join(folder, file), { [file]: tensor([1]) });
  return folder;
}

function index(folder: string, weightMap: unknown, name = "model.safetensors.index.json"): string {
  const path = join(folder, name);
  writeFileSync(path, typeof weightMap === "string" ? weightMap : JSON.stringify({ weight_map: weightMap }));
  return path;
}

test("reads any piece of a tensor, and what its file says", () => {
  const path = join(temporaryFolder(), "a.safetensors");
  writeSafetensors(path, { x: tensor([1, 2, 3]), y: tensor([4]) }, { metadata: { format: "pt" } });
  const source = openTensors(path);
  expect({ ...source.metadata }).toEqual({ format: "pt" });
  const { dtype, shape, begin, end, file } = source.entries.get("x")!;
  expect([dtype, shape, end - begin, file]).toEqual(["F32", [3], 12, path]);
  const two = new Float32Array(2);
  expect([source.read("x", new Uint8Array(two.buffer), 4), ...two]).toEqual([8, 2, 3]);
  // Not beyond its end, into the next.
  expect([source.read("x", new Uint8Array(two.buffer), 8), ...two]).toEqual([4, 3, 3]);
  expect(source.read("x", new Uint8Array(two.buffer), 12)).toBe(0);
  expect(() => source.read("z", new Uint8Array(1), 0)).toThrow(`There is no tensor "z" in ${path}`);
  source.close();
});

test("a file that becomes shorter while it is open is told", () => {
  const path = join(temporaryFolder(), "a.safetensors");
  writeSafetensors(path, { x: tensor([1, 2, 3]) });
  const source = openTensors(path);
  truncateSync(path, source.entries.get("x")!.end - 4);
  expect(() => source.read("x", new Uint8Array(12), 0)).toThrow("has become shorter since it was opened");
  source.close();
});

test("a tensor beyond 4 GiB", () => {
  const path = join(temporaryFolder(), "a.safetensors");
  const size = 5 * 2 ** 30;
  const header = fileOf({
    large: { dtype: "U8", shape: [size], data_offsets: [0, size] },
    last: { dtype: "U8", shape: [2], data_offsets: [size, size + 2] },
  });
  writeFileSync(path, header);
  truncateSync(path, header.length + size + 2);
  const fs = process.getBuiltinModule("node:fs");
  const file = fs.openSync(path, "r+");
  fs.writeSync(file, Uint8Array.of(5, 7, 8), 0, 3, header.length + size - 1);
  fs.closeSync(file);
  const source = openTensors(path);
  const bytes = new Uint8Array(2);
  expect([source.read("last", bytes, 0), ...bytes]).toEqual([2, 7, 8]);
  expect([source.read("large", bytes, size - 1), bytes[0]]).toEqual([1, 5]);
  source.close();
});

describe("folders and indices, as Hugging Face writes them", () => {
  test("shards are one source", () => {
    for (const path of [sharded, join(sharded, "model.safetensors.index.json")]) {
      const source = openTensors(path);
      expect([...source.entries].map(([name, { file }]) => [name, file])).toEqual([
        ["bias", join(sharded, "model-00002-of-00002.safetensors")],
        ["weight", join(sharded, "model-00001-of-00002.safetensors")],
      ]);
      expect({ ...source.metadata }).toEqual({ format: "pt" });
      source.close();
    }
  });

  test("one file, however it is called; of several the usual one", () => {
    expect(namesOf(folderWith("x.safetensors"))).toEqual(["x.safetensors"]);
    expect(namesOf(folderWith("a.safetensors", "model.safetensors"))).toEqual(["model.safetensors"]);
    expect(namesOf(folderWith("adapter_model.safetensors", "z.safetensors"))).toEqual([
      "adapter_model.safetensors",
    ]);
  });

  test("files that are links to elsewhere, as in its cache", () => {
    const folder = temporaryFolder();
    symlinkSync(join(folderWith("blob"), "blob"), join(folder, "model.safetensors"));
    expect(namesOf(folder)).toEqual(["blob"]);
  });

  test("metadata on which shards disagree is left out", () => {
    const folder = temporaryFolder();
    writeSafetensors(join(folder, "a.safetensors"), { a: tensor([1]) }, { metadata: { x: "1", y: "1" } });
    writeSafetensors(join(folder, "b.safetensors"), { b: tensor([1]) }, { metadata: { x: "1", y: "2" } });
    const source = openTensors(index(folder, { a: "a.safetensors", b: "b.safetensors" }));
    expect({ ...source.metadata }).toEqual({ x: "1" });
    source.close();
  });

  test("none, several, or none that is there", () => {
    expect(() => openTensors(temporaryFolder())).toThrow("There is no .safetensors file in the folder");
    expect(() => openTensors(folderWith("a.safetensors", "b.safetensors"))).toThrow(
      "has 2 files that could be meant: a.safetensors, b.safetensors. Name one of them.",
    );
    expect(() => openTensors(join(temporaryFolder(), "no"))).toThrow(FileError);
    const folder = temporaryFolder();
    mkdirSync(join(folder, "model.safetensors"));
    expect(() => openTensors(folder)).toThrow("it is not a file");
  });

  test("an index must be true", () => {
    const folder = folderWith("a.safetensors");
    copyFileSync(join(folder, "a.safetensors"), join(folder, "b.safetensors"));
    const opened = (weightMap: unknown) => () => openTensors(index(folder, weightMap));
    expect(opened({ x: "a.safetensors", y: "a.safetensors" })).toThrow(
      '"x" is in a.safetensors; it is not, and 1 more are not where it says',
    );
    expect(opened({ "a.safetensors": "a.safetensors", x: "b.safetensors" })).toThrow("is both in");
    expect(opened({ x: "c.safetensors" })).toThrow(FileError);
    for (const text of [
      "[".repeat(30_000_000),
      `{"weight_map":{"a":${"[".repeat(1000)}`,
      "",
      "[]",
      "null",
      "1",
      '{"weight_map":[]}',
      '{"weight_map":null}',
      "\u0000",
      "{",
    ])
      expect(opened(text), text.slice(0, 99)).toThrow("is no index of safetensors files");
  });

  test("an index must not leave its folder", () => {
    const folder = folderWith("a.safetensors");
    mkdirSync(join(folder, "inner"));
    const names = ["../a.safetensors", join(folder, "a.safetensors"), "..\\a.safetensors", "C:a.safetensors"];
    for (const name of [
      ...names,
      "a\0.safetensors",
      ".safetensors/../../a.safetensors",
      "a.bin",
      "",
      1,
      {},
      null,
      { toString: 1 },
    ])
      expect(
        () => openTensors(index(join(folder, "inner"), { x: name })),
        String(JSON.stringify(name)),
      ).toThrow("which is not the name of a .safetensors file beside it");
  });
});

test("what is large only by its own word is not brought into memory", () => {
  const folder = temporaryFolder();
  const path = join(folder, "a.safetensors");
  const before = process.memoryUsage().arrayBuffers;
  for (const length of [100_000_001n, 2n ** 63n, 2n ** 64n - 1n]) {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, length, true);
    writeFileSync(path, bytes);
    truncateSync(path, 2 ** 40);
    expect(() => openTensors(path)).toThrow(SafetensorsError);
  }
  const json = join(folder, "a.safetensors.index.json");
  writeFileSync(json, "{");
  truncateSync(json, 2 ** 40);
  expect(() => openTensors(json)).toThrow("100000000 at most");
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
});

test("errors name the file", () => {
  const path = join(temporaryFolder(), "a.safetensors");
  writeFileSync(path, "no safetensors");
  expect(() => openTensors(path)).toThrow(ThawError);
  expect(() => openTensors(path)).toThrow(path);
});
