import { currentTrace } from "../engine/trace.ts";
import type { Parameter } from "../tensor/parameter.ts";

/** Warns of parameters that an optimizer is about to move although autograd was told to leave them alone. */
export function warnOfLeak(
  optimizer: string,
  leaking: readonly (readonly [name: string, parameter: Parameter])[],
): void {
  const names = leaking.map(([name]) => name);
  const [one, verb] = names.length === 1 ? ["its gradient", "has"] : ["their gradients", "have"];
  const zero =
    !currentTrace().recording && leaking.every(([, p]) => p.grad!.dataSync().every((g) => g === 0));
  const cause = zero
    ? `${one}: zeros, not null, as zeroGrad({ setToNone: false }) leaves them`
    : `${one}: stale, left by an earlier backward()`;
  console.warn(
    `thaw: ${optimizer} moves ${names.join(", ")}, which ${verb} requiresGrad = false, because of ${cause}. ` +
      "Momentum, adaptive rates and weight decay act on any gradient that is not null. " +
      "Set grad to null, call zeroGrad(), or freeze() the parameter. (This is said once.)",
  );
}
