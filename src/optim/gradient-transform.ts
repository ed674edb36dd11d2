import type { Parameter } from "../tensor/parameter.ts";
import type { Node } from "./transform.ts";

/** The gradients of one step, by parameter. */
export type Gradients = ReadonlyMap<Parameter, Node>;

/** Works on all gradients of a step at once, before the optimizer's chain sees each by itself. */
export interface GradientTransform {
  readonly name: string;
  apply(gradients: Gradients): Gradients;
}

/** Where gradient transforms stand in a step: always in this order, whatever a step uses of them. */
export interface GradientSlots {
  readonly accumulate?: GradientTransform;
  readonly allReduce?: GradientTransform;
  readonly hook?: GradientTransform;
  readonly finite?: GradientTransform;
  readonly clip?: readonly GradientTransform[];
}

/** Passes gradients through the slots. */
export function throughSlots(
  gradients: Gradients,
  { accumulate, allReduce, hook, finite, clip = [] }: GradientSlots,
): Gradients {
  let now = gradients;
  for (const transform of [accumulate, allReduce, hook, finite, ...clip])
    if (transform !== undefined) now = transform.apply(now);
  return now;
}
