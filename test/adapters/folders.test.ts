import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AdapterError,
  ConfigError,
  FileError,
  ones,
  readSafetensors,
  SafetensorsError,
  writeSafetensors,
} from "thaw";
import { listAdapters, loadAdapter, lora, mergeAndUnload, saveAdapter } from "thaw/models";
import { afterAll, expect, test } from "vitest";
import { inputsOf } from "../models/fixtures/fixture.ts";
import { adapterFixture, baseModel, writePeft } from "./fixtures/fixture.ts";

// Folders of adapters: what is written, and what is refused.

const folder = mkdtempSync(join(tmpdir(), "thaw-adapter-folders-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let made = 0;
const place = () => join(folder, String(made++));
const prefix = "base_model.model.";

/** A folder with an adapter of a fixture, and its tensors changed. */
function changed(kind: string, change: (tensors: Map<string, ReturnType<typeof ones>>) => void): string {
  const at = writePeft(place(), adapterFixture(kind));
  const file = join(at, "adapter_model.safetensors");
  const tensors = readSafetensors(file);
  change(tensors);
  writeSafetensors(file, tensors);
  return at;
}

test("an adapter that is written is read again with the same bits, options and all", async () => {
  const { model, found } = await baseModel(folder, "bert-classify");
  lora(model, {
    targetModules: /.*attention.*(?<part>query|key)/,
    rank: 3,
    alpha: 5,
    dropout: 0.1,
    modulesToSave: ["classifier"],
    bias: "loraOnly",
    useDora: true,
    rankPattern: { "layer.0.*": 2 },
    trainableTokenIndices: { word_embeddings: [9, 4] },
    initLoraWeights: false,
    adapterName: "mine",
  });
  const at = place();
  saveAdapter(model, at, { baseModelName: "some/base", taskType: "SEQ_CLS" });
  expect(readdirSync(at).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
  const config = JSON.parse(readFileSync(join(at, "adapter_config.json"), "utf8"));
  expect(config).toMatchObject({
    peft_type: "LORA",
    base_model_name_or_path: "some/base",
    task_type: "SEQ_CLS",
    target_modules: ".*attention.*(?P<part>query|key)",
    r: 3,
    bias: "lora_only",
    trainable_token_indices: { word_embeddings: [9, 4] },
  });
  const other = (await baseModel(folder, "bert-classify")).model;
  await loadAdapter(other, at, { adapterName: "theirs", baseModelName: "some/base" });
  expect(listAdapters(other)).toEqual({ names: ["theirs"], active: "theirs", merged: false });
  expect(await other.forward(inputsOf(found)).data()).toEqual(await model.forward(inputsOf(found)).data());
  await loadAdapter(other, at);
  expect(listAdapters(other).names).toEqual(["theirs", "default"]);
});

test("a tied adapter is written for both layers, and one that has drifted apart is refused", async () => {
  const { model, found } = await baseModel(folder, "bert-masked-lm");
  lora(model, { targetModules: ["word_embeddings"], rank: 2, initLoraWeights: false });
  const at = place();
  saveAdapter(model, at);
  const file = join(at, "adapter_model.safetensors");
  const tensors = readSafetensors(file);
  const up = `${prefix}cls.predictions.decoder.lora_B.weight`;
  expect([...tensors.keys()]).toContain(up);
  const other = (await baseModel(folder, "bert-masked-lm")).model;
  await loadAdapter(other, at);
  expect(await other.forward(inputsOf(found)).data()).toEqual(await model.forward(inputsOf(found)).data());
  // As PEFT computes without ties of its own: the same.
  const config = JSON.parse(readFileSync(join(at, "adapter_config.json"), "utf8"));
  expect(config.target_modules).toEqual(["bert.embeddings.word_embeddings", "cls.predictions.decoder"]);
  const apart = place();
  mkdirSync(apart);
  writeFileSync(
    join(apart, "adapter_config.json"),
    JSON.stringify({ ...config, ensure_weight_tying: false }),
  );
  writeSafetensors(join(apart, "adapter_model.safetensors"), tensors);
  const untied = (await baseModel(folder, "bert-masked-lm")).model;
  await loadAdapter(untied, apart);
  const tied = model.forward(inputsOf(found));
  const difference = untied.forward(inputsOf(found)).sub(tied).abs().max();
  // The adapter's matrices are drawn anew in each run, and the logits' size with them.
  expect(await difference.item()).toBeLessThan(1e-5 * Number(await tied.abs().max().item()));
  expect(() => mergeAndUnload(untied)).toThrow(/which the adapter "default" leaves as it is/);

  tensors.set(up, ones(tensors.get(up)!.shape));
  writeSafetensors(file, tensors);
  const third = (await baseModel(folder, "bert-masked-lm")).model;
  await expect(loadAdapter(third, at)).rejects.toThrow(
    /for a tied weight.*drifted apart.*ensure_weight_tying to false/s,
  );
  expect(listAdapters(third).names).toEqual([]);
});

test("an adapter of another base is refused by what differs, and the model is as it was", async () => {
  const { model, found } = await baseModel(folder, "bert-classify");
  const before = await model.forward(inputsOf(found)).data();
  const lacks = (name: string) => changed("lora", (tensors) => tensors.delete(prefix + name));
  const query = "bert.encoder.layer.0.attention.self.query.lora_A.weight";
  const cases: [string, RegExp][] = [
    [
      writePeft(place(), adapterFixture("roberta")),
      /does not fit BertForSequenceClassification.*has no place/s,
    ],
    [lacks(query), /query\.lora_A\.weight is missing/],
    [lacks("classifier.weight"), /classifier\.weight is missing/],
    [
      changed("lora", (tensors) => tensors.set(prefix + query, ones([4, 8]))),
      /query\.lora_A\.weight is \[4, 8\], and here it is \[4, 16\]/,
    ],
    [
      changed("lora", (tensors) =>
        tensors.set(`${prefix}bert.embeddings.word_embeddings.weight`, ones([23, 16])),
      ),
      /word_embeddings\.weight, which is of the base, has other values than the model/,
    ],
    [
      writePeft(place(), adapterFixture("lora"), { target_modules: ["q_proj"] }),
      /targetModules \["q_proj"\] names no layer of BertForSequenceClassification/,
    ],
  ];
  for (const [at, message] of cases) {
    await expect(loadAdapter(model, at)).rejects.toThrow(AdapterError);
    await expect(loadAdapter(model, at)).rejects.toThrow(message);
    expect(listAdapters(model).names).toEqual([]);
    expect(model.parameters().some((p) => p.frozen)).toBe(false);
  }
  expect(await model.forward(inputsOf(found)).data()).toEqual(before);
  const at = writePeft(place(), adapterFixture("lora"), { base_model_name_or_path: "bert-large" });
  await expect(loadAdapter(model, at, { baseModelName: "bert-base" })).rejects.toThrow(
    /is an adapter of "bert-large", not of "bert-base"/,
  );
  await loadAdapter(model, at, { adapterName: "first" });
  const first = await model.forward(inputsOf(found)).data();
  await expect(loadAdapter(model, lacks(query))).rejects.toThrow(/missing/);
  expect(listAdapters(model)).toEqual({ names: ["first"], active: "first", merged: false });
  expect(await model.forward(inputsOf(found)).data()).toEqual(first);
});

test("configs that ask for what is not there, and folders that are none, are refused by name", async () => {
  const { model } = await baseModel(folder, "bert-classify");
  const fixture = adapterFixture("lora");
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ peft_type: "IA3" }, /peft_type is "IA3"; "LORA" is there/],
    [{ lora_bias: true }, /lora_bias is true; thaw does not have that/],
    [{ layer_replication: [[0, 1]] }, /layer_replication/],
    [{ fan_in_fan_out: true }, /fan_in_fan_out/],
    [{ init_lora_weights: "pissa" }, /init_lora_weights is "pissa"; the base was changed for it/],
    [{ r: 0 }, /rank is 0/],
    [{ lora_dropout: "much" }, /dropout is much/],
    [{ target_modules: "([" }, /is no expression/],
  ];
  for (const [config, message] of cases) {
    const at = writePeft(place(), fixture, config);
    await expect(loadAdapter(model, at)).rejects.toThrow(ConfigError);
    await expect(loadAdapter(model, at)).rejects.toThrow(message);
  }
  await expect(loadAdapter(model, join(folder, "nowhere"))).rejects.toThrow(FileError);
  const empty = place();
  mkdirSync(empty);
  await expect(loadAdapter(model, empty)).rejects.toThrow(/There is no adapter_config\.json/);
  writeFileSync(join(empty, "adapter_config.json"), "{");
  await expect(loadAdapter(model, empty)).rejects.toThrow(/is no JSON/);
  writeFileSync(join(empty, "adapter_config.json"), JSON.stringify(fixture.config));
  writeFileSync(join(empty, "adapter_model.bin"), "PK\u0003\u0004");
  await expect(loadAdapter(model, empty)).rejects.toThrow(SafetensorsError);
  await expect(loadAdapter(model, empty)).rejects.toThrow(/pickle|torch\.save/);
  expect(listAdapters(model).names).toEqual([]);
  expect(() => saveAdapter(model, place())).toThrow(
    /saveAdapter: BertForSequenceClassification has no adapter/,
  );
  lora(model, { targetModules: ["query"] });
  writeFileSync(join(folder, "file"), "");
  expect(() => saveAdapter(model, join(folder, "file"))).toThrow(FileError);
});
