import { describe, expect, test } from "vitest";
import { DTypeError } from "../../../src/base/errors.ts";
import { emitKernelWasm } from "../../../src/targets/wasm/kernel.ts";
import { runCall } from "../../backends/wasm/run-call.ts";
import { axisCases, expectAxis, storageCall } from "../../codegen/axis-cases.ts";

describe.each([...new Set(axisCases.map((c) => c.title))])("%s", (title) => {
  test.each([Number.POSITIVE_INFINITY, 2])("tasks of %i", (chunk) => {
    for (const c of axisCases.filter((c) => c.title === title))
      expect(runCall(c.call, c.buffers, chunk)).toEqual(expectAxis(c));
  });
});

test("storage types are not computed with", () => {
  expect(() => emitKernelWasm(storageCall.kernel, { shared: false, maximum: 64 }, false)).toThrow(DTypeError);
});
