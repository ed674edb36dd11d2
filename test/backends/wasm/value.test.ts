import { describe, expect, test } from "vitest";
import { detectFeatures } from "../../../src/backends/wasm/features.ts";
import type { Value } from "../../../src/plan/kernel.ts";
import { expectClose } from "../../codegen/case-list.ts";
import { type AccessSpec, expectLoop, makeCall } from "../../codegen/loop-call.ts";
import { valueCases } from "../../codegen/value-cases.ts";
import { runCall } from "./run-call.ts";

test.each([...new Set(valueCases.map((c) => c.title))])("%s", (title) => {
  for (const c of valueCases.filter((c) => c.title === title))
    expectClose(c, runCall(c.call, c.buffers, 10), expectLoop(c.call, c.buffers));
});

describe("fma", () => {
  const loads = [0, 1, 2].map((access): Value => ({ op: "load", dtype: "f32", access }));
  const specs: AccessSpec[] = [0, 1, 2, 3].map((buffer) => ({ dtype: "f32", buffer, strides: [1] }));
  const body: Value[] = [...loads, { op: "fma", dtype: "f32", args: [0, 1, 2] }];
  const call = makeCall([], [64], specs, body, [{ access: 3, value: 3 }]);
  const column = (scale: number) => Float32Array.from({ length: 64 }, (_, i) => Math.sin(i * scale));
  const buffers = [column(1), column(2), column(3), new Float32Array(64)];
  test("rounds the product where multiply-add is not relaxed", () => {
    const expected = buffers[0]!.map((a, i) => Math.fround(a * buffers[1]![i]!) + buffers[2]![i]!);
    expect(runCall(call, buffers)[3]).toEqual(expected);
  });
  test.runIf(detectFeatures().relaxed)("is rounded once where it is, if the machine can", () => {
    const got = runCall(call, buffers, 7, true)[3]!;
    const once = buffers[0]!.map((a, i) => a * buffers[1]![i]! + buffers[2]![i]!);
    const twice = runCall(call, buffers)[3]!;
    for (const [i, g] of got.entries()) expect([once[i], twice[i]]).toContain(g);
  });
});
