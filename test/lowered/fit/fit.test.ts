import { describe, expect, test } from "vitest";
import { verify } from "../../../src/lowered/verify.ts";
import { runLowered } from "../run-lowered.ts";
import { fitCases } from "./cases.ts";

describe.each([
  { threads: 1, block: 4 },
  { threads: 8, block: 4 },
])("$threads threads, blocks of $block", (policy) => {
  test.each(fitCases)("$name", (c) => {
    const kernel = c.lower(policy);
    verify(kernel);
    const got = runLowered(kernel, c, c.before);
    for (const [i, wanted] of c.after.entries())
      for (const [at, x] of wanted.entries()) expect(got[i]![at], `buffer ${i}, ${at}`).toBeCloseTo(x, 5);
  });
});
