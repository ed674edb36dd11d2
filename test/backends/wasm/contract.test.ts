import { describe, expect, test } from "vitest";
import { createWasm } from "../../../src/backends/wasm/backend.ts";
import { WasmMemory } from "../../../src/backends/wasm/memory.ts";
import { allocate, type TypedArray } from "../../../src/base/dtype.ts";
import { argsLayout } from "../../../src/codegen/args.ts";
import { emitKernelWasm } from "../../../src/targets/wasm/kernel.ts";
import { scratchBytes } from "../../../src/targets/wasm/products.ts";
import { contractPlan, type Product } from "../../codegen/contract-plan.ts";
import { products } from "../../codegen/products.ts";
import { interpret } from "../../plan/interpret.ts";

const backend = createWasm();

function run(product: Product): { actual: TypedArray; expected: TypedArray } {
  const { plan, inputs } = contractPlan(product);
  const { dtype, shape } = plan.outputs[0]!;
  const actual = allocate(dtype, shape[0]!);
  const executable = backend.load(plan);
  expect(executable.run(inputs, new Float64Array(0), [actual])).toBe(-1);
  executable.free();
  return { actual, expected: interpret(plan, inputs, []).outputs[0]! };
}

const check = (product: Product) => {
  const { actual, expected } = run(product);
  expect(actual).toEqual(expected);
};

describe("every size near a multiple of the register tile", () => {
  const sizes = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 17];
  for (const left of ["m", "k"] as const)
    for (const right of ["n", "k"] as const)
      test(`left along ${left}, right along ${right}`, () => {
        for (const m of sizes) for (const n of sizes) check({ m, n, k: ((m * 5 + n) % 11) + 1, left, right });
      });
});

test.each([
  [33, 70, 41],
  [70, 33, 5],
  [64, 64, 64],
  [1, 70, 70],
  [70, 1, 70],
  [1, 1, 300],
])("m %i, n %i, k %i", (m, n, k) => {
  for (const left of ["m", "k", "none"] as const)
    for (const right of ["n", "k", "none"] as const) check({ m, n, k, left, right });
});

test.each([255, 256, 257, 511, 600])("a contracted dimension of %i, in stretches", (k) => {
  check({ m: 13, n: 21, k });
  check({ m: 13, n: 21, k, left: "m", right: "n" });
});

test.each<[number, number, number, "m" | "k", "n" | "k"]>([
  [300, 410, 7, "k", "n"],
  [270, 390, 300, "m", "k"],
  [1030, 40, 130, "m", "n"],
])("more blocks than one: m %i, n %i, k %i", (m, n, k, left, right) => {
  const { plan, inputs } = contractPlan({ m, n, k, left, right });
  const [a, b] = inputs as [TypedArray, TypedArray];
  const actual = new Float32Array(m * n);
  backend.load(plan).run(inputs, new Float64Array(0), [actual]);
  let wrong = 0;
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let d = 0; d < k; d++)
        sum += a[left === "m" ? d * m + i : i * k + d]! * b[right === "n" ? d * n + j : j * k + d]!;
      if (sum !== actual[i * n + j]) wrong++;
    }
  expect(wrong).toBe(0);
});

test("f32 keeps to its order of summation: k upwards, whatever the block", () => {
  const one = (m: number, n: number) => {
    const { plan, inputs } = contractPlan({ m, n, k: 700 });
    for (const x of inputs.slice(0, 2)) for (let i = 0; i < x.length; i++) x[i] = Math.sin(i % 700);
    const out = new Float32Array(m * n);
    backend.load(plan).run(inputs, new Float64Array(0), [out]);
    return new Set(out);
  };
  expect(one(40, 50)).toEqual(one(21, 300));
  // Few rows or columns that both lie along k have an order of their own.
  expect(one(16, 50)).toEqual(one(1, 1));
});

test.each(products.map((p) => [p.title, p] as const))("%s", (_, product) => check(product));

test("without fused multiply-add", () => {
  const memory = new WasmMemory(8 * 2 ** 20);
  const { plan, inputs } = contractPlan({ m: 1, n: 5, k: 9 });
  const call = plan.calls[0]!;
  const layout = argsLayout(call.kernel);
  const at = memory.reserve(layout.size * 4);
  const words = memory.views.i32;
  const data = call.accesses.map(({ buffer }) => memory.reserve(4 * (inputs[buffer]?.length ?? 5)));
  for (const [i, x] of inputs.entries()) memory.views.f32.set(x, data[i]! / 4);
  for (const [d, word] of layout.extents.entries()) words[at / 4 + word] = call.extents[d]!;
  for (const [d, word] of layout.block.entries()) words[at / 4 + word] = [4, 8][d]!;
  for (const [a, { pointer, strides }] of layout.accesses.entries()) {
    words[at / 4 + pointer] = data[a]!;
    for (const [d, word] of strides.entries()) words[at / 4 + word] = call.accesses[a]!.strides[d]! * 4;
  }
  const module = new WebAssembly.Module(emitKernelWasm(call.kernel, memory, false));
  const env = { memory: memory.memory, scratch: memory.reserve(scratchBytes()) };
  const { exports } = new WebAssembly.Instance(module, { env });
  (exports.run as (args: number, begin: number, end: number) => void)(at, 0, 1);
  const result = memory.views.f32.slice(data[5]! / 4, data[5]! / 4 + 5);
  expect(result).toEqual(interpret(plan, inputs, []).outputs[0]);
});
