import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArgumentError, manualSeed, noGrad } from "thaw";
import { autoModel, type FitOptions, fit as fitTo, type KeepPrefixOptions, readData } from "thaw/models";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { settings } from "../../src/base/settings.ts";
import { countRuns } from "./count-runs.ts";
import { tinyFolder, tinyTexts } from "./tiny-folder.ts";

const top = mkdtempSync(join(tmpdir(), "thaw-prefix-files-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));
beforeEach(() => {
  settings.backend = "wasm";
});

const base = tinyFolder(top);
const { train, test: held } = await readData(tinyTexts(top), { split: { test: 0.2, seed: 1 } });
const trains = ["classifier.**", "bert.pooler.**", "bert.encoder.layer.1.**"];

/** Tunes a model from its folder; counts how often the embeddings were run, and gives what became of the weights. */
async function tuned(options: Partial<FitOptions>, change = 0) {
  manualSeed(3);
  const model = await autoModel(base, { task: "classify", labels: train.labels });
  if (change > 0) noGrad(() => model.getParameter("bert.embeddings.LayerNorm.bias").fill_(change));
  const calls = countRuns(model);
  const given = { train, eval: held, trains, batch: 8, epochs: 2, lr: 3e-3, seed: 1 } as const;
  const run = await fitTo(model, { ...given, frozenMode: "eval", ...options });
  const values = new Map<string, unknown>();
  for (const [path, p] of model.namedParameters()) values.set(path, (await p.data()).slice());
  return { run, values, calls: calls() };
}

let made = 0;
const folder = () => {
  const path = join(top, `kept-${made++}`);
  mkdirSync(path);
  return path;
};
const filesIn = (path: string) => readdirSync(path).filter((name) => name.startsWith("prefix-"));
/** Of a plan of a step, which is not run, and of what a first batch costs. */
const planned = 1;

describe("what frozen layers give is found by another training", () => {
  test("in a folder: the layers are not run, and the bits are the same; other weights and batches find nothing", async () => {
    const keepPrefix: KeepPrefixOptions = { folder: folder() };
    const first = await tuned({ keepPrefix });
    expect(filesIn(keepPrefix.folder!)).toHaveLength(2);
    expect(first.run.prefixes[0]).toMatchObject({ rowsFound: 0, whyNotFiled: null });
    for (const memory of [0, 1000, 2 ** 30]) {
      const again = await tuned({ keepPrefix: { ...keepPrefix, memory } });
      expect(again.values).toEqual(first.values);
      expect(again.run.history).toEqual(first.run.history);
      expect(again.calls).toBeLessThanOrEqual(planned);
      expect(again.calls).toBeLessThan(first.calls);
      expect(again.run.prefixes[0]).toMatchObject({ rowsFound: 60, bytes: first.run.prefixes[0]!.bytes });
      expect(String(again.run)).toContain("60 texts had been run before");
    }
    const other = await tuned({ keepPrefix }, 0.5);
    expect(other.values).toEqual((await tuned({}, 0.5)).values);
    expect(other.run.prefixes[0]!.rowsFound).toBe(0);
    expect((await tuned({ keepPrefix, batch: 4 })).run.prefixes[0]!.rowsFound).toBe(0);
    expect(filesIn(keepPrefix.folder!)).toHaveLength(6);
  });

  test("in `out`, where it goes on, until it has ended", async () => {
    const whole = await tuned({});
    const out = folder();
    const onStep = ({ step }: { step: number }) => {
      if (step === 9) throw new Error("ended");
    };
    await expect(tuned({ out, onStep })).rejects.toThrow("ended");
    expect(filesIn(out)).toHaveLength(2);
    writeFileSync(join(out, `prefix-${"0".repeat(16)}.bin.thaw-${"1".repeat(16)}.tmp`), "left");
    const again = await tuned({ out, resume: true });
    expect(again.values).toEqual(whole.values);
    expect(again.calls).toBeLessThanOrEqual(planned);
    expect(again.run.prefixes[0]!.rowsFound).toBe(60);
    expect(filesIn(out)).toEqual([]);
  });

  test.each([
    [
      "a byte that is another one",
      (path: string) => {
        const bytes = readFileSync(path);
        bytes[200]! ^= 1;
        writeFileSync(path, bytes);
      },
    ],
    ["a file that is cut off", (path: string) => truncateSync(path, 100)],
    ["a file of something else", (path: string) => writeFileSync(path, "something else")],
    ["an empty one", (path: string) => writeFileSync(path, "")],
  ])("%s is found out: the layers are run once more, and it is written anew", async (_, damage) => {
    const keepPrefix = { folder: folder() };
    const first = await tuned({ keepPrefix });
    const paths = filesIn(keepPrefix.folder).map((name) => join(keepPrefix.folder, name));
    const before = paths.map((path) => readFileSync(path));
    for (const path of paths) damage(path);
    const again = await tuned({ keepPrefix });
    expect(again.values).toEqual(first.values);
    expect(again.run.prefixes[0]!.rowsFound).toBe(0);
    expect(paths.map((path) => readFileSync(path))).toEqual(before);
  });

  test("no more than may be there: the oldest files go, and one that is too large is not written", async () => {
    const at = folder();
    const first = await tuned({ keepPrefix: { folder: at } });
    const [one, other] = filesIn(at).map((name) => join(at, name));
    for (const path of [one!, other!]) utimesSync(path, 1, 1);
    const { bytes } = first.run.prefixes[0]!;
    const keepPrefix = { folder: at, disk: Math.round(1.2 * bytes) };
    const second = await tuned({ keepPrefix }, 0.5);
    expect(second.run.prefixes[0]!.whyNotFiled).toBe(null);
    expect(filesIn(at).map((name) => join(at, name))).not.toContain(one);
    expect(filesIn(at)).toHaveLength(2);
    const small = { folder: folder(), disk: 100 };
    const third = await tuned({ keepPrefix: small });
    expect(third.values).toEqual(first.values);
    expect(third.run.prefixes[0]!.whyNotFiled).toMatch(/takes \d+ bytes, and 100 are allowed there/);
    expect(String(third.run)).toContain("not for later trainings");
    expect(filesIn(small.folder)).toEqual([]);
    await tuned({ keepPrefix: { ...small, disk: 0 } });
    const closed = join(top, "texts.jsonl", "folder");
    const fourth = await tuned({ keepPrefix: { folder: closed } });
    expect(fourth.values).toEqual(first.values);
    expect(fourth.run.prefixes[0]!.whyNotFiled).toContain(closed);
  });

  test.each([{ memory: -1 }, { disk: Number.NaN }, { folder: "" }, { folder: 3 }, { memory: null }])(
    "%j cannot be",
    async (keepPrefix) => {
      await expect(tuned({ keepPrefix: keepPrefix as never })).rejects.toThrow(ArgumentError);
    },
  );
});
