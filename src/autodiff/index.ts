export { backward, type BackwardOptions } from "./backward.ts";
export { type OperandRule, type VjpRule, vjpRules } from "./vjp.ts";
