import { describe, expect, test } from "vitest";
import { pow } from "../../../src/base/arithmetic.ts";
import type { CTarget } from "../../../src/targets/c/target.ts";
import {
  bounds,
  callOf,
  even,
  type FunctionName,
  functionNames,
  functions,
  largeAngles,
  patterns,
  powers,
  special,
  worst,
} from "../../codegen/functions.ts";
import { jobOf, targetOf } from "./check-cases.ts";
import { compilers, flags, runJobs } from "./program.ts";

/** A function of some numbers, as a job and what is to come of it. */
interface Trial {
  readonly name: FunctionName | "pow";
  readonly inputs: readonly Float32Array[];
  readonly bound: number;
  /** f64 anywhere in a kernel makes vectors of f32 half as long. */
  readonly result?: "f32" | "f64";
}

const specialPowers = [0, 0.5, 1, 1.5, 2, 3, 4e7, Number.POSITIVE_INFINITY, Number.NaN].flatMap((x) => [
  x,
  -x,
]);
const pairs = specialPowers.flatMap((x) => specialPowers.map((y) => [x, y] as const));
const special2 = [Float32Array.from(pairs, ([x]) => x), Float32Array.from(pairs, ([, y]) => y)];

const trials: readonly Trial[] = [
  ...functionNames.flatMap((name): Trial[] => [
    ...[patterns, even].map((x) => ({ name, inputs: [x], bound: bounds[name] })),
    { name, inputs: [special], bound: 0 },
    { name, inputs: [even.subarray(0, 1001)], bound: bounds[name], result: "f64" },
  ]),
  ...(["sin", "cos"] as const).map((name) => ({ name, inputs: [largeAngles], bound: bounds[name] })),
  ...powers.map((inputs): Trial => ({ name: "pow", inputs, bound: bounds.pow })),
  { name: "pow", inputs: special2, bound: 0.5 },
  { name: "pow", inputs: special2, bound: 0.5, result: "f64" },
];

function check(compiler: string, target: CTarget): void {
  const jobs = trials.map(({ name, inputs, result = "f32" }) => {
    const n = inputs[0]!.length;
    const buffers = [...inputs, result === "f32" ? new Float32Array(n) : new Float64Array(n)];
    return jobOf({ call: callOf(name, n, result), buffers }, target, Number.POSITIVE_INFINITY);
  });
  for (const [t, buffers] of runJobs(jobs, compiler, target).entries()) {
    const { name, inputs, bound } = trials[t]!;
    const [x, y] = inputs as [Float32Array, Float32Array?];
    const exact = (i: number) => (name === "pow" ? pow(x[i]!, y![i]!) : functions[name](x[i]!));
    const { error, at } = worst(buffers.at(-1)!, exact);
    expect(error, `${name}(${inputs.map((v) => v[at])})`).toBeLessThanOrEqual(bound);
  }
}

describe.each(compilers)("%s", (compiler) => {
  test.each([16, 32, 64] as const)(
    "within bounds, vectors of %i bytes",
    { timeout: 300_000 },
    (vectorBytes) => check(compiler, targetOf(vectorBytes)),
  );
  test("within bounds without a fused instruction", { timeout: 300_000 }, () =>
    check(compiler, { ...targetOf(16), fma: false }),
  );
  test("the same bits alone as among others", { timeout: 300_000 }, () => {
    const x = [...even.filter((_, i) => i % 4999 === 0), ...largeAngles.slice(0, 20)];
    const target = targetOf(64);
    for (const name of functionNames) {
      const job = jobOf(
        { call: callOf(name, x.length), buffers: [Float32Array.from(x), new Float32Array(x.length)] },
        target,
        Number.POSITIVE_INFINITY,
      );
      const alone = { ...job, tasks: x.map((_, i) => [i, i + 1] as const) };
      const [[, all], [, each]] = runJobs([job, alone], compiler, target) as [unknown[], unknown[]];
      expect(each, name).toEqual(all);
    }
  });
});

test("nothing that C leaves undefined", { timeout: 300_000 }, () => {
  const target = targetOf(32);
  const jobs = [...functionNames, "pow" as const].map((name) => {
    const inputs = name === "pow" ? special2 : [Float32Array.of(...special, ...largeAngles.slice(0, 20))];
    const n = inputs[0]!.length;
    const call = callOf(name, n);
    return jobOf({ call, buffers: [...inputs, new Float32Array(n)] }, target, Number.POSITIVE_INFINITY);
  });
  runJobs(jobs, compilers[0]!, target, flags.sanitized);
});
