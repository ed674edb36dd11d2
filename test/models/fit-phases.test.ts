import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualSeed, SelectorError } from "thaw";
import {
  autoModel,
  type FitOptions,
  fit as fitTo,
  gradualUnfreezing,
  linearProbeThenFinetune,
  type Phase,
  type PhaseMoment,
  readData,
  type Trains,
} from "thaw/models";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { settings } from "../../src/base/settings.ts";
import { tinyFolder, tinyTexts } from "./tiny-folder.ts";

const top = mkdtempSync(join(tmpdir(), "thaw-phases-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));
beforeEach(() => {
  settings.backend = "wasm";
});

const base = tinyFolder(top);
const { train, test: held } = await readData(tinyTexts(top), { split: { test: 0.2, seed: 1 } });

const drawn = () => {
  manualSeed(3);
  return autoModel(base, { task: "classify", labels: train.labels });
};
type Model = Awaited<ReturnType<typeof drawn>>;

async function valuesOf(model: Model): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const [path, p] of model.namedParameters())
    values.set(path, ((await p.data()) as Float32Array).slice());
  return values;
}

/** Updates an epoch: 6. */
const some: FitOptions = { train, eval: held, batch: 8, epochs: 3, seed: 1, warmup: 0 };

/** Tunes a model, and notes which parameters each update moves. */
async function tuned(
  trains: Trains | ((model: Model) => Trains),
  options: Partial<FitOptions> = {},
  makes = false,
) {
  const model = await drawn();
  let before = await valuesOf(model);
  const moved: Set<string>[] = [];
  const lr: (readonly number[])[] = [];
  const run = await fitTo(model, {
    ...some,
    trains: makes ? (trains as (model: Model) => Trains)(model) : (trains as Trains),
    ...options,
    onStep: async (event) => {
      const after = await valuesOf(model);
      moved.push(
        new Set([...after].filter(([path, x]) => !same(x, before.get(path)!)).map(([path]) => path)),
      );
      lr.push(event.lr);
      before = after;
      await options.onStep?.(event);
    },
  });
  return { model, run, moved, lr, values: before };
}

const same = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)) === 0;

/** What of these names paths begin with is there. */
const within = (paths: Iterable<string>): string[] =>
  [
    ...new Set(
      [...paths].map(
        (path) => path.match(/^(classifier|bert\.pooler|bert\.embeddings|bert\.encoder\.layer\.\d)/)![0],
      ),
    ),
  ].sort();

const [head, pooler, first, second, embeddings] = [
  "classifier",
  "bert.pooler",
  "bert.encoder.layer.0",
  "bert.encoder.layer.1",
  "bert.embeddings",
] as const;

describe("phases", () => {
  const phases: Phase[] = [
    { trains: "classifier.**", lr: 1e-2 },
    {
      from: { epoch: 2 },
      trains: ["classifier.**", "bert.pooler.**"],
      lr: { "bert.pooler.**": 1e-4, "**": 1e-3 },
    },
    { from: { epoch: 3 }, trains: "bert.pooler.**" },
  ];

  test("each trains what it names, at its rates; what is frozen again stays, with its moments", async () => {
    const { run, moved, lr, model, values } = await tuned(phases, { lr: 3e-3 });
    const wanted = [[head], [pooler, head].sort(), [pooler]];
    expect(moved.map(within)).toEqual(wanted.flatMap((names) => Array(6).fill(names)));
    expect(run.phases.map(({ step, epoch }) => [step, epoch])).toEqual([
      [1, 1],
      [7, 2],
      [13, 3],
    ]);
    const factor = (step: number): number => (18 - step) / 18;
    expect(run.rates.map(({ of, lr: rate }) => [of, rate])).toEqual([
      ["all", 1e-2],
      ["bert.pooler.**", 1e-4],
    ]);
    expect(lr[0]).toEqual([1e-2, 0]);
    expect(lr[6]).toEqual([1e-3 * factor(6), 1e-4 * factor(6)]);
    expect(lr[12]).toEqual([0, 3e-3 * factor(12)]);
    const report = new Map(run.report().parameters.map((one) => [one.path, one]));
    expect(report.get("classifier.weight")).toMatchObject({
      trainedBy: ["from update 1", "from epoch 2"],
      timesStepped: 12,
      whileFrozen: "unchanged",
    });
    expect(report.get("bert.pooler.dense.weight")).toMatchObject({
      trainedBy: ["from epoch 2", "from epoch 3"],
      timesStepped: 12,
    });
    expect(report.get("bert.embeddings.word_embeddings.weight")).toMatchObject({
      trainedBy: [],
      timesStepped: 0,
      whileFrozen: "unchanged",
    });
    expect(String(run)).toContain("from update  epoch  trains");
    expect(await valuesOf(model)).toEqual(values);
  });

  test("one phase is what its selectors are", async () => {
    const one = await tuned([{ from: { step: 1 }, trains: ["classifier.**"], lr: 1e-2 }]);
    const plain = await tuned(["classifier.**"], { lr: 1e-2 });
    expect(one.values).toEqual(plain.values);
    expect(one.run.history).toEqual(plain.run.history);
  });

  test.each([
    ["epochs", phases],
    [
      "steps",
      [
        { trains: "bert.pooler.**" },
        { from: { step: 5 }, trains: "classifier.**" },
        { from: { step: 9 }, trains: ["bert.**", "!bert.embeddings.**"] },
      ],
    ],
    [
      "a function",
      ({ step, metrics, trains }: PhaseMoment) =>
        step === 1
          ? "classifier.**"
          : metrics !== null && trains === "classifier.**" && step === 8
            ? ["**"]
            : undefined,
    ],
  ] as [string, Trains][])(
    "by %s: one that goes on has the bits of one that is not ended",
    async (name, trains) => {
      const options = { lr: 3e-3, ema: 0.5, best: "loss", saveEvery: 1, frozenMode: "eval" } as const;
      const wholeOut = join(top, `whole-${name}`);
      const whole = await tuned(trains, { ...options, out: wholeOut });
      const out = join(top, `ended-${name}`);
      for (const end of [3, 6, 7, 10]) {
        const onStep = ({ step }: { step: number }) => {
          if (step === end) throw new Error("killed");
        };
        await expect(tuned(trains, { ...options, out, resume: true, onStep })).rejects.toThrow("killed");
      }
      const again = await tuned(trains, { ...options, out, resume: true });
      expect(await valuesOf(again.model)).toEqual(await valuesOf(whole.model));
      expect(again.run.history).toEqual(whole.run.history);
      expect(again.run.phases).toEqual(whole.run.phases);
      expect(again.run.report().parameters).toEqual(whole.run.report().parameters);
      for (const file of ["metrics.jsonl", "model.safetensors"])
        expect(readFileSync(join(out, file))).toEqual(readFileSync(join(wholeOut, file)));
    },
  );

  test("what a function has decided stays so where it says no more", async () => {
    const out = join(top, "decided");
    let asked = 0;
    const once = ({ step }: PhaseMoment) => {
      asked++;
      return step === 1 ? "classifier.**" : undefined;
    };
    const onStep = ({ step }: { step: number }) => {
      if (step === 4) throw new Error("killed");
    };
    await expect(tuned(once, { out, saveEvery: 1, onStep })).rejects.toThrow("killed");
    expect(asked).toBe(4);
    const { moved, run } = await tuned(() => undefined, { out, saveEvery: 1, resume: true });
    expect(new Set(moved.flatMap(within))).toEqual(new Set([head]));
    expect(run.phases).toEqual([{ step: 1, epoch: 1, trains: "classifier.**" }]);
  });

  test("a function is told where the training stands", async () => {
    const told: PhaseMoment[] = [];
    const { run } = await tuned(
      (moment: PhaseMoment) => {
        told.push(moment);
        return moment.epoch === 1 ? "classifier.**" : ["**"];
      },
      { epochs: 2 },
    );
    expect(told.map(({ step, epoch }) => [step, epoch])).toEqual(
      Array.from({ length: 12 }, (_, i) => [i + 1, i < 6 ? 1 : 2]),
    );
    expect(told[0]).toMatchObject({ metrics: null, trains: null });
    expect(told[6]).toMatchObject({ metrics: run.history[0]!.metrics, trains: "classifier.**" });
    expect(told[7]!.trains).toEqual(["**"]);
    expect(run.phases.map(({ step }) => step)).toEqual([1, 7]);
    expect(run.report().parameters.find(({ path }) => path === "bert.pooler.dense.bias")!.trainedBy).toEqual([
      "from update 7",
    ]);
  });

  test("what lies below all that a phase trains is kept in it", async () => {
    const trains: Phase[] = [
      { trains: "classifier.**" },
      { from: { epoch: 3 }, trains: ["classifier.**", "bert.encoder.layer.1.**"] },
      { from: { epoch: 5 }, trains: "**" },
    ];
    const options = { epochs: 6, frozenMode: "eval" } as const;
    const { run, moved } = await tuned(trains, options);
    expect(run.prefixes).toMatchObject([
      { phase: "from update 1", isKept: true, upTo: pooler },
      { phase: "from epoch 3", isKept: true, upTo: first },
      { phase: "from epoch 5", isKept: false, upTo: null, why: "bert.embeddings is trained" },
    ]);
    expect(within(moved[11]!)).toEqual([head]);
    expect(within(moved[12]!)).toEqual([second, head]);
    const plain = await tuned(trains, { ...options, keepPrefix: false });
    for (const [i, { trainLoss }] of run.history.entries())
      expect(trainLoss).toBeCloseTo(plain.run.history[i]!.trainLoss, 3);
  });
});

describe("makers", () => {
  test("gradual unfreezing goes down by a layer an epoch, each slower than the one above", async () => {
    const { run, moved, lr } = await tuned(
      (model: Model) => gradualUnfreezing(model, { lr: 1e-3 }),
      { epochs: 5 },
      true,
    );
    const above = [pooler, head];
    const sets = [
      above,
      [second, ...above],
      [first, second, ...above],
      [embeddings, first, second, ...above],
    ];
    const wanted = [...sets, sets[3]!].map((names) => [...names].sort());
    // The last update of all has a rate that is above 0.
    for (const [i, names] of moved.entries()) expect(within(names)).toEqual(wanted[Math.floor(i / 6)]);
    expect(run.rates.map(({ of, lr: rate, paths }) => [of, rate, within(paths)])).toEqual([
      ["**", 1e-3, [...above].sort()],
      [`${second}.**`, 1e-3, [second]],
      [`${first}.**`, 1e-3 / 2.6, [first]],
      [`${embeddings}.**`, 1e-3 / 2.6 ** 2, [embeddings]],
    ]);
    expect(lr[0]!.slice(1)).toEqual([0, 0, 0]);
    const model = await drawn();
    expect(gradualUnfreezing(model, { perEpoch: 2 }).map(({ from }) => from)).toEqual([
      { epoch: 1 },
      { epoch: 2 },
      { epoch: 3 },
    ]);
    const encoder = await autoModel(base);
    expect(gradualUnfreezing(encoder)[0]!.trains).toEqual([
      "**",
      "!encoder.layer.1.**",
      "!encoder.layer.0.**",
      "!embeddings.**",
    ]);
    expect(() => gradualUnfreezing(model, { perEpoch: 0 })).toThrow(
      /perEpoch is 0; it must be a whole number/,
    );
    expect(() => gradualUnfreezing(model, { decay: -1 })).toThrow(/decay is -1; it must be a number above 0/);
  });

  test("the head is trained alone, and then all", async () => {
    const { run, moved } = await tuned(
      (model: Model) => linearProbeThenFinetune(model, { probeEpochs: 2, lr: 1e-4 }),
      {},
      true,
    );
    expect(moved.map((names) => within(names).length)).toEqual([...Array(12).fill(1), ...Array(6).fill(5)]);
    expect(within(moved[0]!)).toEqual([head]);
    expect(run.phases.map(({ epoch }) => epoch)).toEqual([1, 3]);
    const encoder = await autoModel(base);
    const model = await drawn();
    expect(() => linearProbeThenFinetune(encoder)).toThrow(/BertModel has no head/);
    expect(() => linearProbeThenFinetune(model, { probeEpochs: 1.5 })).toThrow(/probeEpochs is 1.5/);
  });
});

describe("what cannot be", () => {
  const epochs = (...list: number[]): Trains => list.map((epoch) => ({ from: { epoch }, trains: "**" }));
  const refused: [unknown, RegExp][] = [
    [epochs(2), /phase 1 of trains is from epoch 2, and nothing says what is trained before/],
    [epochs(1, 3, 3), /phase 3 of trains is from epoch 3, and the one before it from epoch 3/],
    [epochs(1, 0), /phase 2 of trains is from {"epoch":0}; it must be { epoch: n } or { step: n }/],
    [
      epochs(1, 4),
      /phase 2 of trains is from {"epoch":4}, and there are 18 updates, 6 of them in the first epoch/,
    ],
    [[{ trains: "**" }, { trains: "**" }], /phase 2 of trains is from nowhere/],
    [
      [
        { from: { epoch: 1 }, trains: "**" },
        { from: { step: 9 }, trains: "**" },
      ],
      /phase 2 of trains is from {"step":9}, and one before it is not/,
    ],
    [[{ trains: 7 }], /phase 1 of trains trains 7; it must name parameters/],
    [[{ trains: "**" }, { from: { epoch: 2 }, trains: [] }], /trains is \[\], which leaves nothing to train/],
    [() => 7, /trains gave 7 for update 1; it must give selectors/],
    [() => undefined, /trains gave undefined for update 1/],
    [async () => "**", /trains gave a promise/],
  ];
  test.each(refused)("%j", async (trains, message) => {
    const model = await drawn();
    const before = await valuesOf(model);
    await expect(fitTo(model, { ...some, trains: trains as Trains })).rejects.toThrow(message);
    expect(await valuesOf(model)).toEqual(before);
  });

  test("selectors that name nothing, in any phase", async () => {
    const later: Phase[] = [{ trains: "**" }, { from: { epoch: 2 }, trains: "bert.encoder.layer.7.**" }];
    await expect(fitTo(await drawn(), { ...some, trains: later })).rejects.toThrow(SelectorError);
    const chosen = ({ epoch }: PhaseMoment) => (epoch === 1 ? "**" : "head.**");
    await expect(fitTo(await drawn(), { ...some, trains: chosen })).rejects.toThrow(SelectorError);
  });
});
