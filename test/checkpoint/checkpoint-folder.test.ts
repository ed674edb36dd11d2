import { mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as nn from "thaw/nn";
import { SGD } from "thaw/optim";
import { tensor } from "thaw/tensor";
import { afterEach, expect, test, vi } from "vitest";
import { ArgumentError, CheckpointError, StateDictError } from "../../src/base/errors.ts";
import { CheckpointFolder, save } from "../../src/checkpoint/index.ts";
import { temporaryFolder } from "./folder.ts";

const make = () => {
  const module = new nn.Linear(1, 1, { bias: false });
  const set = (x: number) => module.weight.assign(tensor([[x]]));
  return { module, set, value: () => module.weight.itemSync() };
};
const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
afterEach(() => void warn.mockClear());
const nameOf = (step: number) => `checkpoint-${String(step).padStart(8, "0")}.safetensors`;

test("the last ones are kept, and the last is loaded", () => {
  const path = join(temporaryFolder(), "runs", "a");
  const folder = new CheckpointFolder(path, { keep: 2 });
  const { module, set, value } = make();
  expect([folder.steps(), folder.latest, folder.load({ module })]).toEqual([[], null, null]);
  for (const step of [0, 5, 10, 123456789]) {
    set(step);
    expect(folder.save(step, { module, metadata: { at: String(step) } })).toBe(folder.pathOf(step));
  }
  expect(readdirSync(path)).toEqual([nameOf(10), "checkpoint-123456789.safetensors"]);
  expect([folder.steps(), folder.latest]).toEqual([[10, 123456789], folder.pathOf(123456789)]);
  set(-1);
  expect(folder.load({ module })).toMatchObject({
    step: 123456789,
    path: folder.latest,
    metadata: { at: "123456789" },
  });
  expect(value()).toBe(Math.fround(123456789));
});

test("a damaged one is passed over for the one before, which is said once", () => {
  const path = temporaryFolder();
  const folder = new CheckpointFolder(path);
  const { module, set, value } = make();
  for (const step of [1, 2, 3]) {
    set(step);
    folder.save(step, { module });
  }
  const bytes = readFileSync(folder.pathOf(3));
  bytes[bytes.length - 1]! ^= 4;
  writeFileSync(folder.pathOf(3), bytes);
  for (let i = 0; i < 2; i++) expect(folder.load({ module })).toMatchObject({ step: 2 });
  expect(value()).toBe(2);
  expect(warn.mock.calls).toEqual([
    [
      expect.stringMatching(
        /checkpoint-00000003.* cannot be loaded: "weight" in .* Going back to checkpoint-00000002/,
      ),
    ],
  ]);
  truncateSync(folder.pathOf(2), 20);
  expect(folder.load({ module })).toMatchObject({ step: 1 });
  writeFileSync(folder.pathOf(1), "");
  set(7);
  expect(() => folder.load({ module })).toThrow(CheckpointError);
  expect(() => folder.load({ module })).toThrow("None of the 3 checkpoints in");
  expect(value()).toBe(7);
  // Training goes on from there, and the next save takes the place of what is damaged.
  folder.save(3, { module });
  expect(new CheckpointFolder(path).load({ module })).toMatchObject({ step: 3 });
});

test("what does not fit is an error, not a reason to go back", () => {
  const folder = new CheckpointFolder(temporaryFolder());
  const { module } = make();
  for (const step of [1, 2]) folder.save(step, { module });
  expect(() => folder.load({ module: new nn.Linear(2, 2) })).toThrow(StateDictError);
  expect(() => folder.load({ module, optimizer: new SGD(module, { lr: 1 }) })).toThrow(
    "has no optimizer's state",
  );
  expect(warn).not.toHaveBeenCalled();
});

test("what training has gone back from is removed by the next save", () => {
  const folder = new CheckpointFolder(temporaryFolder());
  const { module } = make();
  for (const step of [10, 20, 30]) folder.save(step, { module });
  folder.save(15, { module });
  expect(folder.steps()).toEqual([10, 15]);
});

test("only its own files are cleaned up", () => {
  const path = temporaryFolder();
  const own = `${nameOf(4)}.thaw-0123456789abcdef.tmp`;
  const others = [
    "checkpoint-4.safetensors",
    `${nameOf(4)}.thaw-0123456789abcde.tmp`,
    `${nameOf(4)}.tmp`,
    `x${nameOf(4)}.thaw-0123456789abcdef.tmp`,
    "best.safetensors",
    "best.safetensors.thaw-0123456789abcdef.tmp",
    "notes.txt",
  ];
  for (const name of [own, ...others]) writeFileSync(join(path, name), "");
  mkdirSync(join(path, `${nameOf(5)}.thaw-0123456789abcdef.tmp`));
  symlinkSync("notes.txt", join(path, `${nameOf(6)}.thaw-0123456789abcdef.tmp`));
  const folder = new CheckpointFolder(path, { keep: 1 });
  const { module } = make();
  // Whoever only loads takes nothing away from whoever saves.
  folder.load({ module });
  expect(readdirSync(path)).toContain(own);
  for (const step of [7, 8]) folder.save(step, { module });
  expect(readdirSync(path).sort()).toEqual(
    [
      ...others,
      nameOf(8),
      `${nameOf(5)}.thaw-0123456789abcdef.tmp`,
      `${nameOf(6)}.thaw-0123456789abcdef.tmp`,
    ].sort(),
  );
});

test("saves that are written behind come in order, and clean up as others do", async () => {
  const path = temporaryFolder();
  const folder = new CheckpointFolder(path, { keep: 2 });
  const { module, set, value } = make();
  const saves = [1, 2, 3, 4, 5].map((step) => {
    set(step);
    return folder.saveAsync(step, { module });
  });
  set(0);
  expect(folder.load({ module })).toMatchObject({ step: 5 });
  expect(value()).toBe(5);
  expect(await Promise.all(saves)).toEqual([1, 2, 3, 4, 5].map((step) => folder.pathOf(step)));
  expect(readdirSync(path)).toEqual([nameOf(4), nameOf(5)]);
});

test("what cannot be is told", () => {
  const path = temporaryFolder();
  const folder = new CheckpointFolder(path);
  const { module } = make();
  expect(() => new CheckpointFolder(path, { keep: 0 })).toThrow(ArgumentError);
  for (const step of [-1, 0.5, Number.NaN])
    expect(() => folder.save(step, { module })).toThrow(ArgumentError);
  folder.save(1, { module });
  expect(() => folder.save(2, { module, base: folder.pathOf(1) })).toThrow(
    "one of the folder's own checkpoints",
  );
  expect(readdirSync(path)).toEqual([nameOf(1)]);
  save(join(path, "weights.safetensors"), { module });
  folder.save(2, { module, base: join(path, "weights.safetensors") });
  expect(folder.load({ module })).toMatchObject({ step: 2 });
  writeFileSync(join(path, "file"), "");
  expect(() => new CheckpointFolder(join(path, "file")).save(1, { module })).toThrow("file");
});
