import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load, save, writeSafetensors } from "thaw/checkpoint";
import { freeze, unfreeze } from "thaw/freeze";
import * as nn from "thaw/nn";
import * as optim from "thaw/optim";
import { ones, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { afterAll, expect, test } from "vitest";
import { SafetensorsError } from "../../src/base/errors.ts";
import { type InspectOptions, inspect } from "../../src/cli/inspect.ts";

const folder = mkdtempSync(join(tmpdir(), "thaw-inspect-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

async function run(name: string, options: InspectOptions = {}): Promise<string> {
  const lines: string[] = [];
  await inspect(at(name), options, (line) => lines.push(line));
  return lines.join("\n");
}

const mixed = new Map([
  ["a.weight", tensor([[0, 5, 1.5]])],
  ["b", tensor([1, 2]).to("bf16")],
  ["c", tensor([Number.NaN, Number.NaN])],
]);

test("lists tensors, totals and metadata", async () => {
  writeSafetensors(at("mixed.safetensors"), mixed, { metadata: { format: "pt", long: "x".repeat(1000) } });
  const text = await run("mixed.safetensors");
  expect(text).toMatch(/^a\.weight +F32 +\[1, 3\] +3 +12$/m);
  expect(text).toContain("F32: 2 tensors, 5 elements, 20 bytes\nBF16: 1 tensor, 2 elements, 4 bytes\n");
  expect(text).toContain("In all: 3 tensors, 7 elements, 24 bytes\n");
  expect(text).toContain("format = pt\n");
  expect(text).toMatch(/^long = x{200}… \(1,000 characters\)$/m);
});

test("--stats reads values", async () => {
  writeSafetensors(at("mixed.safetensors"), mixed, {});
  const text = await run("mixed.safetensors", { stats: true });
  expect(text).toMatch(/^a\.weight .* 12 +0\.000 +5\.000 +2\.167 +2\.095 +0 +0$/m);
  expect(text).toMatch(/^c .* NaN +NaN +NaN +NaN +2 +0$/m);
});

test("--json is JSON alone", async () => {
  writeSafetensors(at("mixed.safetensors"), mixed, { metadata: { format: "pt" } });
  expect(JSON.parse(await run("mixed.safetensors", { json: true, stats: true }))).toMatchObject({
    path: at("mixed.safetensors"),
    files: [at("mixed.safetensors")],
    metadata: { format: "pt" },
    checkpoint: null,
    tensors: {
      length: 3,
      0: { name: "a.weight", dtype: "F32", shape: [1, 3], elements: 3, bytes: 12, statistics: { max: 5 } },
    },
  });
});

test("shards are listed as one", async () => {
  mkdirSync(at("shards"));
  const map: Record<string, string> = {};
  for (const name of ["a", "b"]) {
    map[name] = `model-${name}.safetensors`;
    writeSafetensors(at(`shards/${map[name]}`), new Map([[name, tensor([1])]]), {});
  }
  writeFileSync(at("shards/model.safetensors.index.json"), JSON.stringify({ weight_map: map }));
  const text = await run("shards");
  expect(text).toContain("F32: 2 tensors");
  expect(text).toMatch(/In 2 files: .*model-a\.safetensors, .*model-b\.safetensors/);
});

test("a checkpoint of thaw is summed up: its optimizer and what is frozen", async () => {
  const module = new nn.Linear(3, 2);
  const optimizer = new optim.AdamW(module, { lr: 0.1 });
  const step = (): void => {
    optimizer.zeroGrad();
    module
      .forward(ones([1, 3]))
      .sum()
      .backward();
    optimizer.step();
  };
  step();
  freeze(module, "weight");
  step();
  save(at("checkpoint.safetensors"), { module, optimizer });
  const text = await run("checkpoint.safetensors");
  expect(text).toContain(
    "Optimizer: AdamW, 2 states in 4 of the tensors, 64 bytes, at step 1 to 2.\nFrozen: weight.",
  );
  expect(text).not.toContain("thaw = ");
  expect(JSON.parse(await run("checkpoint.safetensors", { json: true })).checkpoint).toMatchObject({
    optimizer: { name: "AdamW", states: 2, tensors: 4, bytes: 64, steps: [1, 2] },
    frozen: ["weight"],
  });
});

test("what a step's `trains` left out was frozen too: whole, in part, and beside what was set to be", async () => {
  const module = new nn.Sequential(new nn.Embedding(6, 2), new nn.Linear(2, 2), new nn.Linear(2, 2));
  const optimizer = new optim.SGD(module, { lr: 0.1 });
  save(at("left-out.safetensors"), { module, optimizer });
  expect(await run("left-out.safetensors")).toContain("Frozen: nothing.");
  const step = trainStep(optimizer, {
    loss: (ids: Tensor) => module.forward(ids).sum(),
    trains: ["2.**", "0.weight[4:]"],
  });
  await step(tensor([1, 5], { dtype: "i32" }));
  const summary = async () => JSON.parse(await run("left-out.safetensors", { json: true })).checkpoint;
  // The step itself need not be saved.
  save(at("left-out.safetensors"), { module, optimizer });
  const left = ["0.weight[:4]", "1.weight", "1.bias"];
  expect(await summary()).toMatchObject({ frozen: left, leftOut: left });
  expect(await run("left-out.safetensors")).toContain(
    "Frozen: 0.weight[:4], 1.weight, 1.bias.\nThe last step left them out: its `trains` named the others.",
  );
  freeze(module, ["1.weight", "2.bias"]);
  await step(tensor([1, 5], { dtype: "i32" }));
  save(at("left-out.safetensors"), { module, optimizer });
  expect(await summary()).toMatchObject({ frozen: ["1.weight", "2.bias", "0.weight[:4]", "1.bias"] });
  expect(await run("left-out.safetensors")).toContain("Of these the last step left out 2:");
  // What was only left out is not set to be frozen by a load.
  load(at("left-out.safetensors"), { module, frozen: true });
  expect(module.namedParameters().map(([, p]) => p.frozen)).toEqual([false, true, false, false, true]);
  // Another step has the last word.
  unfreeze(module, "**");
  await trainStep(optimizer, { loss: (ids: Tensor) => module.forward(ids).sum(), trains: "**" })(
    tensor([1, 5], { dtype: "i32" }),
  );
  save(at("left-out.safetensors"), { module, optimizer });
  expect(await run("left-out.safetensors")).toContain("Frozen: nothing.");
});

test.each([
  "no JSON",
  "[1]",
  '{"arithmetic": 1}',
  '{"arithmetic": "x", "frozen": 3, "optimizer": {"state": [1]}}',
])("metadata that only look like a checkpoint's do no harm: %s", async (thaw) => {
  writeSafetensors(at("odd.safetensors"), mixed, { metadata: { thaw } });
  expect(await run("odd.safetensors")).toContain("In all: 3 tensors");
});

test("what is no safetensors file is refused", async () => {
  writeFileSync(at("broken.safetensors"), "nonsense, and not very long");
  await expect(run("broken.safetensors")).rejects.toThrow(SafetensorsError);
});
