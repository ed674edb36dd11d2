import { argsLayout } from "../../codegen/args.ts";
import { lowerAxis } from "../../codegen/axis.ts";
import type { AxisKernel } from "../../plan/kernel.ts";
import type { MemoryImport } from "./emitter.ts";
import { printWasm } from "./print.ts";

/** The module of a kernel that is lowered: it exports `run(args, begin, end)`, which does tasks [begin, end). */
export function emitAxis(kernel: AxisKernel, memory: MemoryImport): Uint8Array<ArrayBuffer> {
  const lanes = kernel.accesses[0]!.dtype === "f64" ? 2 : 4;
  return printWasm(lowerAxis(kernel, lanes), argsLayout(kernel, 4), memory, false);
}
