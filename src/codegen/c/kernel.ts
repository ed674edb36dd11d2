import type { Kernel } from "../../plan/kernel.ts";
import { emitAxis } from "./axis.ts";
import { emitContract } from "./contract.ts";
import { shapeOf } from "./forms.ts";
import { emitLoop } from "./loop.ts";
import { preludeC } from "./prelude.ts";
import type { CTarget } from "./target.ts";

/** The C of a kernel: units with the same prelude may hold several bodies, if each has no function but `run`. */
export interface CUnit {
  readonly prelude: string;
  readonly body: string;
}

/**
 * The C of a kernel, which exports `void run(const i64 *args, i64 begin, i64 end, char *scratch)`: it does tasks
 * [begin, end). `form` is what `formOf` says of its call.
 */
export function emitKernelC(kernel: Kernel, form: string, target: CTarget): CUnit {
  const shape = kernel.kind === "loop" ? shapeOf(form, target) : { target, oneVector: false };
  const text =
    kernel.kind === "loop"
      ? emitLoop(kernel, shape.target, shape.oneVector)
      : kernel.kind === "contract"
        ? emitContract(kernel, form, target)
        : emitAxis(kernel, target);
  const [narrow, wide] = [false, true].map((w) => preludeC(shape.target, w)) as [string, string];
  const prelude = text.startsWith(narrow) ? narrow : text.startsWith(wide) ? wide : "";
  return { prelude, body: text.slice(prelude.length) };
}
