export type { Backend } from "./contract.ts";
export { backendNames, backendOf, currentBackend } from "./registry.ts";
