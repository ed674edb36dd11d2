import { expect, test } from "vitest";
import { type AxisKernel, kernelOf } from "../../src/plan/kernel.ts";

const vectors = ["unit", "uniform", "strided"] as const;

/** A kernel that differs with a number, whose digits to base 3 are in it. */
const numbered = (n: number): AxisKernel =>
  kernelOf<AxisKernel>({
    kind: "cumsum",
    accesses: Array.from({ length: 9 }, (_, i) => ({
      dtype: "f32",
      level: "full",
      vector: vectors[Math.floor(n / 3 ** i) % 3]!,
    })),
  });

test("a kernel is one object as long as it is known; forgotten after 4,096 others, it comes back with its key", () => {
  const [first, second] = [numbered(0), numbered(1)];
  for (let n = 2; n < 4096; n++) numbered(n);
  expect(numbered(0)).toBe(first);
  for (let n = 4096; n < 4200; n++) numbered(n);
  expect(numbered(0)).toBe(first);
  const again = numbered(1);
  expect(again).not.toBe(second);
  expect(again).toEqual(second);
});
