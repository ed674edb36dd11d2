import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noGrad, readSafetensors, Tensor, tensor, writeSafetensors } from "thaw";
import { autoModel, type EncoderOutput, type PretrainedModel, type Task } from "thaw/models";
import { afterAll, expect, test } from "vitest";
import { aboveCut, belowCut } from "../../src/models/stages.ts";
import { type Fixture, f32, fixture, inputsOf, kinds, weightsOf } from "./fixtures/fixture.ts";

// Each kind of text encoder against PyTorch, through a folder as transformers writes it.

const folder = mkdtempSync(join(tmpdir(), "thaw-models-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const taskOf = ({ architecture }: Fixture): Task =>
  architecture.endsWith("SequenceClassification")
    ? "classify"
    : architecture.endsWith("TokenClassification")
      ? "tag"
      : architecture.endsWith("MaskedLM")
        ? "maskedLM"
        : "encode";

/** A model from a folder with a fixture's config and weights. */
async function opened(kind: string) {
  const found = fixture(kind);
  const at = join(folder, kind);
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, "config.json"), JSON.stringify(found.config));
  writeSafetensors(join(at, "model.safetensors"), weightsOf(found), { metadata: { format: "pt" } });
  return { found, at, model: (await autoModel(at, { task: taskOf(found) })) as PretrainedModel };
}

/** The first result of a model, and what its pooler gives. */
function resultOf(model: PretrainedModel, found: Fixture) {
  const made = model.forward(inputsOf(found)) as Tensor | EncoderOutput;
  return made instanceof Tensor
    ? { result: made, pooled: null }
    : { result: made.lastHiddenState, pooled: made.poolerOutput };
}

test.each(kinds)("%s gives what PyTorch gives, and its gradients", async (kind) => {
  const { found, model } = await opened(kind);
  expect(model.architecture).toBe(found.architecture.replace("XLMRoberta", "Roberta"));
  expect(model.training).toBe(false);
  const { result, pooled } = resultOf(model, found);
  const mask = tensor(found.inputs.attention_mask!, { dtype: "f32" });
  const kept = result.ndim === 3 ? result.mul(mask.unsqueeze(2)) : result;
  const expected = tensor(f32(found.result.values), { dtype: "f32" }).reshape(found.result.shape);
  const difference = kept.sub(result.ndim === 3 ? expected.mul(mask.unsqueeze(2)) : expected);
  expect(await difference.abs().max().item()).toBeLessThan(2e-5);
  expect(pooled === null).toBe(found.pooled === null);
  if (pooled !== null) {
    const own = await pooled.data();
    for (const [i, x] of f32(found.pooled!).entries()) expect(Math.abs(own[i]! - x)).toBeLessThan(2e-5);
  }

  const weights = tensor(f32(found.weightsOfResult), { dtype: "f32" }).reshape(found.result.shape);
  let loss = kept.mul(weights).sum();
  if (pooled !== null) loss = loss.add(pooled.sum());
  loss.backward();
  const gradients = new Map(Object.entries(found.gradients).map(([path, values]) => [path, f32(values)]));
  const largest = Math.max(...[...gradients.values()].flatMap((g) => [...g].map(Math.abs)));
  const parameters = new Map(model.namedParameters({ removeDuplicate: false }));
  let [worst, squares, count] = [0, 0, 0];
  for (const [path, values] of gradients) {
    const grad = parameters.get(path)?.grad;
    expect(grad, path).not.toBeNull();
    const own = await grad!.data();
    for (const [i, x] of values.entries()) {
      const error = Math.abs(own[i]! - x) / largest;
      worst = Math.max(worst, error);
      squares += error * error;
      count++;
    }
  }
  // 1e-7: the fixture's gradients are f64's rounded to f32. The worst of some thousands is a matter of luck.
  const { rms, worst: worstOfPytorch } = found.gradientError;
  expect(Math.sqrt(squares / count)).toBeLessThan(2 * rms + 1e-7);
  expect(worst).toBeLessThan(4 * worstOfPytorch + 1e-7);
});

test.each(kinds)("%s can be cut between its stages, with the bits that it gives whole", async (kind) => {
  const { found, model } = await opened(kind);
  const inputs = inputsOf(found);
  const bitsOf = async (made: Tensor | EncoderOutput) => {
    const all = made instanceof Tensor ? [made] : [made.lastHiddenState, made.poolerOutput];
    return Promise.all(all.map((one) => one?.data()));
  };
  const whole = await bitsOf(model.forward(inputs) as Tensor | EncoderOutput);
  const stages = model.stages();
  const modules = new Set(model.namedModules().map(([path]) => path));
  for (const path of stages.flatMap(({ paths }) => paths)) expect(modules).toContain(path);
  for (const cut of stages.keys()) {
    const below = belowCut(model, cut + 1, inputs);
    await below.data();
    const made = aboveCut(model, cut + 1, below, inputs.attentionMask ?? null);
    expect(await bitsOf(made as Tensor | EncoderOutput)).toEqual(whole);
  }
});

test.each(kinds)("%s is cloned, with weights of its own", async (kind) => {
  const { found, model } = await opened(kind);
  const before = await resultOf(model, found).result.data();
  const copy = model.clone();
  expect(await resultOf(copy, found).result.data()).toEqual(before);
  noGrad(() => {
    for (const p of model.parameters()) p.zero_();
  });
  expect(await resultOf(copy, found).result.data()).toEqual(before);
  expect(copy.config).toEqual(model.config);
});

test.each(kinds)("%s is saved with the names and the bits that transformers gave it", async (kind) => {
  const { found, model } = await opened(kind);
  const at = join(folder, `${kind}-saved`);
  await model.savePretrained(at);
  const saved = readSafetensors(join(at, "model.safetensors"));
  const before = weightsOf(found);
  expect([...saved.keys()].sort()).toEqual([...before.keys()].sort());
  for (const [name, value] of before) expect(await saved.get(name)!.data()).toEqual(await value.data());
  const again = (await autoModel(at, { task: taskOf(found) })) as PretrainedModel;
  expect(again.config).toEqual({ ...found.config, architectures: [model.architecture] });
});
