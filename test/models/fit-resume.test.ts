import { spawn } from "node:child_process";
import fs, {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FileError, LockError, manualSeed, ResumeError } from "thaw";
import { autoModel, type FitOptions, type FitResult, fit as fitTo, readData } from "thaw/models";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { settings } from "../../src/base/settings.ts";
import { tinyFolder, tinyTexts } from "./tiny-folder.ts";

const top = mkdtempSync(join(tmpdir(), "thaw-resume-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));
beforeEach(() => {
  settings.backend = "wasm";
});

const base = tinyFolder(top);
const texts = tinyTexts(top);
const { train, test: held } = await readData(texts, { split: { test: 0.2, stratify: true, seed: 1 } });

const drawn = (seed = 3) => {
  manualSeed(seed);
  return autoModel(base, { task: "classify", labels: train.labels });
};
type Model = Awaited<ReturnType<typeof drawn>>;

async function valuesOf(model: Model): Promise<Map<string, unknown>> {
  const values = new Map<string, unknown>();
  for (const [path, p] of model.namedParameters()) values.set(path, (await p.data()).slice());
  return values;
}

let made = 0;
const folder = () => join(top, `out-${made++}`);

/** Updates an epoch: 12, or 6 of two batches each. */
const some: FitOptions = { train, eval: held, batch: 4, epochs: 2, lr: 3e-3, seed: 1 };

/** What is left of a training: weights, history, and the metrics as they were written. */
async function left(model: Model, run: FitResult, out: string) {
  const report = run
    .report()
    .parameters.map(({ path, timesStepped, whileFrozen }) => [path, timesStepped, whileFrozen]);
  return {
    values: await valuesOf(model),
    history: run.history,
    epoch: run.epoch,
    report,
    metrics: readFileSync(join(out, "metrics.jsonl"), "utf8"),
    saved: readFileSync(join(out, "model.safetensors")),
  };
}

class Killed extends Error {}

/** Tunes a model that is ended after some updates, each time anew from its folder. */
async function interrupted(options: FitOptions, out: string, at: readonly number[]) {
  let before = 0;
  for (const end of at) {
    const onStep = ({ step }: { step: number }) => {
      expect(step).toBeGreaterThan(before - 12);
      if (step === end) throw new Killed();
    };
    // Each begins with another head, as a script does that sets no seed.
    await expect(fitTo(await drawn(end), { ...options, out, resume: true, onStep })).rejects.toThrow(Killed);
    before = end;
  }
  const model = await drawn(99);
  return left(model, await fitTo(model, { ...options, out, resume: true }), out);
}

describe("a training that is ended and gone on with has the bits of one that is not", () => {
  const cases: [string, Partial<FitOptions>, number[]][] = [
    ["at ends of epochs and in the midst of them", { saveEvery: 5 }, [7, 12, 13, 24]],
    ["with the best weights", { saveEvery: 1, best: "loss", lr: 0.3, clipNorm: null, warmup: 0 }, [3, 15]],
    ["with an average", { saveEvery: 2, ema: 0.8, best: "accuracy" }, [5, 14]],
    [
      "with windows of batches, of like lengths",
      { saveEvery: 1, accumulate: 5, bucket: true, ema: 0.5 },
      [2, 5],
    ],
    [
      "of which only a part is trained",
      { saveEvery: 4, trains: ["classifier.**", "bert.pooler.**"] },
      [6, 18],
    ],
  ];
  test.each(cases)("%s", async (_, more, at) => {
    const options = { ...some, ...more };
    const out = folder();
    const whole = await drawn(at[0]!);
    const wanted = await left(whole, await fitTo(whole, { ...options, out }), out);
    expect(await interrupted(options, folder(), at)).toEqual(wanted);
    // What is in the folder is what the model has.
    const again = await autoModel(out, { task: "classify" });
    expect(await valuesOf(again)).toEqual(wanted.values);
    expect(readdirSync(join(out, "checkpoints")).length).toBeLessThanOrEqual(2);
    expect(readdirSync(out)).not.toContain("run.lock");
  });

  test("a whole one is taken as it is, without an update", async () => {
    const out = folder();
    const first = await drawn();
    const run = await fitTo(first, { ...some, out, best: "macroF1" });
    const second = await drawn(5);
    const again = await fitTo(second, {
      ...some,
      out,
      best: "macroF1",
      resume: true,
      onStep: () => expect.fail(),
    });
    expect(await valuesOf(second)).toEqual(await valuesOf(first));
    expect(again.metrics).toEqual(run.metrics);
  });

  test("a process that is killed, with what it leaves", async () => {
    const options = { ...some, saveEvery: 3, epochs: 4 };
    const out = folder();
    const whole = await drawn(3);
    const wanted = await left(whole, await fitTo(whole, { ...options, out }), out);
    const killed = folder();
    const script = fileURLToPath(new URL("killed.mjs", import.meta.url));
    const args = [
      script,
      base,
      texts,
      killed,
      JSON.stringify({ ...options, train: undefined, eval: undefined }),
    ];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    // It is killed while it trains: the lock and perhaps a part of a file are left.
    const steps = await new Promise<number>((resolve) => {
      child.stdout.on("data", (data: Buffer) => {
        const step = Number(String(data).trim().split("\n").at(-1));
        if (step >= 14 && child.kill("SIGKILL")) resolve(step);
      });
      child.on("exit", () => resolve(-1));
    });
    await new Promise((resolve) =>
      child.exitCode !== null || child.signalCode !== null ? resolve(0) : child.once("exit", resolve),
    );
    expect(steps).toBeGreaterThanOrEqual(14);
    expect(readdirSync(killed)).toContain("run.lock");
    const model = await drawn(8);
    expect(await left(model, await fitTo(model, { ...options, out: killed, resume: true }), killed)).toEqual(
      wanted,
    );
  });
});

describe("what cannot be gone on with", () => {
  const begun = async (options: Partial<FitOptions> = {}) => {
    const out = folder();
    await fitTo(await drawn(), { ...some, out, epochs: 1, ...options });
    return out;
  };

  test("other data, another model and other options are named", async () => {
    const out = await begun();
    const before = readdirSync(out, { recursive: true }).sort();
    const resumed = { ...some, out, epochs: 1, resume: true };
    const cases: [Model, Partial<FitOptions>, RegExp][] = [
      [
        await drawn(),
        { train: train.some(Array.from({ length: 40 }, (_, i) => i)) },
        /train: 48 texts.* then, 40 texts.* now/,
      ],
      [await drawn(), { eval: held.some([0, 1, 2]) }, /eval: 12 texts.* then, 3 texts.* now/],
      [
        await drawn(),
        { batch: 8, seed: 2 },
        /the option batch: 4 then, 8 now\n.*the option seed: 1 then, 2 now/,
      ],
      [await drawn(), { trains: "classifier.**" }, /the option trains: "\*\*" then, "classifier.\*\*" now/],
    ];
    const labels = [...train.labels, "plants"];
    cases.push([
      await autoModel(base, { task: "classify", labels }),
      {},
      /the model's labels: .* then, .*plants.* now/,
    ]);
    const other = await drawn();
    other.loadStateDict(new Map([...(await drawn()).stateDict()].map(([path, p]) => [path, p.mul(2)])));
    cases.push([other, {}, /the weights that the training began with: \w+ then, \w+ now/]);
    for (const [model, options, message] of cases) {
      const values = await valuesOf(model);
      const done = fitTo(model, { ...resumed, ...options });
      await expect(done).rejects.toThrow(ResumeError);
      await expect(done).rejects.toThrow(message);
      expect(await valuesOf(model)).toEqual(values);
    }
    expect(readdirSync(out, { recursive: true }).sort()).toEqual(before);
  });

  test("nothing is begun over what is there", async () => {
    const out = await begun();
    await expect(fitTo(await drawn(), { ...some, out, epochs: 1 })).rejects.toThrow(
      /has checkpoints of a training up to update 12; give resume: true/,
    );
    const model = folder();
    cpSync(base, model, { recursive: true });
    await expect(fitTo(await drawn(), { ...some, out: model })).rejects.toThrow(
      /holds config.json and no checkpoints/,
    );
    await expect(fitTo(await drawn(), { ...some, resume: true })).rejects.toThrow(
      /nowhere to keep checkpoints; give out/,
    );
    for (const place of ["opfs:tuned", "https://example.org/tuned"])
      await expect(fitTo(await drawn(), { ...some, out: place })).rejects.toThrow(
        /a folder of this machine only, which a page has not; leave it out/,
      );
  });

  test("one run at a time has a folder; what a dead process has left is taken over", async () => {
    const out = folder();
    const onStep = async ({ step }: { step: number }) => {
      if (step > 1) return;
      await expect(fitTo(await drawn(), { ...some, out, resume: true })).rejects.toThrow(LockError);
      await expect(fitTo(await drawn(), { ...some, out })).rejects.toThrow(
        new RegExp(`in use by the process ${process.pid} on`),
      );
    };
    await fitTo(await drawn(), { ...some, epochs: 1, out, onStep });

    const dead = folder();
    mkdirSync(dead);
    const lock = join(dead, "run.lock");
    // A number that is this process's now, and was another's before.
    writeFileSync(lock, JSON.stringify({ pid: process.pid, started: "1", host: hostname() }));
    await fitTo(await drawn(), { ...some, epochs: 1, out: dead });

    const far = folder();
    mkdirSync(far);
    writeFileSync(join(far, "run.lock"), JSON.stringify({ pid: 1, started: "1", host: "elsewhere" }));
    await expect(fitTo(await drawn(), { ...some, out: far })).rejects.toThrow(
      /process 1 on elsewhere.*remove that file/,
    );
    await expect(fitTo(await drawn(), { ...some, out: join(texts, "x") })).rejects.toThrow(FileError);
  });
});

test("a signal ends it after the update under way, with a checkpoint to go on from", async () => {
  const out = folder();
  const whole = await drawn();
  const wanted = await left(whole, await fitTo(whole, { ...some, out }), out);
  for (const end of [5, 12, 24]) {
    const stopped = folder();
    const controller = new AbortController();
    const reason = new Error("enough");
    const onStep = ({ step }: { step: number }) => {
      if (step === end) controller.abort(reason);
    };
    const first = fitTo(await drawn(), { ...some, out: stopped, onStep, signal: controller.signal });
    await expect(first).rejects.toBe(reason);
    const model = await drawn();
    const steps: number[] = [];
    const run = await fitTo(model, {
      ...some,
      out: stopped,
      resume: true,
      onStep: ({ step }) => steps.push(step),
    });
    expect(steps[0]).toBe(end === 24 ? undefined : end + 1);
    expect(await left(model, run, stopped)).toEqual(wanted);
  }
});

describe("a disk that is full", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
  /** The disk fills up before an update's end, or, without one, before the tuned model is written. */
  const filled = async (out: string, at: number | null) => {
    const spies: { mockRestore(): void }[] = [];
    const fill = () => {
      for (const call of ["writeSync", "appendFileSync"] as const)
        spies.push(
          vi.spyOn(fs, call).mockImplementation(() => {
            throw full;
          }),
        );
    };
    try {
      const run = fitTo(await drawn(), {
        ...some,
        out,
        saveEvery: 4,
        onStep: ({ step }) => {
          if (step === at) fill();
        },
        onEpoch: ({ epoch }) => {
          if (at === null && epoch === 2) fill();
        },
      });
      await expect(run).rejects.toThrow(FileError);
      await expect(run).rejects.toThrow(/^Cannot write .*: ENOSPC: no space left on device/);
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  };

  test.each([7, 11, 19, null])(
    "after update %s, the last checkpoint is whole and the end has the same bits",
    async (at) => {
      const [whole, out] = [folder(), folder()];
      const model = await drawn();
      const wanted = await left(model, await fitTo(model, { ...some, out: whole, saveEvery: 4 }), whole);
      await filled(out, at);
      const files = readdirSync(out, { recursive: true }).map(String);
      expect(
        files.filter((name) => /safetensors/.test(name)).every((name) => /\d\.safetensors$/.test(name)),
      ).toBe(true);
      expect(files).not.toContain("config.json");
      const again = await drawn();
      const run = await fitTo(again, { ...some, out, saveEvery: 4, resume: true });
      expect(await left(again, run, out)).toEqual(wanted);
    },
  );
});
