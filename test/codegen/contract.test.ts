import { expect, test } from "vitest";
import { allocate } from "../../src/base/dtype.ts";
import { lowerContract } from "../../src/codegen/contract.ts";
import { type ProductForm, type ProductPolicy, productForm } from "../../src/codegen/product-policy.ts";
import { kernelText } from "../../src/lowered/print.ts";
import type { ContractKernel } from "../../src/plan/kernel.ts";
import { sampled } from "../breadth.ts";
import { runLowered } from "../lowered/run-lowered.ts";
import { interpret } from "../plan/interpret.ts";
import { contractPlan, type Product } from "./contract-plan.ts";
import { products } from "./products.ts";

/** So small that few rows, columns and depths are several blocks, panels and stretches. */
const policy = (lanes: number, unit: number): ProductPolicy => ({
  registers: { lanes, doubles: 2, fma: true },
  tile: { rows: 4, columns: 8, unit: { rows: unit, columns: 4 * unit } },
  stretch: 16,
  largest: { rows: 8, columns: 16 },
});

function check(product: Product, lanes: number, unit: number, forms = new Set<ProductForm>()): void {
  const { plan, inputs } = contractPlan(product);
  const call = plan.calls[0]!;
  const form = productForm(call);
  forms.add(form);
  const kernel = lowerContract(call.kernel as ContractKernel, form, policy(lanes, unit));
  const result = allocate(plan.outputs[0]!.dtype, plan.outputs[0]!.shape[0]!);
  const block = form === "rows" ? [4, 16] : [8, 8];
  const got = runLowered(kernel, call, [...inputs, result], block);
  const expected = interpret(plan, inputs, []);
  const told = JSON.stringify(product);
  expect(got.at(-1), told).toEqual(expected.outputs[0]);
  expect(got.slice(0, -1), told).toEqual(expected.inputs);
}

test("sizes at the edges of tiles, blocks and stretches, in every layout and form", () => {
  const forms = new Set<ProductForm>();
  const sizes = [1, 3, 4, 5, 8, 9, 17];
  for (const left of ["m", "k", "none"] as const)
    for (const right of ["n", "k", "none"] as const)
      for (const [i, [m, n]] of sampled(
        sizes.flatMap((m) => sizes.map((n) => [m, n] as const)),
        8,
      ).entries())
        check({ m, n, k: [1, 17, 33, 0, 16, 15, 32][i % 7]!, left, right }, 4, i % 2 === 0 ? 1 : 2, forms);
  check({ m: 3, n: 40, k: 33, right: "n" }, 4, 1, forms);
  check({ m: 5, n: 3, k: 33 }, 4, 1, forms);
  expect([...forms].sort()).toEqual(["", "dot", "rows"]);
});

/** Those of long depths have another of a shorter one beside them. */
const short = products.filter(({ k }) => k < 100);

test.each(short.map((p) => [p.title, p] as const))("%s", (_, product) => {
  const wide = product.stored === "f64" || product.result === "f64";
  check(product, wide ? 2 : 4, 2);
});

test("the text of a product with a value per column", async () => {
  const epilogue: Product["epilogue"] = (body, { column }) => {
    const value = body.push({ op: "load", dtype: "f32", access: column }) - 1;
    return body.push({ op: "add", dtype: "f32", args: [0, value] }) - 1;
  };
  const { kernel } = contractPlan({ m: 1, n: 1, k: 1, right: "n", epilogue }).plan.calls[0]!;
  const text = kernelText(lowerContract(kernel as ContractKernel, "", policy(4, 1)));
  await expect(text).toMatchFileSnapshot("golden/product.txt");
});
