export { type BackwardOptions, backward, reachedOwners } from "./backward.ts";
export { narrow, type Selection } from "./narrow.ts";
export { type OperandRule, type VjpRule, vjpRules } from "./vjp.ts";
