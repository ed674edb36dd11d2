import { describe, expect, test } from "vitest";
import { DTypeError } from "../../../src/base/errors.ts";
import { emitKernelC } from "../../../src/targets/c/kernel.ts";
import type { CTarget } from "../../../src/targets/c/target.ts";
import { sampled } from "../../breadth.ts";
import { axisCases, expectAxis, storageCall } from "../../codegen/axis-cases.ts";
import { jobOf, targetOf } from "./check-cases.ts";
import { compilers, flags, runJobs } from "./program.ts";

/** Each of some cases gives what plain loops give, in one task and in small ones. */
function check(from: number, compiler: string, target: CTarget, options = flags.fast): void {
  const cases = sampled(axisCases, 6, from);
  const chunks = [Number.POSITIVE_INFINITY, 2];
  const jobs = cases.flatMap((c) => chunks.map((chunk) => jobOf(c, target, chunk)));
  for (const [i, got] of runJobs(jobs, compiler, target, options).entries()) {
    const c = cases[Math.floor(i / chunks.length)]!;
    expect(got, c.title).toEqual(expectAxis(c));
  }
}

describe.each(compilers)("%s", (compiler) => {
  test.each([16, 64] as const)("vectors of %i bytes", { timeout: 300_000 }, (vectorBytes) =>
    check(vectorBytes === 64 ? 0 : 2, compiler, targetOf(vectorBytes)),
  );
});

test("nothing that C leaves undefined, nothing outside the buffers", { timeout: 300_000 }, () =>
  check(4, compilers[0]!, targetOf(32), flags.sanitized),
);

test("storage types are not computed with", () => {
  expect(() => emitKernelC(storageCall.kernel, "", targetOf(16))).toThrow(DTypeError);
});
