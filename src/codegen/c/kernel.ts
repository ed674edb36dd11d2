import type { Kernel } from "../../plan/kernel.ts";
import { emitAxis } from "./axis.ts";
import { emitContract } from "./contract.ts";
import { targetOf } from "./forms.ts";
import { emitLoop } from "./loop.ts";
import { preludeC } from "./prelude.ts";
import type { CTarget } from "./target.ts";

/** The C of a kernel: units with the same prelude may hold several bodies, if each has no function but `run`. */
export interface CUnit {
  readonly prelude: string;
  readonly body: string;
}

function emitText(kernel: Kernel, form: string, target: CTarget): string {
  if (kernel.kind === "loop") return emitLoop(kernel, targetOf(form, target));
  if (kernel.kind === "contract") return emitContract(kernel, form, target);
  return emitAxis(kernel, target);
}

/**
 * The C of a kernel, which exports `void run(const i64 *args, i64 begin, i64 end, char *scratch)`: it does tasks
 * [begin, end). `form` is what `formOf` says of its call.
 */
export function emitKernelC(kernel: Kernel, form: string, target: CTarget): CUnit {
  const text = emitText(kernel, form, target);
  const [narrow, wide] = [false, true].map((w) => preludeC(targetOf(form, target), w)) as [string, string];
  const prelude = text.startsWith(narrow) ? narrow : text.startsWith(wide) ? wide : "";
  return { prelude, body: text.slice(prelude.length) };
}
