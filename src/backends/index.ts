export type { Backend } from "../plan/plan.ts";
export { backendNames, backendOf, currentBackend } from "./registry.ts";
