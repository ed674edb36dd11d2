import { describe, test } from "vitest";
import { sampled } from "../../breadth.ts";
import { valueCases } from "../../codegen/value-cases.ts";
import { checkCases, targetOf } from "./check-cases.ts";
import { compilers, flags } from "./program.ts";

describe.each(compilers)("%s", (compiler) => {
  const widths = compiler === "gcc" ? ([64, 16] as const) : ([32] as const);
  test.each(widths)("vectors of %i bytes", { timeout: 300_000 }, (vectorBytes) =>
    checkCases(sampled(valueCases, 17, vectorBytes === 64 ? 0 : 6), compiler, targetOf(vectorBytes)),
  );
});

test("nothing that C leaves undefined, nothing outside the buffers", { timeout: 300_000 }, () =>
  checkCases(sampled(valueCases, 17, 11), compilers[0]!, targetOf(32), flags.sanitized),
);
