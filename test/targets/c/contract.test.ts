import { describe, expect, test } from "vitest";
import { allocate, type TypedArray } from "../../../src/base/dtype.ts";
import { argsLayout } from "../../../src/codegen/args.ts";
import { productForm, productTiling } from "../../../src/codegen/product-policy.ts";
import { type Tasks, tasksOf } from "../../../src/codegen/tasks.ts";
import { formOf } from "../../../src/targets/c/forms.ts";
import { emitKernelC } from "../../../src/targets/c/kernel.ts";
import { productsC, scratchBytes } from "../../../src/targets/c/products.ts";
import type { CTarget } from "../../../src/targets/c/target.ts";
import { writeTile } from "../../../src/targets/c/tile.ts";
import { textOf } from "../../../src/targets/c/unit.ts";
import { CWriter } from "../../../src/targets/c/writer.ts";
import { sampled } from "../../breadth.ts";
import { contractPlan, type Product } from "../../codegen/contract-plan.ts";
import { products } from "../../codegen/products.ts";
import { interpret } from "../../plan/interpret.ts";
import { jobOf, targetOf } from "./check-cases.ts";
import { compilers, flags, type Job, runJobs } from "./program.ts";

type Plan = ReturnType<typeof contractPlan>;

/** A product's call as a job, cut into tasks as the backend cuts it. */
function productJob({ plan, inputs }: Plan, target: CTarget, block?: readonly number[]): Job {
  const call = plan.calls[0]!;
  const result = allocate(plan.outputs[0]!.dtype, plan.outputs[0]!.shape[0]!);
  const job = jobOf({ call, buffers: [...inputs, result] } as Parameters<typeof jobOf>[0], target, 1);
  const cut: Tasks = tasksOf(call, productTiling(productsC(target, false), productForm(call)));
  const words = argsLayout(call.kernel).block;
  const args = [...job.args];
  for (const [d, at] of words.entries()) args[at] = { value: (block ?? cut.block)[d]! };
  const [m, n] = call.extents.slice(-3) as [number, number];
  const batch = call.extents.slice(0, -3).reduce((a, b) => a * b, 1);
  const total = block === undefined ? cut.total : batch * Math.ceil(m / block[0]!) * Math.ceil(n / block[1]!);
  const chunk = block === undefined ? cut.chunk : 1;
  const tasks: [number, number][] = [];
  for (let begin = 0; begin < total; begin += chunk) tasks.push([begin, Math.min(total, begin + chunk)]);
  const unit = textOf(emitKernelC(call.kernel, formOf(call, target), target));
  return { ...job, unit, args, tasks, scratchBytes: scratchBytes(target) };
}

/** A product of operands as they are, by plain loops. */
function plainProduct({ plan, inputs }: Plan): Float32Array {
  const { extents, accesses } = plan.calls[0]!;
  const [m, n, k] = extents as [number, number, number];
  const [left, right] = accesses.map((a) => a.strides);
  const [a, b] = inputs as [TypedArray, TypedArray];
  const out = new Float32Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let d = 0; d < k; d++)
        sum += a[i * left![0]! + d * left![2]!]! * b[j * right![1]! + d * right![2]!]!;
      out[i * n + j] = sum;
    }
  return out;
}

/** Sizes at the edges of register tiles and of stretches of k, in every layout. */
const edges: Product[] = [];
const sizes = [1, 2, 5, 13, 14, 15, 31, 32, 33];
const depths = [1, 3, 16, 17, 383, 385, 800];
for (const left of ["m", "k"] as const)
  for (const right of ["n", "k"] as const)
    for (const [i, m] of sizes.entries())
      for (const [j, n] of sizes.entries())
        edges.push({ m, n, k: depths[(3 * i + j) % depths.length]!, left, right });
const large: Product[] = [
  { m: 600, n: 700, k: 20 },
  { m: 530, n: 70, k: 390, left: "m", right: "n" },
  { m: 3, n: 3000, k: 50, right: "n" },
  { m: 1, n: 1500, k: 900 },
  { m: 1200, n: 2, k: 129 },
];

function check(compiler: string, target: CTarget, options: readonly string[]): void {
  const plain = [...sampled(edges, 29), ...large].map(contractPlan);
  const drawn = sampled(products, 13);
  const others = drawn.map(contractPlan);
  const results = runJobs(
    [...plain, ...others].map((p) => productJob(p, target)),
    compiler,
    target,
    options,
  );
  for (const [i, p] of plain.entries()) {
    const { extents, kernel } = p.plan.calls[0]!;
    expect(results[i]!.at(-1), `${extents} ${kernel.key}`).toEqual(plainProduct(p));
  }
  for (const [i, p] of others.entries()) {
    const got = results[plain.length + i]!;
    const expected = interpret(p.plan, p.inputs, []);
    expect(got.at(-1), drawn[i]!.title).toEqual(expected.outputs[0]);
    expect(got.slice(0, -1), drawn[i]!.title).toEqual(expected.inputs);
  }
}

test.each([16, 64] as const)("the text of a tile, vectors of %i bytes", async (vectorBytes) => {
  const w = new CWriter();
  const layout = { name: "tile", leftRow: 1600, leftDepth: 4, rightDepth: 3 * vectorBytes, sumRow: 816 };
  writeTile(w, 2, 2, vectorBytes, layout);
  await expect(w.toString()).toMatchFileSnapshot(`golden/tile-${vectorBytes}.c`);
});

describe.each(compilers)("%s", (compiler) => {
  test.each([16, 32, 64] as const)("vectors of %i bytes", { timeout: 300_000 }, (vectorBytes) =>
    check(compiler, targetOf(vectorBytes), flags.fast),
  );
});

describe("sanitized", () => {
  test("nothing that C leaves undefined, nothing outside the buffers", { timeout: 300_000 }, () =>
    check(compilers[0]!, targetOf(64), flags.sanitized),
  );
});

test("each sum's order depends on k alone: the same bits whatever the blocks", { timeout: 300_000 }, () => {
  const target = targetOf(32);
  const { rows, columns } = productsC(target, false).tile;
  for (const [m, right] of [
    [70, "n"],
    [3, "n"],
    [9, "k"],
  ] as const) {
    const p = contractPlan({ m, n: 150, k: 900, right });
    for (const x of p.inputs) for (let i = 0; i < x.length; i++) x[i] = Math.sin(i);
    const blocks = [[rows, columns], [2 * rows, 3 * columns], undefined];
    const jobs = blocks.map((block) => productJob(p, target, block));
    const [small, ...rest] = runJobs(jobs, compilers[0]!, target).map((buffers) => buffers.at(-1)!);
    for (const other of rest) expect(other).toEqual(small);
  }
});
