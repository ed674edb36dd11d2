import type { Kernel } from "../../plan/kernel.ts";
import { emitAxis } from "./axis.ts";
import { emitContract } from "./contract.ts";
import { targetOf } from "./forms.ts";
import { emitLoop } from "./loop.ts";
import type { CTarget } from "./target.ts";

/**
 * The C of a kernel, a whole translation unit that exports
 * `void run(const i64 *args, i64 begin, i64 end, char *scratch)`: it does tasks [begin, end). `form` is what `formOf`
 * says of its call.
 */
export function emitKernelC(kernel: Kernel, form: string, target: CTarget): string {
  if (kernel.kind === "loop") return emitLoop(kernel, targetOf(form, target));
  if (kernel.kind === "contract") return emitContract(kernel, form, target);
  return emitAxis(kernel, target);
}
