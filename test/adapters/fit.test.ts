import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualSeed } from "thaw";
import {
  autoModel,
  disableAdapters,
  fit as fitTo,
  loadAdapter,
  lora,
  mergeAndUnload,
  readData,
  readTokenizer,
  saveAdapter,
} from "thaw/models";
import { afterAll, expect, test } from "vitest";
import { tinyFolder, tinyTexts } from "../models/tiny-folder.ts";

// `fit` is called `fitTo` here: the linter takes the other for a test that is to run alone.
const top = mkdtempSync(join(tmpdir(), "thaw-adapters-fit-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

test("fit trains an adapter and a head: they are saved alone, or with the base, and give the same", async () => {
  const base = await tinyFolder(top);
  const tokenizer = await readTokenizer(base);
  const { train, test: held } = await readData(tinyTexts(top), {
    split: { test: 0.2, stratify: true, seed: 1 },
  });
  const opened = () => {
    manualSeed(3);
    return autoModel(base, { task: "classify", labels: train.labels });
  };
  const model = lora(await opened(), {
    targetModules: "all-linear",
    rank: 4,
    dropout: 0.1,
    modulesToSave: ["classifier"],
  });
  const valuesOf = () =>
    new Map([...model.stateDict()].map(([path, value]) => [path, value.dataSync().slice()]));
  const before = disableAdapters(model, valuesOf);
  const run = await fitTo(model, {
    train,
    eval: held,
    epochs: 4,
    batch: 8,
    lr: 1e-2,
    best: "loss",
    seed: 1,
  });
  const losses = run.history.map(({ trainLoss }) => trainLoss);
  expect(losses.at(-1)!).toBeLessThan(losses[0]!);
  const after = disableAdapters(model, valuesOf);
  for (const [path, values] of before)
    if (!path.includes(".lora_")) expect(after.get(path), path).toEqual(values);

  const inputs = tokenizer.encode(["a text", "another"], { maxLength: 16 });
  const logits = async (of: typeof model) => (await of.forward(inputs).data()) as Float32Array;
  const live = await logits(model);
  saveAdapter(model, join(top, "adapter"));
  expect(await logits(await loadAdapter(await opened(), join(top, "adapter")))).toEqual(live);
  // A folder of the adapter with what texts need beside it; autoModel opens its base as well.
  await model.savePretrained(join(top, "beside"));
  expect(readdirSync(join(top, "beside")).sort()).toEqual([
    "adapter_config.json",
    "adapter_model.safetensors",
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
  ]);
  const beside = await autoModel(join(top, "beside"), { task: "classify" });
  expect(beside.labels).toEqual(model.labels);
  expect(await logits(beside as typeof model)).toEqual(live);
  rmSync(base, { recursive: true });
  await expect(autoModel(join(top, "beside"), { task: "classify" })).rejects.toThrow(
    /which is no folder here/,
  );
  await mergeAndUnload(model).savePretrained(join(top, "tuned"));
  const tuned = await autoModel(join(top, "tuned"), { task: "classify" });
  for (const [i, x] of (await logits(tuned)).entries()) expect(x).toBeCloseTo(live[i]!, 4);
});
