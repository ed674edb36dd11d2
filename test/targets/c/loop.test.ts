import { describe, expect, test } from "vitest";
import type { Value } from "../../../src/plan/kernel.ts";
import { formOf } from "../../../src/targets/c/forms.ts";
import { emitKernelC } from "../../../src/targets/c/kernel.ts";
import { preludeC } from "../../../src/targets/c/prelude.ts";
import { sampled } from "../../breadth.ts";
import { makeCall } from "../../codegen/loop-call.ts";
import { loopCases } from "../../codegen/loop-cases.ts";
import { checkCases, targetOf } from "./check-cases.ts";
import { compilers, flags, runJobs } from "./program.ts";

const f32 = { dtype: "f32" as const };
const load = (access: number): Value => ({ op: "load", dtype: "f32", access });

/** What is written for a kernel after the prelude. */
function textOf({ kernel }: ReturnType<typeof makeCall>, vectorBytes: 16 | 64, oneVector = false): string {
  return emitKernelC(kernel, oneVector ? "one" : "", targetOf(vectorBytes)).body;
}

describe.each([16, 64] as const)("the text, vectors of %i bytes", (vectorBytes) => {
  test("a map", async () => {
    const access = (buffer: number) => ({ ...f32, buffer, strides: [1] });
    const body: Value[] = [load(0), load(1), { op: "mul", dtype: "f32", args: [0, 1] }];
    const call = makeCall([], [100], [access(0), access(1), access(2)], body, [{ access: 2, value: 2 }]);
    await expect(textOf(call, vectorBytes)).toMatchFileSnapshot(`golden/map-${vectorBytes}.c`);
  });
  test("rows in three passes, as softmax has them", async () => {
    const access = (buffer: number) => ({ ...f32, buffer, strides: [100, 1] });
    const body: Value[] = [
      load(0),
      { op: "reduce", kind: "max", dtype: "f32", args: [0] },
      { op: "div", dtype: "f32", args: [0, 1] },
      { op: "reduce", kind: "sum", dtype: "f32", args: [2] },
      { op: "div", dtype: "f32", args: [2, 3] },
    ];
    const call = makeCall([9], [100], [access(0), access(1)], body, [{ access: 1, value: 4 }]);
    await expect(textOf(call, vectorBytes)).toMatchFileSnapshot(`golden/rows-${vectorBytes}.c`);
  });
});

test("the text of a map whose rows are one vector", async () => {
  const access = (buffer: number) => ({ ...f32, buffer, strides: [3, 1] });
  const body: Value[] = [load(0), load(1), { op: "mul", dtype: "f32", args: [0, 1] }];
  const call = makeCall([5], [3], [access(0), access(1), access(2)], body, [{ access: 2, value: 2 }]);
  expect(formOf(call, targetOf(64))).toBe("one16");
  await expect(textOf(call, 16, true)).toMatchFileSnapshot("golden/map-one.c");
});

describe.each(compilers)("%s", (compiler) => {
  test.each([16, 64] as const)("vectors of %i bytes", { timeout: 300_000 }, (vectorBytes) =>
    checkCases(
      vectorBytes === 64 ? sampled(loopCases, 19) : sampled(loopCases, 11, 1),
      compiler,
      targetOf(vectorBytes),
    ),
  );
});

describe("sanitized", () => {
  test("nothing that C leaves undefined, nothing outside the buffers", { timeout: 300_000 }, () =>
    checkCases(sampled(loopCases, 13, 2), compilers[0]!, targetOf(32), flags.sanitized),
  );
  test.each([
    ["volatile float x = *(f32_m *)(args[0] + 4);", /heap-buffer-overflow/],
    ["volatile int x = args[1] + 2147483647;  x += 1;", /signed integer overflow/],
  ])("a program that does %s stops", (statement, message) => {
    const target = targetOf(32);
    const unit = `${preludeC(target, false)}void run(const i64 *args, i64 begin, i64 end, char *scratch) { ${statement} }`;
    const args = [{ value: 0, buffer: 0 }, { value: 0 }];
    const job = { unit, buffers: [new Float32Array(1)], args, tasks: [[0, 1]] as const, scratchBytes: 0 };
    expect(() => runJobs([job], compilers[0]!, target, flags.sanitized)).toThrow(message);
  });
});
