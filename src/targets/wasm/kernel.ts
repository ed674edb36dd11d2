import { argsLayout } from "../../codegen/args.ts";
import { lowerAxis } from "../../codegen/axis.ts";
import { lowerContract } from "../../codegen/contract.ts";
import { lowerLoop } from "../../codegen/loop.ts";
import type { ProductForm } from "../../codegen/product-policy.ts";
import type { Kernel } from "../../plan/kernel.ts";
import type { MemoryImport } from "./emitter.ts";
import { printWasm } from "./print.ts";
import { productsWasm } from "./products.ts";
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
  const layout = argsLayout(kernel, 4);
  if (kernel.kind === "contract") {
    const wide = [...kernel.accesses, ...kernel.prologue, ...kernel.epilogue].some((x) => x.dtype === "f64");
    const lowered = lowerContract(kernel, form, productsWasm(wide));
    return printWasm(lowered, layout, memory, relaxed, productTiles(relaxed));
  }
  if (kernel.kind !== "loop") {
    const lanes = kernel.accesses[0]!.dtype === "f64" ? 2 : 4;
    return printWasm(lowerAxis(kernel, lanes), layout, memory, false);
  }
  const wide = [...kernel.accesses, ...kernel.body].some(({ dtype }) => dtype === "f64");
  // Polynomials are never fused, so that they have the same bits with and without relaxed instructions.
  const policy = { lanes: wide ? 2 : 4, doubles: 2, fma: false, oneVector: false, abreast: 4 };
  return printWasm(lowerLoop(kernel, policy), layout, memory, relaxed);
}
