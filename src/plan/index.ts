export { type ExplainedKernel, explainPlan, type PlanExplanation } from "./explain.ts";
export type { Access, AccessArgs, Kernel, KernelCall } from "./kernel.ts";
export type { Backend, Plan } from "./plan.ts";
