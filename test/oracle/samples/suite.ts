import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backendOf, currentBackend } from "../../../src/backends/registry.ts";
import { settings } from "../../../src/base/settings.ts";
import { commit } from "../../../src/engine/index.ts";
import { isBroad } from "../../breadth.ts";
import { Acceptance } from "./accepted.ts";
import { type ModuleSample, moduleFailureOf } from "./modules.ts";
import { type OptimizerSample, optimizerFailureOf } from "./optimizers.ts";
import { asked, type Sample } from "./run.ts";
import { type ScheduleSample, scheduleFailureOf } from "./schedules.ts";

/** `SAMPLES`: a folder of other fixtures than the committed ones, which `make-samples.py --out` has written. */
const folder = process.env.SAMPLES;
/** `SAMPLES_EVERY`: how many samples of an operation one is run of, on every backend; else as the backend's tests say. */
const asWished = process.env.SAMPLES_EVERY;
/** How many are computed in one go. */
const batch = 20;

interface File<T> {
  samples: T[];
  metrics: (number | string)[];
}

function read<T>(name: string): File<T> {
  const file = `samples-${name}.json.gz`;
  const path = folder === undefined ? new URL(`../${file}`, import.meta.url) : `${folder}/${file}`;
  return JSON.parse(gunzipSync(readFileSync(path)).toString());
}

/** Samples by what they are of. */
function grouped<T extends { op: string }>(samples: readonly T[]): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const sample of samples) groups.set(sample.op, [...(groups.get(sample.op) ?? []), sample]);
  return [...groups];
}

interface Told {
  op: string;
  kind: string;
  args?: unknown;
  init?: unknown;
  options?: unknown;
}

/** What was asked for, without the bytes of its tensors. */
const described = ({ op, kind, args, init, options }: Told): string =>
  `${kind} ${op} ${JSON.stringify(
    { ...(init as object), ...(options as object), ...(args as object) },
    (_, v) => (v !== null && typeof v === "object" && "t" in v ? `${v.t}[${v.s}]` : v),
  ).slice(0, 300)}`;

/** Runs samples on one backend, named as in the registry, one of `every`: a compiler takes its time for each kernel. */
export function runSamples(backend: string, every = 1): void {
  settings.backend = backend;
  const step = asWished === undefined ? (isBroad ? 1 : every) : Number(asWished);
  const taken = <T>(all: readonly T[]): T[] => all.filter((_, i) => i % step === 0);
  const acceptance = new Acceptance();
  const counts = { run: 0, failed: 0, accepted: 0 };
  beforeAll(() => expect(currentBackend()).toBe(backendOf(backend)));

  /** Fails with those that are not on the list. */
  function judge<T extends Told>(samples: readonly T[], wrongs: readonly (string | null)[]): void {
    const told: string[] = [];
    for (const [i, sample] of samples.entries()) {
      counts.run++;
      const wrong = wrongs[i]!;
      if (wrong === null) continue;
      const what = described(sample);
      if (acceptance.takes(sample.op, sample.kind, what, wrong)) counts.accepted++;
      else told.push(`${what}: ${wrong}`);
    }
    counts.failed += told.length;
    if (told.length > 0)
      expect.fail(`${told.length} of ${samples.length} differ:\n${told.slice(0, 12).join("\n")}`);
  }

  const timeout = 600_000;

  describe(`${backend}: operations`, () => {
    const { samples } = read<Sample>("operations");
    test.each(grouped(taken(samples)))("%s", { timeout }, (_, ofOne) => {
      const wrongs: (string | null)[] = [];
      for (let i = 0; i < ofOne.length; i += batch) {
        const reads = ofOne.slice(i, i + batch).map(asked);
        try {
          commit();
        } catch {
          // An index out of range of one of them: each says so for itself when it is read.
        }
        wrongs.push(...reads.map((readIt) => readIt()));
      }
      judge(ofOne, wrongs);
    });
  });

  describe(`${backend}: modules`, () => {
    test.each(grouped(taken(read<ModuleSample>("modules").samples)))("%s", { timeout }, (_, ofOne) =>
      judge(ofOne, ofOne.map(moduleFailureOf)),
    );
  });

  describe(`${backend}: optimizers`, () => {
    test.each(grouped(taken(read<OptimizerSample>("optimizers").samples)))("%s", { timeout }, (_, ofOne) =>
      judge(ofOne, ofOne.map(optimizerFailureOf)),
    );
  });

  // Rates are numbers of the host: one backend is as good as all.
  if (backend === "reference")
    describe(`${backend}: schedules`, () => {
      const { samples, metrics } = read<ScheduleSample>("schedules");
      test.each(grouped(samples))("%s", (_, ofOne) =>
        judge(
          ofOne,
          ofOne.map((sample) => scheduleFailureOf(sample, metrics)),
        ),
      );
    });

  if (folder === undefined && step === 1 && backend === "reference")
    test("every accepted difference is still there", () => expect(acceptance.dead).toEqual([]));

  afterAll(() => {
    if (folder !== undefined || asWished !== undefined)
      console.log(
        `${backend}: ${counts.run} samples, ${counts.failed} differ, ${counts.accepted} more as accepted: ` +
          `${((100 * (counts.run - counts.failed)) / counts.run).toFixed(3)} % as PyTorch or accepted, ` +
          `${((100 * (counts.run - counts.failed - counts.accepted)) / counts.run).toFixed(3)} % as PyTorch`,
      );
  });
}
