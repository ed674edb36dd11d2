/** Averages that are in place of the weights now, and the parameters that they are of. */
const inUse = new Map<object, ReadonlySet<object>>();

/** Says that the values of some parameters and buffers are stand-ins; gives what ends that. */
export function noteStandIns(of: ReadonlySet<object>): () => void {
  const key = {};
  inUse.set(key, of);
  return () => inUse.delete(key);
}

/** Whether any of some parameters has a stand-in for its value now. */
export function haveStandIns(parameters: ReadonlySet<object>): boolean {
  for (const of of inUse.values()) for (const member of of) if (parameters.has(member)) return true;
  return false;
}
