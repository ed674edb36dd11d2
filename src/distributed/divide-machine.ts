import { availableCores } from "../backends/cores.ts";
import { allowedMemory } from "../backends/memory-limit.ts";
import { settings } from "../base/settings.ts";

/**
 * Threads and memory of each of some ranks that share a machine, and of which so many share its cores: where each has cores
 * of its own, those are all that this process is given.
 */
export function shareOf(
  ranks: number,
  ofCores = ranks,
): { readonly threads: number; readonly memory: number } {
  const { totalmem } = process.getBuiltinModule("node:os");
  const memory = settings.maxMemory ?? Math.min(totalmem(), allowedMemory());
  const threads = settings.threads === undefined ? availableCores() / ofCores : settings.threads / ranks;
  const least = 2 ** 20;
  return {
    threads: Math.max(1, Math.floor(threads)),
    memory: Math.max(least, Math.floor(memory / ranks)),
  };
}

/** Has this process use its share of a machine, and of its cores. */
export function divideMachine(ranks: number, ofCores: number): void {
  const { threads, memory } = shareOf(ranks, ofCores);
  settings.threads = threads;
  settings.maxMemory = memory;
}

/** What is good to know where some ranks have fewer cores than there are of them; null where they have enough. */
export function crowdText(ranks: number): string | null {
  const cores = availableCores();
  if (ranks <= cores) return null;
  return `${ranks} ranks share ${cores} core${cores > 1 ? "s" : ""}: they wait for each other more than they compute`;
}
