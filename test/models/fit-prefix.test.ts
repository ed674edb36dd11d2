import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freeze, manualSeed, module, noGrad } from "thaw";
import { autoModel, type FitOptions, fit as fitTo, readData } from "thaw/models";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { settings } from "../../src/base/settings.ts";
import { countRuns } from "./count-runs.ts";
import { tinyFolder, tinyTexts } from "./tiny-folder.ts";

const top = mkdtempSync(join(tmpdir(), "thaw-prefix-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));
beforeEach(() => {
  settings.backend = "wasm";
});

const base = tinyFolder(top);
const split = { test: 0.2, seed: 1 };
const some = await readData(tinyTexts(top), { split });

/** Texts that all have as many tokens, so that a batch has the same shape in whatever company. */
const alike = join(top, "alike.jsonl");
const words = ["dog", "fox", "quick", "lazy", "text", "editor", "sound", "library"];
const { tokenizer } = await autoModel(base);
const lines = Array.from({ length: 512 }, (_, i) => [i % 8, (i >> 3) % 8, i >> 6])
  .map((numbers) => ({
    text: numbers.map((k) => words[k]).join(" "),
    label: numbers[0]! < 4 ? "animals" : "software",
  }))
  .filter(({ text }) => tokenizer!.encodeOne(text).ids.length === 7)
  .slice(0, 40)
  .map((line) => JSON.stringify(line));
writeFileSync(alike, lines.join("\n"));
const even = await readData(alike, { split });

const tagged = join(top, "tags.jsonl");
writeFileSync(
  tagged,
  Array.from({ length: 30 }, (_, i) => {
    const tokens = Array.from({ length: 1 + (i % 6) }, (_, j) => words[(3 * i + j) % 8]!);
    return JSON.stringify({ tokens, tags: tokens.map((word) => (words.indexOf(word) < 4 ? "B-A" : "O")) });
  }).join("\n"),
);
const tags = await readData(tagged, { split });

type Data = typeof some;

async function tuned(
  options: Partial<FitOptions>,
  { train, test: held }: Data = some,
  task: "classify" | "tag" = "classify",
) {
  manualSeed(3);
  const model = await autoModel(base, { task, labels: train.labels });
  const before = model.stateDict();
  const copies = new Map(
    await Promise.all([...before].map(async ([path, p]) => [path, (await p.data()).slice()] as const)),
  );
  const given = {
    train,
    eval: held,
    lr: 3e-3,
    seed: 1,
    epochs: 3,
    batch: 8,
    frozenMode: "eval",
    ...options,
  } as const;
  const run = await fitTo(model as never, given);
  const values = new Map<string, unknown>();
  for (const [path, p] of model.namedParameters()) values.set(path, await p.data());
  return { model, run, values, before: copies };
}

const head = ["classifier.**"];
const withPooler = ["classifier.**", "bert.pooler.**"];
const withTopLayer = [...withPooler, "bert.encoder.layer.1.**"];

describe("frozen layers are run once a text", () => {
  test.each([
    ["head", head, "bert.pooler", 16],
    ["head and pooler", withPooler, "bert.encoder.layer.1", 16],
    ["top layer", withTopLayer, "bert.encoder.layer.0", 16 * 7],
  ] as const)(
    "%s: the bits are those of without, where batches have one shape",
    async (_, trains, upTo, size) => {
      const kept = await tuned({ trains }, even);
      const plain = await tuned({ trains, keepPrefix: false }, even);
      expect(kept.values).toEqual(plain.values);
      expect(kept.run.history).toEqual(plain.run.history);
      const [record] = kept.run.prefixes;
      expect(record).toMatchObject({ phase: "", upTo, isKept: true, why: null, bytesInFile: 0 });
      expect(record!.share).toBeGreaterThan(0.2);
      expect(record!.share).toBeLessThan(1);
      expect(record!.bytes).toBe(40 * size * 4);
      expect(record!.expectedBytes).toBe(32 * size * 4);
      expect(String(kept.run)).toContain(`run once a text and kept: all up to ${upTo}, `);
      expect(plain.run.prefixes).toMatchObject([{ isKept: false, why: "keepPrefix is false", bytes: 0 }]);
      for (const [path, value] of kept.values)
        if (!kept.run.rates.some(({ paths }) => paths.includes(path)))
          expect(value).toEqual(kept.before.get(path));
    },
  );

  test.each(["classify", "tag"] as const)(
    "%s: within rounding of without, for texts of any lengths",
    async (task) => {
      const data = task === "classify" ? some : tags;
      const trains = ["classifier.**", "bert.encoder.layer.1.**"];
      const kept = await tuned({ trains }, data, task);
      const plain = await tuned({ trains, keepPrefix: false }, data, task);
      expect(kept.run.prefixes[0]!.isKept).toBe(true);
      for (const [i, { trainLoss, metrics }] of kept.run.history.entries()) {
        expect(trainLoss).toBeCloseTo(plain.run.history[i]!.trainLoss, 4);
        expect(metrics!.loss).toBeCloseTo(plain.run.history[i]!.metrics!.loss, 4);
      }
    },
  );

  test("modules below are not run again", async () => {
    manualSeed(3);
    const model = await autoModel(base, { task: "classify", labels: some.train.labels });
    const calls = countRuns(model);
    const counts: number[] = [];
    await fitTo(model, {
      train: some.train,
      eval: some.test,
      trains: head,
      batch: 8,
      epochs: 3,
      frozenMode: "eval",
      onEpoch: () => void counts.push(calls()),
    });
    expect(counts[0]).toBeGreaterThan(0);
    expect(counts.slice(1)).toEqual([counts[0], counts[0]]);
  });

  test("beyond the memory that they may take, in a file that is gone afterwards", async () => {
    const out = join(top, "in-a-file");
    const during: string[][] = [];
    const onEpoch = () => void during.push(readdirSync(out).filter((name) => name.startsWith("thaw-kept")));
    const inFile = await tuned({ trains: withTopLayer, keepPrefix: { memory: 1000 }, out, onEpoch });
    const inMemory = await tuned({ trains: withTopLayer });
    expect(inFile.values).toEqual(inMemory.values);
    const { bytes, bytesInFile } = inFile.run.prefixes[0]!;
    expect(bytes).toBe(inMemory.run.prefixes[0]!.bytes);
    expect(bytesInFile).toBeGreaterThan(bytes - 1001);
    expect(during.map((names) => names.length)).toEqual([1, 1, 1]);
    expect(readdirSync(out).filter((name) => name.startsWith("thaw-kept"))).toEqual([]);
  });

  test("a training that goes on has the bits of one that is not ended", async () => {
    const whole = await tuned({ trains: withTopLayer, out: join(top, "whole"), saveEvery: 2 });
    for (const end of [2, 7, 12]) {
      const out = join(top, `ended-${end}`);
      const onStep = ({ step }: { step: number }) => {
        if (step === end) throw new Error("killed");
      };
      await expect(tuned({ trains: withTopLayer, out, saveEvery: 2, onStep })).rejects.toThrow("killed");
      // What a process that is killed leaves.
      writeFileSync(join(out, "thaw-kept-0.bin"), "left");
      const again = await tuned({ trains: withTopLayer, out, saveEvery: 2, resume: true });
      expect(again.values).toEqual(whole.values);
      expect(again.run.history).toEqual(whole.run.history);
      expect(readFileSync(join(out, "metrics.jsonl"))).toEqual(
        readFileSync(join(top, "whole", "metrics.jsonl")),
      );
      expect(readdirSync(out)).not.toContain("thaw-kept-0.bin");
    }
  });

  test("averages of what is trained leave what is frozen", async () => {
    const kept = await tuned({ trains: withPooler, ema: 0.5 }, even);
    const plain = await tuned({ trains: withPooler, ema: 0.5, keepPrefix: false }, even);
    expect(kept.values).toEqual(plain.values);
    expect(kept.run.history).toEqual(plain.run.history);
  });

  test("weights that somebody writes to meanwhile are run again", async () => {
    const write = (keepPrefix: boolean) => async () => {
      manualSeed(3);
      const model = await autoModel(base, { task: "classify", labels: even.train.labels });
      const weight = model.getParameter("bert.encoder.layer.0.output.dense.weight");
      const onEpoch = ({ epoch }: { epoch: number }) => {
        if (epoch === 1) noGrad(() => void weight.mul_(2));
      };
      const run = await fitTo(model, {
        ...{ train: even.train, eval: even.test, trains: head, batch: 8, epochs: 3, seed: 1 },
        ...{ frozenMode: "eval", keepPrefix, onEpoch },
      });
      return run.history;
    };
    expect(await write(true)()).toEqual(await write(false)());
  });
});

describe("nothing is kept, and it is said why", () => {
  const whyOf = async (options: Partial<FitOptions>, data = some) =>
    (await tuned({ epochs: 2, ...options }, data)).run.prefixes;

  test("dropout", async () => {
    const [record] = await whyOf({ trains: head, frozenMode: "train" });
    expect(record).toMatchObject({
      isKept: false,
      upTo: "bert.pooler",
      why: 'bert.embeddings has dropout, which frozenMode: "eval" turns off',
      bytes: 0,
    });
    expect(record!.share).toBeGreaterThan(0.5);
    expect(record!.expectedBytes).toBeGreaterThan(0);
    // It is transformers' way, unless something else is said.
    expect((await whyOf({ trains: head, frozenMode: undefined }))[0]).toEqual(record);
  });

  test.each([
    ["what is trained", { trains: ["bert.embeddings.**"] }, "bert.embeddings is trained"],
    ["a text that is seen once", { trains: head, epochs: 1 }, "no text is seen twice"],
    ["steps of less than an epoch", { trains: head, epochs: undefined, steps: 6 }, "no text is seen twice"],
  ] as [string, Partial<FitOptions>, string][])("%s", async (_, options, why) => {
    expect(await whyOf(options)).toMatchObject([{ isKept: false, why }]);
  });

  test("hooks, and modules that are held in training mode", async () => {
    const { train } = some;
    manualSeed(3);
    const model = await autoModel(base, { task: "classify", labels: train.labels });
    const options = { train, trains: head, epochs: 2, frozenMode: "eval" } as const;
    const hook = model.getSubmodule("bert.encoder.layer.0").registerForwardHook(() => undefined);
    const hooked = await fitTo(model, options);
    expect(hooked.prefixes).toMatchObject([{ isKept: false, why: "bert.encoder.layer.0 has a hook" }]);
    hook.remove();
    using _ = freeze(model, module("bert.embeddings", { mode: "train" }));
    const held = await fitTo(model, options);
    expect(held.prefixes).toMatchObject([
      { isKept: false, why: "bert.embeddings has dropout, and is held in training mode" },
    ]);
  });

  test("tokens that are masked anew, and rows that are padded on the left", async () => {
    const { train } = some;
    const masked = await autoModel(base, { task: "maskedLM" });
    const run = await fitTo(masked, { train, trains: "cls.**", epochs: 2, frozenMode: "eval" });
    expect(run.prefixes).toMatchObject([{ isKept: false, why: "other tokens are masked in each epoch" }]);
    const model = await autoModel(base, { task: "classify", labels: train.labels });
    Object.assign(model.tokenizer!.settings, { paddingSide: "left" });
    const left = await fitTo(model, { train, trains: head, epochs: 2, frozenMode: "eval" });
    expect(left.prefixes[0]!.why).toContain("padded on the left");
  });
});

test("what is frozen computes in the mode that is asked for, and has its own again", async () => {
  for (const frozenMode of ["train", "eval"] as const) {
    const modes = new Map<string, boolean>();
    manualSeed(3);
    const model = await autoModel(base, { task: "classify", labels: some.train.labels });
    await fitTo(model, {
      train: some.train,
      trains: withTopLayer,
      steps: 1,
      frozenMode,
      onStep: () => {
        for (const [path, part] of model.namedModules()) modes.set(path, part.training);
      },
    });
    const wanted = {
      "bert.embeddings.dropout": frozenMode === "train",
      "bert.encoder.layer.0.attention.self.dropout": frozenMode === "train",
      "bert.encoder.layer.1.attention.self.dropout": true,
      dropout: true,
    };
    expect(Object.fromEntries(modes)).toMatchObject(wanted);
    expect(model.modules().some((part) => part.training)).toBe(false);
  }
});

test.each([
  [{ frozenMode: "off" }, /frozenMode is "off"; it must be "train" or "eval"/],
  [
    { keepPrefix: { memory: -1 } },
    /keepPrefix is {"memory":-1}; it must be true, false, or { memory, disk }/,
  ],
  [{ keepPrefix: "yes" }, /keepPrefix is "yes"/],
])("%j cannot be", async (options, message) => {
  await expect(tuned({ trains: head, ...(options as object) })).rejects.toThrow(message);
});
