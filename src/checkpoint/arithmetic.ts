import { currentBackend } from "../backends/registry.ts";

/**
 * Which arithmetic runs here: the backend, and whether it fuses multiply-adds. The same plan gives the same bits
 * wherever this is the same; how many threads there are, and how much memory, changes nothing.
 */
export function arithmetic(): string {
  const backend = currentBackend();
  // A description begins with how it computes, and goes on, after a comma, with how much.
  return `${backend.name}: ${backend.describe().split(",")[0]}`;
}
