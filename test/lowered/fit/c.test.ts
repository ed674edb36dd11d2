import { expect, test } from "vitest";
import { cellBytes } from "../../../src/lowered/walk.ts";
import { printC } from "../../../src/targets/c/print.ts";
import { textOf } from "../../../src/targets/c/unit.ts";
import { targetOf } from "../../targets/c/check-cases.ts";
import { compilers, type Job, runJobs } from "../../targets/c/program.ts";
import { type FitCase, fitCases } from "./cases.ts";
import { layoutOf } from "./parts.ts";
import { cTiles } from "./tiles.ts";

const policy = { threads: 1, block: 4 };
const target = targetOf(32);

function jobOf(c: FitCase): Job {
  const kernel = c.lower(policy);
  const layout = layoutOf(kernel, c.extents.length);
  const args: { value: number; buffer?: number }[] = c.extents.map((value) => ({ value }));
  for (const [i, { pointer, strides }] of layout.accesses.entries()) {
    const { buffer, offset, strides: steps } = c.accesses[i]!;
    const bytes = cellBytes[kernel.accesses[i]!.cell];
    args[pointer] = { value: offset * bytes, buffer };
    for (const [d, at] of strides.entries()) args[at] = { value: steps[d]! * bytes };
  }
  const unit = textOf(printC(kernel, layout, target, false, cTiles));
  return { unit, buffers: c.before, args, tasks: [[0, c.tasks(policy)]], scratchBytes: 4096 };
}

test("as C they give what plain loops give", () => {
  const all = runJobs(fitCases.map(jobOf), compilers[0]!, target);
  for (const [at, { name, after }] of fitCases.entries())
    for (const [i, wanted] of after.entries())
      for (const [k, x] of wanted.entries())
        expect(all[at]![i]![k], `${name}, buffer ${i}, ${k}`).toBeCloseTo(x, 5);
});
