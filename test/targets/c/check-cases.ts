import { dtypes } from "../../../src/base/dtype.ts";
import { argsLayout } from "../../../src/codegen/args.ts";
import { formOf } from "../../../src/targets/c/forms.ts";
import { emitKernelC } from "../../../src/targets/c/kernel.ts";
import type { CTarget } from "../../../src/targets/c/target.ts";
import { textOf } from "../../../src/targets/c/unit.ts";
import type { AxisCase } from "../../codegen/axis-cases.ts";
import { expectClose, type LoopCase } from "../../codegen/case-list.ts";
import { expectLoop } from "../../codegen/loop-call.ts";
import { flags, type Job, runJobs } from "./program.ts";

/** A machine with vectors of some bytes. */
export const targetOf = (vectorBytes: CTarget["vectorBytes"]): CTarget => ({
  vectorBytes,
  fma: true,
  l1: 32 * 1024,
  l2: 1024 * 1024,
});

/** A call as a job: its words, and its tasks: `chunk` indices of the first dimension each. */
export function jobOf(
  { call, buffers }: Pick<LoopCase | AxisCase, "call" | "buffers">,
  target: CTarget,
  chunk: number,
  form = "",
): Job {
  const { kernel, extents } = call;
  const layout = argsLayout(kernel);
  const args: { value: number; buffer?: number }[] = [];
  for (const [d, at] of layout.extents.entries()) args[at] = { value: extents[d]! };
  for (const [a, place] of layout.accesses.entries()) {
    const { buffer, offset, strides, axisStride = 0 } = call.accesses[a]!;
    const size = buffer < 0 ? 1 : dtypes[kernel.accesses[a]!.dtype].bytes;
    args[place.pointer] = { value: offset * size, buffer };
    for (const [d, at] of place.strides.entries()) args[at] = { value: strides[d]! * size };
    if (place.axisStride >= 0) args[place.axisStride] = { value: axisStride * size };
  }
  const whole = kernel.kind === "loop" && kernel.outer === 0 && kernel.body.some((v) => v.op === "reduce");
  const total = whole ? 1 : extents[0]!;
  const tasks: [number, number][] = [];
  for (let begin = 0; begin < total; begin += chunk) tasks.push([begin, Math.min(total, begin + chunk)]);
  const unit = textOf(emitKernelC(kernel, form, target));
  return { unit, buffers, args, tasks, scratchBytes: 0 };
}

/** In C each case gives what plain loops give, in one task and in small ones, and as one vector where its rows are. */
export function checkCases(
  cases: readonly LoopCase[],
  compiler: string,
  target: CTarget,
  options: readonly string[] = flags.fast,
): void {
  const runs = cases.flatMap((c) => {
    const forms = formOf(c.call, target).startsWith("one") ? ["", "one"] : [""];
    return forms.flatMap((form) =>
      [Number.POSITIVE_INFINITY, 3].map((chunk) => ({ c, job: jobOf(c, target, chunk, form) })),
    );
  });
  const jobs = runs.map(({ job }) => job);
  for (const [i, got] of runJobs(jobs, compiler, target, options).entries()) {
    const { c } = runs[i]!;
    expectClose(c, got, expectLoop(c.call, c.buffers));
  }
}
