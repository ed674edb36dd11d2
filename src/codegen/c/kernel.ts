import type { Kernel } from "../../plan/kernel.ts";
import { emitAxis } from "./axis.ts";
import { emitContract } from "./contract.ts";
import { shapeOf } from "./forms.ts";
import { emitLoop } from "./loop.ts";
import type { CTarget } from "./target.ts";
import type { CUnit } from "./writer.ts";

/**
 * The C of a kernel, which exports `void run(const i64 *args, i64 begin, i64 end, char *scratch)`: it does tasks
 * [begin, end). `form` is what `formOf` says of its call.
 */
export function emitKernelC(kernel: Kernel, form: string, target: CTarget): CUnit {
  if (kernel.kind === "contract") return emitContract(kernel, form, target);
  if (kernel.kind !== "loop") return emitAxis(kernel, target);
  const shape = shapeOf(form, target);
  return emitLoop(kernel, shape.target, shape.oneVector);
}
