import { argsLayout } from "../../codegen/args.ts";
import { lowerAttention } from "../../codegen/attention.ts";
import { lowerAxis } from "../../codegen/axis.ts";
import { hasDoubles } from "../../codegen/body.ts";
import { lowerContract } from "../../codegen/contract.ts";
import { lowerLoop } from "../../codegen/loop.ts";
import type { ProductForm } from "../../codegen/product-policy.ts";
import { isAttention, type Kernel } from "../../plan/kernel.ts";
import type { MemoryImport } from "./emitter.ts";
import { printWasm } from "./print.ts";
import { attentionWasm, productsWasm } from "./products.ts";
import { productTiles } from "./tile.ts";

/**
 * The module of a kernel: it exports `run(args, begin, end)`, which does tasks [begin, end). `relaxed`: whether
 * `fma` may be a relaxed multiply-add; `form`: a product's.
 */
export function emitKernelWasm(
  kernel: Kernel,
  memory: MemoryImport,
  relaxed: boolean,
  form: ProductForm = "",
): Uint8Array<ArrayBuffer> {
  const layout = argsLayout(kernel);
  const wide = hasDoubles(kernel);
  if (kernel.kind === "contract") {
    const lowered = lowerContract(kernel, form, productsWasm(wide));
    return printWasm(lowered, layout, memory, relaxed, productTiles(relaxed));
  }
  if (isAttention(kernel)) {
    const lowered = lowerAttention(kernel, attentionWasm);
    return printWasm(lowered, layout, memory, relaxed, productTiles(relaxed));
  }
  const lanes = wide ? 2 : 4;
  if (kernel.kind !== "loop") return printWasm(lowerAxis(kernel, lanes), layout, memory, false);
  // Polynomials are never fused, so that they have the same bits with and without relaxed instructions.
  const policy = { lanes, doubles: 2, fma: false, oneVector: false, abreast: 4 };
  return printWasm(lowerLoop(kernel, policy), layout, memory, relaxed);
}
