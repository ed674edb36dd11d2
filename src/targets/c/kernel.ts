import { argsLayout } from "../../codegen/args.ts";
import { lowerAttention } from "../../codegen/attention.ts";
import { lowerAxis } from "../../codegen/axis.ts";
import { hasDoubles } from "../../codegen/body.ts";
import { lowerContract } from "../../codegen/contract.ts";
import { lowerLoop } from "../../codegen/loop.ts";
import type { ProductForm } from "../../codegen/product-policy.ts";
import { isAttention, type Kernel } from "../../plan/kernel.ts";
import { shapeOf } from "./forms.ts";
import { printC } from "./print.ts";
import { attentionC, productsC } from "./products.ts";
import { type CTarget, vectorsOf } from "./target.ts";
import { productTiles } from "./tile.ts";
import type { CUnit } from "./unit.ts";

/**
 * The C of a kernel, which exports `void run(const i64 *args, i64 begin, i64 end, char *scratch)`: it does tasks
 * [begin, end). `form` is what `formOf` says of its call.
 */
export function emitKernelC(kernel: Kernel, form: string, target: CTarget): CUnit {
  const layout = argsLayout(kernel);
  const wide = hasDoubles(kernel);
  if (kernel.kind === "contract") {
    const policy = productsC(target, wide);
    return printC(
      lowerContract(kernel, form as ProductForm, policy),
      layout,
      target,
      wide,
      productTiles(policy),
    );
  }
  if (isAttention(kernel)) {
    const policy = attentionC(target);
    return printC(lowerAttention(kernel, policy), layout, target, false, productTiles(policy.product));
  }
  if (kernel.kind !== "loop") {
    return printC(lowerAxis(kernel, vectorsOf(target, wide).lanes), layout, target, wide);
  }
  const shape = shapeOf(form, target);
  const policy = {
    ...vectorsOf(shape.target, wide),
    fma: target.fma,
    oneVector: shape.oneVector,
    abreast: 8,
  };
  return printC(lowerLoop(kernel, policy), layout, shape.target, wide);
}
