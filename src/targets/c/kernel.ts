import { argsLayout } from "../../codegen/args.ts";
import { lowerAxis } from "../../codegen/axis.ts";
import { lowerContract } from "../../codegen/contract.ts";
import { lowerLoop } from "../../codegen/loop.ts";
import type { ProductForm } from "../../codegen/product-policy.ts";
import type { Kernel } from "../../plan/kernel.ts";
import { shapeOf } from "./forms.ts";
import { printC, vectorsOf } from "./print.ts";
import { productsC } from "./products.ts";
import type { CTarget } from "./target.ts";
import { productTiles } from "./tile.ts";
import type { CUnit } from "./writer.ts";

/**
 * The C of a kernel, which exports `void run(const i64 *args, i64 begin, i64 end, char *scratch)`: it does tasks
 * [begin, end). `form` is what `formOf` says of its call.
 */
export function emitKernelC(kernel: Kernel, form: string, target: CTarget): CUnit {
  const layout = argsLayout(kernel);
  if (kernel.kind === "contract") {
    const wide = [...kernel.accesses, ...kernel.prologue, ...kernel.epilogue].some((x) => x.dtype === "f64");
    const policy = productsC(target, wide);
    return printC(
      lowerContract(kernel, form as ProductForm, policy),
      layout,
      target,
      wide,
      productTiles(policy),
    );
  }
  if (kernel.kind !== "loop") {
    const wide = kernel.accesses.some(({ dtype }) => dtype === "f64");
    return printC(lowerAxis(kernel, vectorsOf(target, wide).lanes), layout, target, wide);
  }
  const shape = shapeOf(form, target);
  const wide = [...kernel.accesses, ...kernel.body].some(({ dtype }) => dtype === "f64");
  const policy = {
    ...vectorsOf(shape.target, wide),
    fma: target.fma,
    oneVector: shape.oneVector,
    abreast: 8,
  };
  return printC(lowerLoop(kernel, policy), layout, shape.target, wide);
}
