import { expect, test } from "vitest";
import { killFinetune } from "../../scripts/kills/finetune-kills.ts";
import { built } from "../built.ts";

test("a few random kills: finetune goes on each time, to the bits of a run that was left alone", async () => {
  const { ended, before, training, after } = await killFinetune(built("cli/main.js"), 2);
  expect(before + training + after).toBe(2);
  expect(ended).toBeGreaterThanOrEqual(1);
}, 120_000);
