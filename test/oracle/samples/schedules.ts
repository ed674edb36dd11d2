import { ThawError } from "../../../src/base/errors.ts";
import * as optim from "../../../src/optim/index.ts";
import { Parameter, zeros } from "../../../src/tensor/index.ts";

/** A schedule on two groups, and the rate and the momentum of each before the first step and after every one. */
export interface ScheduleSample {
  op: string;
  kind: "sample" | "error";
  options: Options;
  rates?: [number, number][][];
  /** What PyTorch says where it stops. */
  message?: string;
}

type Options = { [name: string]: Value };
type Value = number | string | boolean | null | Value[] | Options;
type Part = [string, Options];

/** Functions by name, as the generator has them. */
const lambdas: { readonly [name: string]: (step: number) => number } = {
  half: (n) => 0.5 ** n,
  alternating: (n) => (n % 2 === 1 ? -1 : 1),
  zero: () => 0,
  rising: (n) => 1 + n / 8,
  slow: () => 0.95,
};

/** Options that are called otherwise here. */
const renamed: { readonly [name: string]: string } = {
  T_max: "TMax",
  T_0: "T0",
  T_mult: "TMult",
  lr_lambda: "lambda",
  schedulers: "schedules",
};
const camel = (name: string): string =>
  renamed[name] ?? name.replace(/_(\w)/g, (_, c: string) => c.toUpperCase());

type Class = new (optimizer: optim.Schedulable, options: object) => { step(metric?: number): void };

function made(name: string, options: Options, optimizer: optim.Schedulable): InstanceType<Class> {
  const value = (key: string, given: Value): unknown => {
    if (key === "lr_lambda")
      return Array.isArray(given) ? given.map((g) => lambdas[g as string]) : lambdas[given as string];
    if (key === "schedulers") return (given as Part[]).map(([part, its]) => made(part, its, optimizer));
    return given;
  };
  const Schedule = (optim as unknown as Record<string, Class>)[name];
  if (Schedule === undefined) throw new Error(`missing: no schedule ${name}`);
  return new Schedule(
    optimizer,
    Object.fromEntries(Object.entries(options).map(([k, v]) => [camel(k), value(k, v)])),
  );
}

/** What is wrong with the rates that a schedule of thaw sets, or null. */
export function scheduleFailureOf(
  sample: ScheduleSample,
  metrics: readonly (number | string)[],
): string | null {
  const [first, second] = [new Parameter(zeros([1])), new Parameter(zeros([1]))];
  const optimizer = new optim.SGD([{ params: [first] }, { params: [second], lr: 0.03 }], {
    lr: 0.1,
    momentum: 0.9,
  });
  let reached = -1;
  try {
    const schedule = made(sample.op, sample.options, optimizer);
    for (const [step, wanted] of (sample.rates ?? []).entries()) {
      reached = step;
      if (step > 0) schedule.step(...(sample.op === "ReduceLROnPlateau" ? [Number(metrics[step - 1])] : []));
      for (const [i, [lr, momentum]] of wanted.entries()) {
        const group = optimizer.paramGroups[i]! as unknown as { lr: number; momentum: number };
        if (!near(group.lr, lr))
          return `step ${step}: the rate of group ${i} is ${group.lr}, PyTorch's ${lr}`;
        if (!near(group.momentum, momentum))
          return `step ${step}: the momentum of group ${i} is ${group.momentum}, PyTorch's ${momentum}`;
      }
    }
    if (sample.message === undefined) return null;
    reached = sample.rates?.length ?? 0;
    if (sample.rates !== undefined) schedule.step(...(sample.op === "ReduceLROnPlateau" ? [0] : []));
  } catch (error) {
    const refused = sample.message !== undefined && reached >= (sample.rates?.length ?? -1);
    if (refused && error instanceof ThawError) return null;
    const { name, message } = error as Error;
    return message.startsWith("missing") ? message : `step ${reached}: ${name}: ${message.split("\n")[0]}`;
  }
  // Where Python divides by zero there is no rate to agree with.
  return sample.message!.startsWith("ZeroDivisionError") ? null : `accepted; PyTorch: ${sample.message}`;
}

const near = (got: number, want: number): boolean =>
  got === want || Math.abs(got - want) <= 1e-12 + 1e-9 * Math.abs(want);
