import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
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
import { withSource } from "../../src/cli/with-source.ts";
import { built } from "../built.ts";

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
  expect(text).toContain("1 of 3 tensors are the same, bit for bit; 2 changed.");
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
    expect(text).toMatch(expected.length === 0 ? /None of .* has moved\.$/ : /MOVED {2}/);
  });

  test("what is missing, or has another dtype, has moved", async () => {
    write("less.safetensors", { "enc.bias": tensor([1, 2]).to("f64"), "head.weight": tensor([[1, 2]]) });
    const { moved } = await run("a.safetensors", "less.safetensors", { expectFrozen: ["**"] });
    expect([...moved].sort()).toEqual(["emb.weight", "enc.bias"]);
  });

  test("a buffer that one side lacks has not", async () => {
    const ids = tensor([[0, 1, 2]], { dtype: "i32" });
    const weights = { "emb.weight": tensor([[1, 2]]) };
    const buffers = {
      "emb.position_ids": ids,
      "emb.token_type_ids": ids.to("f32"),
      "norm.num_batches_tracked": ids.to("u8"),
      "attn.mask": ids.to("bool"),
    };
    write("with.safetensors", { ...weights, ...buffers });
    write("without.safetensors", weights);
    const expectFrozen = ["**"];
    const lost = await run("with.safetensors", "without.safetensors", { expectFrozen });
    expect(lost.moved).toEqual([]);
    expect(lost.text).toContain("Not in B, and a buffer, which training does not move: emb.position_ids\n");
    expect(lost.text).toMatch(/None of 5 tensors .* has moved\.$/);
    expect((await run("without.safetensors", "with.safetensors", { expectFrozen })).moved).toEqual([]);
    // One that is there and other than it was has moved; so have statistics and packed weights that are gone.
    write("other.safetensors", { ...weights, ...buffers, "emb.position_ids": ids.add(1) });
    expect((await run("with.safetensors", "other.safetensors", { expectFrozen })).moved).toEqual([
      "emb.position_ids",
    ]);
    write("packed.safetensors", { ...weights, "a.qweight": ids, "norm.running_mean": tensor([1]) });
    const { moved } = await run("packed.safetensors", "without.safetensors", { expectFrozen });
    expect([...moved].sort()).toEqual(["a.qweight", "norm.running_mean"]);
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

test("what has moved is told with its rows and measure, of the region that is meant", async () => {
  const { text } = await run("a.safetensors", "b.safetensors", {
    expectFrozen: ["emb.weight[:5]", "head.weight"],
  });
  expect(text).toContain(
    "MOVED  emb.weight[:5]: 1 element, by 5.000 at most, L2 5.000, rows [4]\n" +
      "MOVED  head.weight: 1 element, by 1.000 at most, L2 1.000, rows [0]\n" +
      '2 of 2 tensors expected to be frozen ("emb.weight[:5]", "head.weight") moved.',
  );
});

test("--json is JSON alone", async () => {
  const { text } = await run("a.safetensors", "b.safetensors", {
    json: true,
    expectFrozen: ["emb.weight[:5]"],
  });
  const measures = { maxChange: 5, onlyBits: 0, unmeasured: 0 };
  expect(JSON.parse(text)).toMatchObject({
    a: at("a.safetensors"),
    b: at("b.safetensors"),
    differs: true,
    same: 1,
    prefixes: [],
    metadata: ["format"],
    expectFrozen: {
      selectors: ["emb.weight[:5]"],
      tensors: 1,
      moved: [
        {
          name: "emb.weight",
          region: "[:5]",
          kind: "changed",
          change: { changed: 1, norm: 5, rows: [[4, 5]], ...measures },
        },
      ],
    },
    tensors: [
      {
        name: "emb.weight",
        to: null,
        kind: "changed",
        compared: true,
        before: { dtype: "F32", shape: [6, 2], file: at("a.safetensors") },
        after: { dtype: "F32", shape: [6, 2], file: at("b.safetensors") },
        change: { elements: 12, changed: 2, rows: [[4, 6]], rowsChanged: 2, rounded: null, ...measures },
      },
      { name: "head.weight", kind: "changed", change: { within: null } },
    ],
  });
});

test("--json has all tensors with --all, and no expectation where none was given", async () => {
  const { text } = await run("a.safetensors", "shards", { json: true, all: true });
  const { expectFrozen, differs, tensors } = JSON.parse(text);
  expect([expectFrozen, differs, tensors.length]).toEqual([null, false, 3]);
});

test("a table fits the terminal: names lose their middle, then columns go", async () => {
  const name = `model.${"layers.".repeat(20)}weight`;
  write("long-a.safetensors", { [name]: tensor([1]) });
  write("long-b.safetensors", { [name]: tensor([2]) });
  for (const columns of [140, 100, 70]) {
    const { text } = await run("long-a.safetensors", "long-b.safetensors", { columns });
    const [head, , row] = text.split("\n") as [string, string, string];
    expect(Math.max(head.length, row.length)).toBeLessThanOrEqual(columns);
    expect(row).toMatch(/^model\..*….*weight +changed .* 1\.000/);
    expect(head.includes("bits")).toBe(columns > 70);
  }
  expect((await run("long-a.safetensors", "long-b.safetensors")).text).toContain(name);
});

test("--rows limits ranges", async () => {
  const rows = (...of: number[]) => tensor(Array.from({ length: 9 }, (_, row) => [of.includes(row) ? 1 : 0]));
  write("rows-a.safetensors", { w: rows() });
  write("rows-b.safetensors", { w: rows(0, 2, 3, 4, 6, 8) });
  const of = async (limit: number) =>
    (await run("rows-a.safetensors", "rows-b.safetensors", { rows: limit })).text;
  expect(await of(4)).toContain("[0, 2:5, 6, 8]");
  expect(await of(2)).toContain("[0, 2:5, …] 6 rows");
});

test("what became of dtypes, shapes, names and bits is said", async () => {
  const values = tensor([
    [1.001, 2],
    [3, 4],
  ]);
  const minusZero = tensor([0, 5]).neg();
  write("was.safetensors", {
    bits: tensor([0, -5]),
    infinite: tensor([1, 2]),
    lost: tensor([7]),
    narrow: values,
    old: tensor([1, 2, 3]),
    rough: values,
    shape: values,
    wide: values,
  });
  write("is.safetensors", {
    bits: minusZero,
    infinite: tensor([Number.POSITIVE_INFINITY, 2]),
    narrow: values.to("bf16"),
    new: tensor([1, 2, 3]),
    rough: values.add(1).to("bf16"),
    shape: values.reshape([4]),
    wide: values.to("f64"),
  });
  const { text } = await run("was.safetensors", "is.safetensors", { expectFrozen: ["**"] });
  for (const line of [
    /^bits +changed, all in bits only \(±0, NaN\) +1 of 2 +1 +0 /m,
    /^infinite +changed, 1 NaN or infinite on a side +1 of 2 /m,
    /^lost +missing /m,
    /^narrow +F32 → BF16, rounded to nearest +1 of 4 /m,
    /^old +renamed to new /m,
    /^rough +F32 → BF16, values changed +4 of 4 /m,
    /^shape +\[2,2\] → \[4\], values the same /m,
    /^wide +F32 → F64, values the same /m,
    /^0 of 8 tensors are the same, bit for bit; 2 changed, 1 missing, 3 re-typed, 1 renamed, 1 re-shaped\.$/m,
    /^MOVED {2}old: renamed to new$/m,
    /^MOVED {2}lost: missing$/m,
    /^MOVED {2}narrow: F32 → BF16, rounded to nearest, 1 element/m,
    /^8 of 8 tensors expected/m,
  ])
    expect(text).toMatch(line);
});

test("names cannot steer a terminal", async () => {
  const name = "w\u001b[2J\u009b\u202e";
  write("escape.safetensors", { [name]: tensor([1]) }, { "k\u001b": "v" });
  const { text } = await run("escape.safetensors", "a.safetensors");
  expect(text).toContain("w\\u001b[2J\\u009b\\u202e");
  expect(text).toContain("Metadata differ: k\\u001b, format.");
  expect(text.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
});

test("prefixes are named", async () => {
  const tensors = { "emb.weight": tensor([1, 2]), "enc.bias": tensor([3]) };
  write("plain.safetensors", tensors);
  write(
    "peft.safetensors",
    Object.fromEntries(Object.entries(tensors).map(([name, value]) => [`base_model.model.${name}`, value])),
  );
  expect((await run("plain.safetensors", "peft.safetensors", { expectFrozen: ["enc.**"] })).text).toBe(
    'Names that begin with "" in A begin with "base_model.model." in B.\n' +
      "All 2 tensors are the same, bit for bit.\n" +
      'None of 1 tensor expected to be frozen ("enc.**") has moved.',
  );
  const { differs } = await run("peft.safetensors", "plain.safetensors", { map: ["base_model.model.="] });
  expect(differs).toBe(false);
});

describe("bad input is told from differences", () => {
  test("files that cannot be read, or are something else", async () => {
    await expect(run("a.safetensors", "nowhere.safetensors")).rejects.toThrow(FileError);
    await expect(run("broken.safetensors", "a.safetensors")).rejects.toThrow(SafetensorsError);
    writeFileSync(at("cut.safetensors"), readFileSync(at("a.safetensors")).subarray(0, -1));
    await expect(run("a.safetensors", "cut.safetensors")).rejects.toThrow(/truncated/);
    await expect(run("a.safetensors", "b.safetensors", { map: ["nothing"] })).rejects.toThrow(ArgumentError);
    await expect(run("a.safetensors", "b.safetensors", { map: ["x.=y."] })).rejects.toThrow(/begins no name/);
  });

  test.each([
    [
      "PK\u0003\u0004 and what torch.save writes",
      /m\.bin is a file of torch\.save .*never unpickles.*"m\.safetensors"\)$/,
    ],
    ["\u0080\u0002 and what pickle writes", /never unpickles/],
    ["version https://git-lfs.github.com/spec/v1", /git lfs pull/],
    ["<!DOCTYPE html><html>", /HTML/],
    ["GGUF and the rest", /GGUF/],
  ])("%j", async (text, message) => {
    writeFileSync(at("m.bin"), text, "latin1");
    await expect(run("a.safetensors", "m.bin")).rejects.toThrow(message);
  });

  test("a folder without safetensors", async () => {
    mkdirSync(at("folder"), { recursive: true });
    await expect(run("a.safetensors", "folder")).rejects.toThrow(/no \.safetensors file in the folder/);
    writeFileSync(at("folder/pytorch_model.bin"), "");
    await expect(run("a.safetensors", "folder")).rejects.toThrow(/pytorch_model\.bin is a pickle/);
  });

  test("one path twice says so, and can show nothing to have stayed", async () => {
    const { text } = await run("a.safetensors", "shards/../a.safetensors");
    expect(text).toMatch(/^A and B are both .*\nAll 3 tensors are the same/);
    await expect(run("a.safetensors", "a.safetensors", { expectFrozen: ["**"] })).rejects.toThrow(
      /cannot show what has moved/,
    );
  });

  test("selectors that leave nothing", async () => {
    const expectFrozen = ["enc.**", "!**"];
    await expect(run("a.safetensors", "b.safetensors", { expectFrozen })).rejects.toThrow(/leaves nothing/);
  });

  test("a file that is written to while it is read", async () => {
    write("written.safetensors", { w: tensor([1]) });
    const path = at("written.safetensors");
    await expect(
      withSource(path, { progress: false }, () => {
        writeFileSync(path, readFileSync(path));
        utimesSync(path, 1, 1);
      }),
    ).rejects.toThrow(/written\.safetensors was written to while it was read/);
    // Replaced, as savers do, it is read as it was.
    const replace = (): void => {
      write("other.safetensors", { w: tensor([2]) });
      renameSync(at("other.safetensors"), path);
    };
    await withSource(path, { progress: false }, (source) => {
      replace();
      const bytes = new Uint8Array(4);
      source.read("w", bytes, 0);
      expect(new Float32Array(bytes.buffer)[0]).toBe(1);
    });
  });
});

test("the exit status is 0, 1 where something has moved, 2 where nothing can be said", () => {
  const status = (...args: string[]): number | null =>
    spawnSync(process.execPath, [built("cli/main.js"), "diff", ...args], { encoding: "utf8" }).status;
  const [a, b] = [at("a.safetensors"), at("b.safetensors")];
  expect(status(a, b)).toBe(0);
  expect(status(a, b, "--exit-code")).toBe(1);
  expect(status(a, a, "--exit-code")).toBe(0);
  expect(status(a, b, "--expect-frozen", "enc.**", "--expect-frozen", "emb.weight[:4]")).toBe(0);
  expect(status(a, b, "--expect-frozen", "**")).toBe(1);
  expect(status(a, b, "--expect-frozen", "nothing")).toBe(2);
  expect(status(a, at("broken.safetensors"))).toBe(2);
  expect(status(a)).toBe(2);
  expect(status(a, b, "--expect-thawed")).toBe(2);
});
