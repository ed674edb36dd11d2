import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CheckpointError, manualSeed, noGrad, ResumeError } from "thaw";
import { load } from "thaw/checkpoint";
import { autoModel, type FitOptions, fit as fitTo, readData } from "thaw/models";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { settings } from "../../src/base/settings.ts";
import { openTensors } from "../../src/checkpoint/open.ts";
import { tinyFolder, tinyTexts } from "./tiny-folder.ts";

const top = mkdtempSync(join(tmpdir(), "thaw-fit-checkpoints-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));
beforeEach(() => {
  settings.backend = "wasm";
});

const base = tinyFolder(top);
const train = await readData(tinyTexts(top));
const drawn = (seed = 3) => {
  manualSeed(seed);
  return autoModel(base, { task: "classify", labels: train.labels });
};
type Model = Awaited<ReturnType<typeof drawn>>;

const some: FitOptions = { train, batch: 8, epochs: 2, lr: 3e-3, seed: 1, progress: false };
const head: FitOptions = { ...some, trains: ["classifier.**"] };
let made = 0;
const folder = () => join(top, `out-${made++}`);

/** Checkpoints of a folder, the last one last. */
const checkpoints = (out: string) =>
  readdirSync(join(out, "checkpoints"))
    .sort()
    .map((name) => join(out, "checkpoints", name));
const namesIn = (path: string) => {
  const source = openTensors(path);
  source.close();
  return [...source.entries.keys()];
};
const sizeOf = (path: string) => statSync(path).size;

const biasOf = (model: Model) => model.getParameter("bert.pooler.dense.bias");

async function valuesOf(model: Model) {
  const values = new Map<string, unknown>();
  for (const [path, p] of model.namedParameters()) values.set(path, (await p.data()).slice());
  return values;
}

describe("checkpoints refer to what the model's folder has", () => {
  test("of a head alone they hold neither the encoder nor a copy of it", async () => {
    const out = folder();
    await fitTo(await drawn(), { ...head, out });
    expect(checkpoints(out)).toHaveLength(2);
    for (const path of checkpoints(out))
      expect(namesIn(path).filter((name) => name.startsWith("bert."))).toEqual([]);
  });

  test("a phase that thaws more has that in them; one that goes on has the bits of one that does not end", async () => {
    const trains = [
      { trains: "classifier.**" },
      { from: { epoch: 2 }, trains: ["classifier.**", "**.layer.1.**"] },
    ];
    const options = { ...some, epochs: 3, trains, saveEvery: 2 };
    const whole = await drawn();
    const wholeOut = folder();
    await fitTo(whole, { ...options, out: wholeOut });
    const out = folder();
    const sizes: number[] = [];
    for (const end of [3, 9, 14]) {
      const onStep = ({ step }: { step: number }) => {
        if (step === end) throw new Error("ended");
      };
      await expect(fitTo(await drawn(end), { ...options, out, resume: true, onStep })).rejects.toThrow(
        "ended",
      );
      sizes.push(sizeOf(checkpoints(out).at(-1)!));
    }
    expect(sizes[0]!).toBeLessThan(sizes[2]!);
    const last = await drawn(7);
    await fitTo(last, { ...options, out, resume: true });
    expect(await valuesOf(last)).toEqual(await valuesOf(whole));
  });

  test("a frozen weight that somebody writes to is in them", async () => {
    const out = folder();
    const first = await drawn();
    const onStep = ({ step }: { step: number }) => {
      if (step === 2) noGrad(() => biasOf(first).fill_(0.5));
      if (step === 4) throw new Error("ended");
    };
    await expect(fitTo(first, { ...head, out, saveEvery: 3, onStep })).rejects.toThrow("ended");
    const second = await drawn();
    await fitTo(second, { ...head, out, resume: true });
    expect(await biasOf(second).data()).toEqual(await biasOf(first).data());
  });

  test("other weights are an error; who loads one alone gives the folder", async () => {
    const out = folder();
    await fitTo(await drawn(), { ...head, out });
    const changed = await drawn();
    noGrad(() => biasOf(changed).fill_(0.5));
    await expect(fitTo(changed, { ...head, out, resume: true })).rejects.toThrow(ResumeError);
    const path = checkpoints(out).at(-1)!;
    const model = await drawn(4);
    expect(() => load(path, { module: model })).toThrow(CheckpointError);
    load(path, { module: model, base: join(out, "model.safetensors") });
    const tuned = await autoModel(out, { task: "classify" });
    expect(await valuesOf(model)).toEqual(await valuesOf(tuned as unknown as Model));
  });
});
