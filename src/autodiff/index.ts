export { type BackwardOptions, backward } from "./backward.ts";
export { type OperandRule, type VjpRule, vjpRules } from "./vjp.ts";
