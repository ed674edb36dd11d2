import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { root } from "../../scripts/sources.ts";
import { built } from "../built.ts";

/** What each example is given so that it is quick, and what it must then print. */
const examples: Record<string, { ranks?: number; args: string[]; prints: RegExp[] }> = {
  "embeddings.ts": {
    args: ["1"],
    prints: [/^ {2}before: \d+\.\d %$/m, /^ {2}tuned: \d+\.\d %$/m],
  },
  "entities.ts": {
    args: ["4"],
    prints: [/^tags: B-LICENCE, B-PROGRAM, I-LICENCE, O$/m, /^F1 of entities: \d+\.\d %$/m],
  },
  "frozen-rows.ts": {
    args: [],
    prints: [
      // Its Python side runs where there is a torch.
      /^PyTorch( [\d.]+, gradient mask: 720 of 720 frozen elements changed|: not run)/m,
      /^thaw, gradient mask: 720 of 720 frozen elements changed, 0\.741\d of their norm is left$/m,
      /^thaw, trains: \["embedding\.weight\[:10\]"\]: 0 of 720 frozen elements changed, 1\.0000 of their norm is left$/m,
    ],
  },
  "sections.ts": {
    args: ["1"],
    prints: [
      /^the largest section: 20\.7 % right$/m,
      /^tuned: \d+\.\d % right, macro-F1 \d+\.\d %$/m,
      /^what lies below: not a bit changed$/m,
    ],
  },
  "sections-lora.ts": {
    args: ["1"],
    prints: [/^tuned: \d+\.\d % right/m, /^opened again: the same answer$/m],
  },
  "seed.ts": {
    args: [],
    prints: [
      /^SGD, requiresGrad = false +hiddenTask1, at rest: not a bit changed$/m,
      /^AdamW, requiresGrad = false +hiddenTask1, at rest: moved by up to 0\.\d+$/m,
      /^AdamW, grad = null +hiddenTask1, at rest: not a bit changed$/m,
      /^AdamW, trains +hiddenTask1, at rest: not a bit changed$/m,
    ],
  },
  "two-devices.ts": {
    ranks: 2,
    args: [],
    prints: [
      /^\[0\] Adam, tasks by rank$/m,
      /^\[0\] {5}hiddenTask2\.weight not a bit {5}steps 0 /m,
      /^\[0\] {5}hiddenTask1\.weight changed {7}steps 3 /m,
      /^\[0\] 2 rank\(s\): the same bits on all, and nothing frozen has moved; rank 0 sent \d+ bytes of gradients/m,
    ],
  },
  "two-inputs.ts": {
    args: ["3"],
    prints: [
      /^pixels: 9\d\.\d % of the test set right$/m,
      /^blocks: [89]\d\.\d % of the test set right$/m,
      // 3 passes of 43 batches for a task's own layer, twice that for the trunk.
      /^pixels\.weight +pixels +129 .* unchanged$/m,
      /^blocks\.weight +blocks +129 .* unchanged$/m,
      /^trunk\.2\.weight +pixels, blocks +258 .* –$/m,
    ],
  },
};

test("every example is tried", () => {
  expect(
    readdirSync(join(root, "examples"))
      .filter((file) => file.endsWith(".ts"))
      .sort(),
  ).toEqual(Object.keys(examples).sort());
});

test.each(Object.entries(examples))(
  "%s",
  async (file, { ranks, args, prints }) => {
    const tsx = join(root, "node_modules/.bin/tsx");
    const script = join("examples", file);
    const [program, ...before] =
      ranks === undefined ? [tsx] : [process.execPath, built("cli/main.js"), "run", "-n", `${ranks}`];
    const { stdout } = await promisify(execFile)(program!, [...before, script, ...args], { cwd: root });
    for (const line of prints) expect(stdout).toMatch(line);
  },
  120_000,
);

test("a user's own training of two tasks fits in 60 lines", () => {
  const text = readFileSync(join(root, "examples/two-inputs.ts"), "utf8");
  expect(text.split("\n").length - 1).toBeLessThan(60);
});
