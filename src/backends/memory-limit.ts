/** What is used of Node's process. */
interface Host {
  constrainedMemory?(): number | undefined;
  memoryUsage?: { rss(): number };
}

/** Room that is left to a backend in any case: where a limit is so close, the system says so itself. */
const least = 2 ** 26;

/**
 * Bytes that a process may still take where something holds it to fewer than its machine has (a container, a cgroup of
 * the system's own): what is allowed, less what it has taken already. Infinity where nothing does, or nobody says.
 */
export function allowedMemory(
  process: Host | undefined = (globalThis as { process?: Host }).process,
): number {
  const allowed = process?.constrainedMemory?.();
  // None is 0 on some systems, undefined on others, and on others more than any machine has.
  if (allowed === undefined || !(allowed > 0) || allowed >= 2 ** 53) return Number.POSITIVE_INFINITY;
  return Math.max(least, allowed - (process?.memoryUsage?.rss() ?? 0));
}
