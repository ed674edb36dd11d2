import { expect, test } from "vitest";
import { lowerLoop } from "../../src/codegen/loop.ts";
import { kernelText } from "../../src/lowered/print.ts";
import { verify } from "../../src/lowered/verify.ts";
import { sampled } from "../breadth.ts";
import { runLowered } from "../lowered/run-lowered.ts";
import { expectClose, type LoopCase } from "./case-list.ts";
import { expectLoop, makeCall } from "./loop-call.ts";
import { loopCases } from "./loop-cases.ts";
import { valueCases } from "./value-cases.ts";

/** Lowered as for vectors of 16 bytes, each case is proven and interpreted, and gives what plain loops give. */
function check(cases: readonly LoopCase[], oneVector = false): void {
  for (const c of cases) {
    const { kernel } = c.call;
    const wide = [...kernel.accesses, ...kernel.body].some(({ dtype }) => dtype === "f64");
    const lowered = lowerLoop(kernel, { lanes: wide ? 2 : 4, doubles: 2, fma: true, oneVector, abreast: 4 });
    verify(lowered);
    expectClose(c, runLowered(lowered, c.call, c.buffers), expectLoop(c.call, c.buffers));
  }
}

/** JavaScript has one NaN, so those that C and wasm keep apart are left to their tests. */
const keepsNaN = ({ title }: LoopCase) => title.endsWith("rounded");
const isSmall = ({ call }: LoopCase) => call.extents.reduce((a, b) => a * b, 1) <= 2000;

test("the text of a kernel, for people", async () => {
  const access = (buffer: number) => ({ dtype: "f32" as const, buffer, strides: [10, 1] });
  const op = (name: "sub" | "div", ...args: number[]) => ({ op: name, dtype: "f32" as const, args });
  const reduce = (kind: "max" | "sum", arg: number) =>
    ({ op: "reduce", kind, dtype: "f32", args: [arg] }) as const;
  const load = { op: "load", dtype: "f32", access: 0 } as const;
  const body = [load, reduce("max", 0), op("sub", 0, 1), op("div", 2, 1), reduce("sum", 3), op("div", 3, 4)];
  const { kernel } = makeCall([4], [10], [access(0), access(1)], body, [{ access: 1, value: 5 }]);
  const policy = { lanes: 4, doubles: 2, fma: true, oneVector: false, abreast: 4 };
  await expect(kernelText(lowerLoop(kernel, policy))).toMatchFileSnapshot("golden/loop.txt");
});

test("loops", () => check(sampled(loopCases.filter(isSmall), 4)));
test("values", () => {
  const cases = valueCases.filter((c) => isSmall(c) && !keepsNaN(c));
  check(sampled(cases, 4, 1));
});
test("rows of a vector, or less", () => {
  const fits = ({ call: { kernel, extents } }: LoopCase) =>
    extents[kernel.vector === "inner" ? kernel.outer + kernel.inner - 1 : kernel.outer - 1]! <= 2;
  check(sampled(loopCases.filter(fits), 2), true);
});
