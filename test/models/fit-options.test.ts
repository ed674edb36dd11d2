import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualSeed } from "thaw";
import { autoModel, type FitOptions, fit as fitTo, readData } from "thaw/models";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { settings } from "../../src/base/settings.ts";
import { dealt } from "../../src/models/fit/deal.ts";
import { ran } from "../distributed/running.ts";
import { tinyFolder, tinyTexts } from "./tiny-folder.ts";

const top = mkdtempSync(join(tmpdir(), "thaw-options-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));
beforeEach(() => {
  settings.backend = "wasm";
});

/** Without dropout, which draws other numbers for other batches. */
const base = tinyFolder(top);
const config = JSON.parse(readFileSync(join(base, "config.json"), "utf8"));
const still = { ...config, hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
writeFileSync(join(base, "config.json"), JSON.stringify(still));

const texts = tinyTexts(top);
const tagged = join(top, "tags.jsonl");
const words = ["dog", "fox", "quick", "lazy", "text", "editor", "sound"];
const lines = Array.from({ length: 30 }, (_, i) => {
  const tokens = Array.from({ length: 1 + (i % 6) }, (_, j) => words[(3 * i + j) % 7]!);
  return JSON.stringify({ tokens, tags: tokens.map((word) => (words.indexOf(word) < 4 ? "B-A" : "O")) });
});
writeFileSync(tagged, lines.join("\n"));
const split = { test: 0.2, seed: 1 };
const data = {
  classify: await readData(texts, { split }),
  tag: await readData(tagged, { split }),
};

async function tuned(task: "classify" | "tag", options: Partial<FitOptions>) {
  const { train, test: held } = data[task];
  manualSeed(3);
  const model = await autoModel(base, { task, labels: train.labels });
  const run = await fitTo(model as never, { train, eval: held, lr: 3e-3, seed: 1, ...options });
  const values = await Promise.all(
    model.parameters().map(async (p) => Array.from((await p.data()) as Float32Array)),
  );
  return { model, run, values };
}

/** What a training leaves. */
interface Tuned {
  readonly values: number[][];
  readonly history: unknown[];
}

/** The most that numbers differ. */
const farthest = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number =>
  Math.max(...a.flatMap((list, i) => list.map((x, j) => Math.abs(x - b[i]![j]!))));

/**
 * Adds up in another order: of gradients that are next to nothing (those of the keys' biases are nothing, but for rounding)
 * Adam makes steps of either sign, so that the root of the mean square is what is compared, as a part of a step.
 */
function expectClose(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): void {
  const squares = a.flatMap((list, i) => list.map((x, j) => (x - b[i]![j]!) ** 2));
  const rms = Math.sqrt(squares.reduce((sum, x) => sum + x, 0) / squares.length);
  expect(rms).toBeLessThan(0.02 * 3e-3);
}

describe.each(["classify", "tag"] as const)("%s", (task) => {
  const classWeights = [1, 9];

  test("in a window of batches each label counts as in one batch of all", async () => {
    const one = await tuned(task, { batch: 10, epochs: 2, classWeights });
    const several = await tuned(task, { batch: 5, accumulate: 2, epochs: 2, classWeights });
    expect(several.run.history.map(({ step }) => step)).toEqual(one.run.history.map(({ step }) => step));
    expectClose(several.values, one.values);
    for (const [i, { trainLoss, metrics }] of several.run.history.entries()) {
      expect(trainLoss).toBeCloseTo(one.run.history[i]!.trainLoss, 4);
      expect(metrics!.loss).toBeCloseTo(one.run.history[i]!.metrics!.loss, 3);
    }
  });

  // With the lower layer frozen, each rank keeps what that gives for the texts that it sees.
  const trained = ["**", ...(task === "classify" ? ["bert.encoder.layer.1.**"] : [])];
  test.each(trained)(
    "two ranks come to what one does, with a last batch too short for both: %s",
    async (of) => {
      // Of 48 texts, or 24, the last batch has one.
      const batch = data[task].train.length - 1;
      const trains = [of, "classifier.**"];
      const options = { batch, epochs: 3, classWeights, lr: 3e-3, seed: 1, trains };
      const one = await tuned(task, options);
      expect(one.run.prefixes[0]!.isKept).toBe(of !== "**");
      const out = join(top, `ranks-${task}-${trained.indexOf(of)}`);
      const file = task === "classify" ? texts : tagged;
      const { failure, said, errors } = await ran("../models/ranks.mjs", [
        base,
        file,
        task,
        JSON.stringify({ ...options, out, saveEvery: 2 }),
      ]);
      expect({ failure, errors }).toEqual({ failure: null, errors: [] });
      const [first, second] = said.map(
        ([line]) => line as unknown as Record<string, Tuned> & { ended: string; unlike: string },
      );
      expect(second!.whole).toEqual(first!.whole);
      expectClose(first!.whole!.values, one.values);
      expect(first!.again).toEqual(first!.whole);
      expect(first!.ended).toBe("GroupError: fit: the signal of another rank has ended the training");
      expect(second!.ended).toBe("Error: enough");
      for (const { unlike } of [first!, second!])
        expect(unlike).toMatch(
          /^GroupError: fit: ranks do not train the same; .*\n {2}eval: .*\n {2}the option seed: 1 on rank 0, 2 on rank 1$/s,
        );
      expect([first!.resumed, second!.resumed]).toEqual([first!.whole, first!.whole]);
    },
  );
});

test("an average is what is measured, and what is left", async () => {
  const decay = 0.5;
  const options = { batch: 16, steps: 2, warmup: 0, clipNorm: null };
  const averaged = await tuned("classify", { ...options, ema: decay });
  const plain = await tuned("classify", options);
  const first = await tuned("classify", { ...options, lr: 0 });
  const after: number[][][] = [];
  const { train } = data.classify;
  manualSeed(3);
  const model = await autoModel(base, { task: "classify", labels: train.labels });
  const onStep = async () => {
    after.push(
      await Promise.all(model.parameters().map(async (p) => Array.from((await p.data()) as Float32Array))),
    );
  };
  await fitTo(model, { train, lr: 3e-3, seed: 1, ...options, onStep });
  const wanted = first.values.map((list, i) =>
    list.map((start, j) => {
      const one = decay * start + (1 - decay) * after[0]![i]![j]!;
      return decay * one + (1 - decay) * after[1]![i]![j]!;
    }),
  );
  expect(farthest(after[1]!, plain.values)).toBe(0);
  expect(farthest(averaged.values, wanted)).toBeLessThan(1e-6);
  const again = await tuned("classify", { ...options, lr: 0 });
  again.model.loadStateDict(averaged.model.stateDict());
  const measured = await fitTo(again.model as never, {
    train: data.classify.train,
    eval: data.classify.test,
    lr: 0,
    steps: 1,
  });
  expect(measured.metrics!.loss).toBe(averaged.run.metrics!.loss);
});

test("batches of like lengths have every text once, in an order that seed and epoch make", () => {
  const lengths = Array.from({ length: 500 }, (_, i) => (i * 37) % 101);
  const options = { batch: 8, seed: 1, epoch: 0, lengths };
  const batches = dealt(500, options);
  expect(batches.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, i) => i));
  expect(dealt(500, options)).toEqual(batches);
  expect(dealt(500, { ...options, epoch: 1 })).not.toEqual(batches);
  const padded = (all: number[][]): number =>
    all.reduce((sum, batch) => sum + batch.length * Math.max(...batch.map((i) => lengths[i]!)), 0);
  expect(padded(batches)).toBeLessThan(0.65 * padded(dealt(500, { ...options, lengths: null })));
  const longest = batches.map((batch) => Math.max(...batch.map((i) => lengths[i]!)));
  expect(longest).not.toEqual([...longest].sort((a, b) => a - b));
});

test("an option that there is not is named, with those that are like it", async () => {
  await expect(tuned("classify", { epoch: 5 } as never)).rejects.toThrow(
    /there is no option epoch; nearest: epochs, /,
  );
});

test("who is told may end it, and what they throw ends it", async () => {
  const steps: number[] = [];
  const told = await tuned("classify", {
    batch: 8,
    onStep: ({ step, epoch, loss, lr, stop, steps: all }) => {
      steps.push(step);
      expect([epoch, all, lr.length]).toEqual([1, 18, 1]);
      expect(loss).toBeGreaterThan(0);
      if (step === 4) stop();
    },
  });
  expect(steps).toEqual([1, 2, 3, 4]);
  expect(told.run.history.map(({ epoch, step }) => [epoch, step])).toEqual([[1, 4]]);
  const epochs = await tuned("classify", { batch: 8, onEpoch: ({ epoch, stop }) => epoch === 2 && stop() });
  expect(epochs.run.history.length).toBe(2);
  const wrong = tuned("classify", { onEpoch: () => Promise.reject(new Error("no more")) });
  await expect(wrong).rejects.toThrow("no more");
});

test("nothing is written where there is no terminal; on one there is a line", async () => {
  const written: string[] = [];
  const write = vi
    .spyOn(process.stderr, "write")
    .mockImplementation((text) => written.push(String(text)) > 0);
  const { isTTY } = process.stderr;
  try {
    process.stderr.isTTY = false;
    await tuned("classify", { steps: 2 });
    expect(written).toEqual([]);
    process.stderr.isTTY = true;
    await tuned("classify", { steps: 2, progress: false });
    expect(written).toEqual([]);
    const { lr: _, ...others } = { lr: undefined, steps: 2 };
    await tuned("classify", { ...others, lr: { "classifier.**": 1e-3, "**": 2e-5 } });
  } finally {
    process.stderr.isTTY = isTTY;
    write.mockRestore();
  }
  expect(written[0]).toBe("fit: classifier.**: 2 parameters at 0.001\n");
  expect(written.join("")).toContain("step 2/2");
});

test("texts of any lengths keep their order in predict", async () => {
  const { model } = await tuned("classify", { steps: 1 });
  const some = ["a", "a fox and a dog and a text editor", "fox", "the quick brown fox jumps over", "text"];
  const together = (await model.predict(some, { batch: 2 })) as { label: string; score: number }[];
  for (const [i, text] of some.entries()) {
    const [alone] = (await model.predict([text])) as { label: string; score: number }[];
    expect(together[i]!.label).toBe(alone!.label);
    expect(together[i]!.score).toBeCloseTo(alone!.score, 5);
  }
});

test("adapters have a rate of their own", async () => {
  const { ratesOf } = await import("../../src/models/fit/rates.ts");
  manualSeed(3);
  const model = await autoModel(base, { task: "classify" });
  const paths = ["bert.lora_A.weight", "classifier.weight", "bert.pooler.dense.weight"];
  const trained = new Map(paths.map((path) => [path, model.getParameter("classifier.weight")]));
  expect(ratesOf(model, trained, undefined)).toEqual([
    { of: "adapters", lr: 2e-4, paths: [paths[0]] },
    { of: "head", lr: 1e-3, paths: [paths[1]] },
    { of: "body", lr: 2e-5, paths: [paths[2]] },
  ]);
});
