import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type nn, noGrad, randn, readSafetensors, type Tensor, writeSafetensors } from "thaw";
import { autoModel, loadAdapter, lora, saveAdapter } from "thaw/models";
import { afterAll, expect, test } from "vitest";
import { inputsOf } from "../models/fixtures/fixture.ts";
import { baseModel } from "./fixtures/fixture.ts";

// Heads in folders of adapters: PEFT has its own mind about which modules are trained whole.

const folder = mkdtempSync(join(tmpdir(), "thaw-adapter-heads-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let made = 0;
const place = () => join(folder, String(made++));
const prefix = "base_model.model.";

/** Changes files of an adapter. */
function change(
  at: string,
  {
    config = {},
    names = (name) => [name],
  }: { config?: Record<string, unknown>; names?: (name: string) => string[] },
): void {
  const [file, json] = [join(at, "adapter_model.safetensors"), join(at, "adapter_config.json")];
  const tensors = [...readSafetensors(file)].flatMap(([name, value]) =>
    names(name).map((one): [string, Tensor] => [one, value]),
  );
  writeSafetensors(file, new Map(tensors));
  writeFileSync(json, JSON.stringify({ ...JSON.parse(readFileSync(json, "utf8")), ...config }));
}

const configOf = (at: string) => JSON.parse(readFileSync(join(at, "adapter_config.json"), "utf8"));
const namesIn = (at: string) =>
  [...readSafetensors(join(at, "adapter_model.safetensors")).keys()].map((name) => name.slice(prefix.length));

/** Gives some parameters other values. */
const moved = (model: nn.Module, ...paths: readonly string[]): void =>
  noGrad(() => {
    for (const [path, p] of model.namedParameters())
      if (paths.includes(path)) p.add_(randn(p.shape).mul(0.2));
  });

test('PEFT takes "classifier" for "pre_classifier" too, in files that are read and in those that are written', async () => {
  const { model, found } = await baseModel(folder, "distilbert-classify");
  lora(model, { targetModules: ["q_lin"], modulesToSave: ["pre_classifier", "classifier"] });
  moved(model, "pre_classifier.weight", "classifier.bias");
  const at = place();
  saveAdapter(model, at);
  change(at, { config: { modules_to_save: ["classifier", "score"] } });
  const other = (await baseModel(folder, "distilbert-classify")).model;
  await loadAdapter(other, at);
  expect(await other.forward(inputsOf(found)).data()).toEqual(await model.forward(inputsOf(found)).data());

  const base = (await baseModel(folder, "distilbert-classify")).model;
  lora(base, { targetModules: ["q_lin"], modulesToSave: ["classifier"] });
  const written = place();
  saveAdapter(base, written);
  expect(configOf(written).modules_to_save).toEqual(["classifier", "pre_classifier"]);
  expect(namesIn(written)).toEqual(
    expect.arrayContaining(["pre_classifier.weight", "pre_classifier.bias", "classifier.weight"]),
  );
  const third = (await baseModel(folder, "distilbert-classify")).model;
  await loadAdapter(third, written);
  expect(await third.forward(inputsOf(found)).data()).toEqual(await base.forward(inputsOf(found)).data());
});

test("biases that PEFT writes twice, under an adapter's name too, are read", async () => {
  const { model, found } = await baseModel(folder, "roberta-classify");
  lora(model, { targetModules: ["query"], bias: "all", modulesToSave: ["classifier"] });
  moved(model, "classifier.dense.bias", "classifier.out_proj.weight");
  const at = place();
  saveAdapter(model, at);
  change(at, {
    names: (name) =>
      name.endsWith("bias") && name.includes("classifier.")
        ? [name, name.replace("classifier.", "classifier.modules_to_save.default.")]
        : [name],
  });
  const other = (await baseModel(folder, "roberta-classify")).model;
  await loadAdapter(other, at, { adapterName: "mine" });
  expect(await other.forward(inputsOf(found)).data()).toEqual(await model.forward(inputsOf(found)).data());
});

test("a classifier's adapter has the head with it, which PEFT asks for, and a base without one does not lose it", async () => {
  const encoder = (await baseModel(folder, "bert-encode")).model;
  const at = place();
  await encoder.savePretrained(at);
  // The encoder's folder has a pooler; without it, that is drawn too.
  const file = join(at, "model.safetensors");
  writeSafetensors(file, new Map([...readSafetensors(file)].filter(([name]) => !name.includes("pooler"))));
  const model = await autoModel(at, { task: "classify", labels: ["a", "b", "c"] });
  lora(model, { targetModules: ["query"], initLoraWeights: false });
  const adapter = place();
  await model.savePretrained(adapter);
  expect(configOf(adapter)).toMatchObject({
    task_type: "SEQ_CLS",
    modules_to_save: ["classifier", "bert.pooler.dense"],
    ensure_weight_tying: false,
  });
  const { found } = await baseModel(folder, "bert-classify");
  const again = await autoModel(adapter, { task: "classify" });
  expect(again.labels).toEqual(["a", "b", "c"]);
  expect(await again.forward(inputsOf(found)).data()).toEqual(await model.forward(inputsOf(found)).data());
});

test("no kind of task is said where PEFT would have the adapted layer trained whole", async () => {
  const { model, found } = await baseModel(folder, "bert-classify");
  lora(model, { targetModules: ["query", "classifier"], initLoraWeights: false });
  const at = place();
  saveAdapter(model, at, { taskType: "SEQ_CLS" });
  expect(configOf(at)).toMatchObject({ task_type: null, modules_to_save: null });
  const other = (await baseModel(folder, "bert-classify")).model;
  await loadAdapter(other, at);
  expect(await other.forward(inputsOf(found)).data()).toEqual(await model.forward(inputsOf(found)).data());
});
