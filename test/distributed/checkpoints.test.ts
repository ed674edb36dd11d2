import { readdirSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { built } from "../built.ts";
import { temporaryFolder } from "../checkpoint/folder.ts";
import { ran } from "./running.ts";

const limit = { timeout: 120_000 };

beforeAll(() => void built("index.js"));

interface Went {
  random: { seed: number; drawn: number };
  draws: { seed: number; drawn: number }[];
  count: number;
  digest: string;
}

test(
  "training goes on from a checkpoint in the middle of a pass, on as many ranks and on others",
  limit,
  async () => {
    const path = temporaryFolder();
    const scene = async (ranks: number, how: string): Promise<Went[]> => {
      const { failure, said, errors } = await ran("./scenes.mjs", ["checkpoint", path, how], { ranks });
      expect([failure, errors]).toEqual([null, []]);
      return said.map(([went]) => went as unknown as Went);
    };
    const [first, second] = (await scene(2, "save")) as [Went, Went];
    expect(readdirSync(path)).toEqual(["checkpoint-00000002.safetensors"]);
    expect([first.count, second.count]).toEqual([8, 8]);
    expect(second.draws[0]!.seed).not.toBe(first.draws[0]!.seed);
    const again = await scene(2, "load");
    for (const [rank, went] of again.entries()) {
      expect(went).toMatchObject({ count: 6, digest: first.digest });
      expect(went.random).toEqual([first, second][rank]!.draws[0]);
    }
    // Six rows a batch are the same ones on three ranks; sums of them are rounded otherwise.
    const three = await scene(3, "load");
    const numbers = (text: string) => Object.values(JSON.parse(text) as Record<string, number[]>).flat();
    expect(three.map(({ digest }) => digest)).toEqual(Array(3).fill(three[0]!.digest));
    for (const [i, value] of numbers(three[0]!.digest).entries())
      expect(value).toBeCloseTo(numbers(first.digest)[i]!, 4);
    expect(three.slice(0, 2).map(({ random }) => random)).toEqual(again.map(({ random }) => random));
    const { seed, drawn } = three[2]!.random;
    expect(drawn).toBe(first.draws[0]!.drawn);
    expect([first, second].map(({ draws }) => draws[0]!.seed)).not.toContain(seed);
  },
);

test("what cannot be saved or loaded on one rank is not on any, and that is said", limit, async () => {
  const path = temporaryFolder();
  const { failure, said } = await ran("./scenes.mjs", ["unsaved", path]);
  expect(failure).toBeNull();
  type Found = Record<string, { error: string; message: string; rank?: number; same: boolean }>;
  const [rank0, rank1] = said.map(([found]) => found as unknown as Found) as [Found, Found];
  const expected: [string, string, string, RegExp][] = [
    ["full", "FileError", "RankError", /save\(\): rank 0 has failed, so it has on all ranks: FileError/],
    ["steps", "GroupError", "GroupError", /step 2 on rank 1, step 1 on rank 0/],
    ["part", "RankError", "ArgumentError", /other cannot be part of a checkpoint/],
    ["missing", "RankError", "FileError", /missing/],
    ["different", "GroupError", "GroupError", /ranks do not mean the same: a checkpoint with the checksum/],
    [
      "things",
      "GroupError",
      "GroupError",
      /for module on rank 1, a checkpoint .* for module, optimizer on rank 0/,
    ],
    ["kind", "RankError", "CheckpointError", /has the state of AdamW, and the optimizer is SGD/],
    ["round", "CheckpointError", "CheckpointError", /has made 1 of the 2 calls .* step\.flush\(\)/],
  ];
  for (const [name, error0, error1, message] of expected) {
    expect([rank0[name], rank1[name]]).toMatchObject([
      { error: error0, same: true },
      { error: error1, same: true },
    ]);
    expect(rank1[name]!.message).toMatch(message);
  }
  expect([rank0.alike, rank1.alike]).toEqual([true, true]);
  expect(readdirSync(path).sort()).toEqual(["later", "whole"]);
});

test("a checkpoint that is damaged on one rank is passed over on all", limit, async () => {
  const { failure, said } = await ran("./scenes.mjs", ["folders", temporaryFolder()]);
  expect(failure).toBeNull();
  for (const [rank, [found]] of said.entries()) {
    expect(found).toMatchObject({ step: 2, same: 2, neither: null });
    const { warned, missing } = found as unknown as { warned: string[]; missing: { message: string } };
    expect(warned).toHaveLength(1);
    expect(warned[0]).toMatch(rank === 1 ? /damaged.* Going back to/ : /rank 1 has failed, .* Going back to/);
    expect(missing).toMatchObject({ error: "GroupError", same: true });
    expect(missing.message).toMatch(/no checkpoints on rank 1|no checkpoints on rank/);
  }
});
