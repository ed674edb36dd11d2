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

/** Whether a kernel loads, computes or stores f64. */
export const hasDoubles = (kernel: Kernel): boolean =>
  [kernel.accesses, ...bodiesOf(kernel)].some((all) => all.some(({ dtype }) => dtype === "f64"));

/** Which values only such accesses, as `isSame` holds of, and constants go into. */
export function valuesOf(
  body: readonly Value[],
  accesses: readonly Access[],
  isSame: (access: Access) => boolean,
): boolean[] {
  const same: boolean[] = [];
  for (const value of body) {
    const own =
      "access" in value
        ? isSame(accesses[value.access]!)
        : value.op !== "reduce" && value.op !== "accumulator";
    same.push(own && argsOf(value).every((a) => same[a]!));
  }
  return same;
}

/** Which values are known to be the same in all lanes. */
export const uniformValues = (body: readonly Value[], accesses: readonly Access[]): boolean[] =>
  valuesOf(body, accesses, ({ vector }) => vector === "uniform");
