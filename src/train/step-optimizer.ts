import type { Module } from "../nn/module.ts";
import type { Optimizer } from "../optim/optimizer.ts";

/** What a step needs of an optimizer. */
export type StepOptimizer<M extends Module | null = Module | null> = Pick<
  Optimizer<{ lr: number }, { step: number }, M>,
  | "loadStateDict"
  | "module"
  | "name"
  | "observe"
  | "paramGroups"
  | "parameters"
  | "parts"
  | "residentParts"
  | "setStatePolicy"
  | "stateDict"
  | "statePolicyOf"
  | "update"
  | "updates"
>;
