import { describe, expect, test } from "vitest";
import { DTypeError } from "../../../src/base/errors.ts";
import { emitAxis } from "../../../src/codegen/c/axis.ts";
import type { CTarget } from "../../../src/codegen/c/target.ts";
import { axisCases, expectAxis, storageCall } from "../axis-cases.ts";
import { jobOf, targetOf } from "./check-cases.ts";
import { compilers, flags, runJobs } from "./program.ts";

/** Each case gives what plain loops give, in one task and in small ones. */
function check(compiler: string, target: CTarget, options = flags.fast): void {
  const chunks = [Number.POSITIVE_INFINITY, 2];
  const jobs = axisCases.flatMap((c) => chunks.map((chunk) => jobOf(c, target, chunk)));
  for (const [i, got] of runJobs(jobs, compiler, target, options).entries()) {
    const c = axisCases[Math.floor(i / chunks.length)]!;
    expect(got, c.title).toEqual(expectAxis(c));
  }
}

describe.each(compilers)("%s", (compiler) => {
  test.each([16, 64] as const)("vectors of %i bytes", { timeout: 300_000 }, (vectorBytes) =>
    check(compiler, targetOf(vectorBytes)),
  );
});

test("nothing that C leaves undefined, nothing outside the buffers", { timeout: 300_000 }, () =>
  check(compilers[0]!, targetOf(32), flags.sanitized),
);

test("storage types are not computed with", () => {
  expect(() => emitAxis(storageCall.kernel, targetOf(16))).toThrow(DTypeError);
});
