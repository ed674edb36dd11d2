import { argsLayout } from "../../codegen/args.ts";
import { lowerAxis } from "../../codegen/axis.ts";
import { emitContract } from "../../codegen/c/contract.ts";
import { shapeOf } from "../../codegen/c/forms.ts";
import { emitLoop } from "../../codegen/c/loop.ts";
import { lanesOf } from "../../codegen/c/prelude.ts";
import type { CTarget } from "../../codegen/c/target.ts";
import type { CUnit } from "../../codegen/c/writer.ts";
import type { Kernel } from "../../plan/kernel.ts";
import { printC } from "./print.ts";

/**
 * The C of a kernel, which exports `void run(const i64 *args, i64 begin, i64 end, char *scratch)`: it does tasks
 * [begin, end). `form` is what `formOf` says of its call.
 */
export function emitKernelC(kernel: Kernel, form: string, target: CTarget): CUnit {
  if (kernel.kind === "contract") return emitContract(kernel, form, target);
  if (kernel.kind !== "loop") {
    const lanes = lanesOf(target, kernel.accesses[0]!.dtype === "f64");
    return printC(lowerAxis(kernel, lanes), argsLayout(kernel), target);
  }
  const shape = shapeOf(form, target);
  return emitLoop(kernel, shape.target, shape.oneVector);
}
