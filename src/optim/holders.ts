import type { Parameter } from "../tensor/parameter.ts";

const counts = new WeakMap<Parameter, number>();

/** Notes that an optimizer was given parameters. */
export function noteHeld(parameters: Iterable<Parameter>): void {
  for (const p of parameters) counts.set(p, (counts.get(p) ?? 0) + 1);
}

/** How many optimizers were ever given a parameter. */
export const holdersOf = (p: Parameter): number => counts.get(p) ?? 0;
