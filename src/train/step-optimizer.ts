import type { Optimizer } from "../optim/optimizer.ts";

/** What a step needs of an optimizer. */
export type StepOptimizer = Pick<
  Optimizer<{ lr: number }, { step: number }>,
  "module" | "name" | "observe" | "parameters" | "parts" | "setStatePolicy" | "update" | "updates"
>;
