import type { Access, Kernel, Value } from "../plan/kernel.ts";

/** The bodies of a kernel. */
export const bodiesOf = (kernel: Kernel): readonly (readonly Value[])[] =>
  kernel.kind === "loop"
    ? [kernel.body]
    : kernel.kind === "contract"
      ? [kernel.prologue, kernel.epilogue]
      : [];

/** The earlier values that a value is computed from. */
export const argsOf = (value: Value): readonly number[] => ("args" in value ? value.args : []);

/** Which values are known to be the same in all lanes: those that only uniform accesses and constants go into. */
export function uniformValues(body: readonly Value[], accesses: readonly Access[]): boolean[] {
  const uniform: boolean[] = [];
  for (const value of body) {
    const own =
      "access" in value
        ? accesses[value.access]!.vector === "uniform"
        : value.op !== "reduce" && value.op !== "accumulator";
    uniform.push(own && argsOf(value).every((a) => uniform[a]!));
  }
  return uniform;
}
