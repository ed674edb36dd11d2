import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { optim, readSafetensors, type Tensor, tensor, trainStep } from "thaw";
import { disableAdapters, loadAdapter, mergeAndUnload, saveAdapter } from "thaw/models";
import { afterAll, expect, test } from "vitest";
import { f32, inputsOf } from "../models/fixtures/fixture.ts";
import { adapterFixture, baseModel, kinds, tensorsOf, writePeft } from "./fixtures/fixture.ts";

// Each kind of adapter against PEFT, through folders as PEFT writes them.

const folder = mkdtempSync(join(tmpdir(), "thaw-adapters-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A tiny model with the adapter of a fixture. */
async function adapted(kind: string) {
  const fixture = adapterFixture(kind);
  const { found, model } = await baseModel(folder, fixture.base);
  const inputs = inputsOf(found);
  const before = await model.forward(inputs).data();
  await loadAdapter(model, writePeft(join(folder, kind), fixture));
  const shape = fixture.result.shape;
  const factors = tensor(f32(fixture.factors), { dtype: "f32" }).reshape(shape);
  // At padding, results are some numbers.
  const mask = tensor(found.inputs.attention_mask!, { dtype: "f32" });
  const kept = (x: Tensor) => (shape.length === 3 ? x.mul(mask.unsqueeze(2)) : x);
  return { fixture, model, inputs, before, factors, kept };
}

/**
 * The largest difference between tensors and those of a file, by the largest number there; where gradients are given, only
 * where those are more than rounding, as that of the bias of a key is not: Adam goes as far as the rate for either.
 */
async function furthest(
  own: ReadonlyMap<string, Tensor>,
  theirs: ReadonlyMap<string, Tensor>,
  gradients?: ReadonlyMap<string, Tensor>,
) {
  let [worst, largest] = [0, 0];
  for (const [name, value] of theirs) {
    if (name.includes("original_module") || name.includes(".modules_to_save.")) continue;
    expect(own.has(name), name).toBe(true);
    const [a, b] = [await own.get(name)!.data(), await value.data()];
    expect(a.length, name).toBe(b.length);
    const gradient = gradients && (await gradients.get(name)!.data());
    for (const [i, x] of b.entries()) {
      if (gradient !== undefined && Math.abs(Number(gradient[i])) < 1e-4) continue;
      worst = Math.max(worst, Math.abs(Number(a[i]) - Number(x)));
      largest = Math.max(largest, Math.abs(Number(x)));
    }
  }
  return worst / largest;
}

test.each(kinds)(
  "%s gives what PEFT gives, trains what PEFT trains, and leaves the base as it was",
  async (kind) => {
    const { fixture, model, inputs, before, factors, kept } = await adapted(kind);
    const expected = tensor(f32(fixture.result.values), { dtype: "f32" }).reshape(fixture.result.shape);
    const difference = kept(model.forward(inputs).sub(expected));
    expect(await difference.abs().max().item()).toBeLessThan(2e-5);
    expect(await disableAdapters(model, () => model.forward(inputs).data())).toEqual(before);

    const optimizer = new optim.AdamW(model, { lr: 1e-2, weightDecay: 0.1 });
    const step = trainStep(optimizer, {
      module: model,
      loss: () => model.forward(inputs).mul(factors).sum(),
      trains: ["**"],
    });
    await step();
    const at = join(folder, `${kind}-stepped`);
    saveAdapter(model, at);
    const stepped = readSafetensors(join(at, "adapter_model.safetensors"));
    expect(await furthest(stepped, tensorsOf(fixture.stepped), tensorsOf(fixture.gradients))).toBeLessThan(
      1e-5,
    );
    expect(await disableAdapters(model, () => model.forward(inputs).data())).toEqual(before);

    if (fixture.mergedAfterStep === null) return;
    const live = model.forward(inputs);
    const liveData = await kept(live).data();
    mergeAndUnload(model);
    const merged = kept(model.forward(inputs));
    const theirs = tensor(f32(fixture.mergedAfterStep), { dtype: "f32" }).reshape(fixture.result.shape);
    expect(await merged.sub(kept(theirs)).abs().max().item()).toBeLessThan(2e-3);
    expect(
      await merged
        .sub(tensor(liveData, { dtype: "f32" }).reshape(fixture.result.shape))
        .abs()
        .max()
        .item(),
    ).toBeLessThan(2e-5);
  },
);

test.each(kinds)("%s has PEFT's gradients, and is saved as PEFT saves it", async (kind) => {
  const { fixture, model, inputs, factors } = await adapted(kind);
  const at = join(folder, `${kind}-saved`);
  saveAdapter(model, at);
  const saved = readSafetensors(join(at, "adapter_model.safetensors"));
  const theirs = [...tensorsOf(fixture.weights).keys()].filter(
    (name) => !/original_module|\.modules_to_save\./.test(name),
  );
  expect([...saved.keys()].sort()).toEqual(theirs.sort());
  expect(await furthest(saved, tensorsOf(fixture.weights))).toBe(0);
  const config = JSON.parse(readFileSync(join(at, "adapter_config.json"), "utf8"));
  for (const key of ["r", "lora_alpha", "lora_dropout", "bias", "use_rslora", "use_dora", "rank_pattern"])
    expect(config[key], key).toEqual(fixture.config[key]);

  model.forward(inputs).mul(factors).sum().backward();
  // What is written are values: their gradients, in their place, are written by the same names.
  for (const parameter of model.parameters())
    if (parameter.grad !== null) parameter.assign(parameter.grad.clone());
  saveAdapter(model, at);
  const gradients = readSafetensors(join(at, "adapter_model.safetensors"));
  expect(await furthest(gradients, tensorsOf(fixture.gradients))).toBeLessThan(1e-5);
});
