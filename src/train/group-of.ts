import { ArgumentError } from "../base/errors.ts";
import type { StepGroup } from "../distributed/step-group.ts";
import type { Module } from "../nn/module.ts";
import type { LossResult } from "./differentiate.ts";
import type { StepOptimizer } from "./step-optimizer.ts";
import type { TrainStepOptions } from "./step-types.ts";

/** What a step has of its group; null without one. Throws `ArgumentError` for options that cannot be. */
export function groupOf<A extends unknown[], L extends LossResult>(
  options: TrainStepOptions<A, L>,
  { module, optimizer }: { readonly module: Module; readonly optimizer: StepOptimizer },
): StepGroup | null {
  const { group, average = "ranks", start = "same", accumulate = 1, clipNorm, clipValue } = options;
  if (average !== "ranks" && average !== "used")
    throw new ArgumentError(`trainStep: average is ${String(average)}; it must be "ranks" or "used"`);
  if (start !== "same" && start !== "broadcast")
    throw new ArgumentError(`trainStep: start is ${String(start)}; it must be "same" or "broadcast"`);
  if (group === undefined) return null;
  if (typeof group?.forStep !== "function")
    throw new ArgumentError("trainStep: group is no group of ranks; give what distributed.group() gives");
  const finite = options.finite ?? false;
  const hooked = options.gradients !== undefined;
  const facts = {
    "the optimizer": optimizer.name,
    accumulate: `${accumulate}`,
    clipNorm: `${clipNorm ?? "not given"}`,
    clipValue: `${clipValue ?? "not given"}`,
    finite: `${finite}`,
    average,
    start,
    "whether there is a hook on gradients": `${hooked}`,
  };
  return group.forStep({
    module,
    facts,
    parameters: () => optimizer.parameters(),
    average,
    start,
    checksLater: finite || hooked,
  });
}
