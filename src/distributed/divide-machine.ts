import { availableCores } from "../backends/cores.ts";
import { allowedMemory } from "../backends/memory-limit.ts";
import { settings } from "../base/settings.ts";

/** Threads and memory of each of some ranks that share a machine. */
export function shareOf(ranks: number): { readonly threads: number; readonly memory: number } {
  const { totalmem } = process.getBuiltinModule("node:os");
  const memory = settings.maxMemory ?? Math.min(totalmem(), allowedMemory());
  const cores = settings.threads ?? availableCores();
  const least = 2 ** 20;
  return {
    threads: Math.max(1, Math.floor(cores / ranks)),
    memory: Math.max(least, Math.floor(memory / ranks)),
  };
}

/** Has this process use its share of a machine, of which each of some ranks has one. */
export function divideMachine(ranks: number): void {
  const { threads, memory } = shareOf(ranks);
  settings.threads = threads;
  settings.maxMemory = memory;
}

/** What is good to know where some ranks have fewer cores than there are of them; null where they have enough. */
export function crowdText(ranks: number, cores = availableCores()): string | null {
  if (ranks <= cores) return null;
  return `${ranks} ranks share ${cores} core${cores > 1 ? "s" : ""}: they wait for each other more than they compute`;
}
