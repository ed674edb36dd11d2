import { ArgumentError } from "../base/errors.ts";
import { selectParts } from "../freeze/select.ts";
import type { Module } from "../nn/module.ts";
import type { StatePolicy } from "../optim/state-policy.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { StepOptimizer } from "./step-optimizer.ts";

/** Says of a module's parameters, by selector, what becomes of their optimizer state; later ones win. */
export function setStatePolicies(
  optimizer: StepOptimizer,
  module: Module,
  policies: Readonly<Record<string, StatePolicy>> = {},
): void {
  for (const [selector, policy] of Object.entries(policies))
    optimizer.setStatePolicy(wholeParameters(module, selector), policy);
}

/** The parameters that a selector names all of; state policies are of those. */
function wholeParameters(module: Module, selector: string): Parameter[] {
  return [...selectParts(module, selector)].map(([path, { parameter, region }]) => {
    if (region === null) return parameter;
    throw new ArgumentError(
      `trainStep: state has a policy for ${path}${region.text}; name ${path}: each region that is trained by itself follows its policy by itself`,
    );
  });
}
