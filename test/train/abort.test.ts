import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CheckpointFolder, load, save, saveAsync, saveToBytes } from "thaw/checkpoint";
import { DataLoader, mix, TensorDataset } from "thaw/data";
import { profile } from "thaw/engine";
import { Linear } from "thaw/nn";
import { arange, ones } from "thaw/tensor";
import { gradcheck } from "thaw/testing";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../checkpoint/folder.ts";

const reason = new RangeError("enough");

describe("what takes a signal", () => {
  test("loaders and mixes end their pass where they are, and give no further one", () => {
    const stop = new AbortController();
    const { signal } = stop;
    const rows = new TensorDataset(arange(10));
    const loader = new DataLoader(rows, { batchSize: 2, signal });
    const mixed = mix({ a: new DataLoader(rows), b: [[1], [2]] }, { signal, stop: "never" });
    const [batches, pairs] = [loader[Symbol.iterator](), mixed[Symbol.iterator]()];
    expect(batches.next().done).toBe(false);
    expect(pairs.next().done).toBe(false);
    expect([loader.stateDict().batch, mixed.stateDict().batch]).toEqual([1, 1]);
    stop.abort(reason);
    for (const next of [() => batches.next(), () => pairs.next(), () => [...loader], () => [...mixed]])
      expect(next).toThrow(reason);
    expect([loader.stateDict().batch, mixed.stateDict().batch]).toEqual([0, 0]);
  });

  test("profile and gradcheck call the function no more", async () => {
    for (const run of [
      (fn: () => void, signal: AbortSignal) => profile(fn, { signal, calls: 50 }),
      (fn: () => void, signal: AbortSignal) => {
        const x = ones([50], { dtype: "f64", requiresGrad: true });
        return gradcheck(
          (t) => {
            fn();
            return t.mul(t);
          },
          [x],
          { signal },
        );
      },
    ]) {
      const stop = new AbortController();
      let calls = 0;
      const counted = (): void => {
        if (++calls === 5) stop.abort(reason);
      };
      await expect(run(counted, stop.signal)).rejects.toBe(reason);
      expect(calls).toBeLessThan(8);
    }
  });

  test("a checkpoint is whole or not written", async () => {
    const folder = temporaryFolder();
    const module = new Linear(2000, 1000);
    const path = join(folder, "a.safetensors");
    writeFileSync(path, "old");
    const stop = new AbortController();
    const { signal } = stop;
    const kept = new CheckpointFolder(join(folder, "all"), { keep: 1 });
    kept.save(1, { module, signal });
    const saving = [saveAsync(path, { module, signal })];
    stop.abort(reason);
    await expect(saving[0]).rejects.toBe(reason);
    await expect(saveAsync(path, { module, signal })).rejects.toBe(reason);
    await expect(kept.saveAsync(2, { module, signal })).rejects.toBe(reason);
    for (const at of [
      () => save(path, { module, signal }),
      () => saveToBytes({ module, signal }),
      () => load(kept.latest!, { module, signal }),
    ])
      expect(at).toThrow(reason);
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(kept.steps()).toEqual([1]);
    const other = new Linear(2000, 1000);
    load(kept.latest!, { module: other, signal: new AbortController().signal });
    expect(other.weight.dataSync()).toEqual(module.weight.dataSync());
    expect(existsSync(kept.pathOf(2))).toBe(false);
  });
});
