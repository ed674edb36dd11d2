/** Whether a module has the members that it had, under the same names and in the same order. */
export function sameMembers(
  now: readonly (readonly [string, object])[],
  before: readonly (readonly [string, object])[],
): boolean {
  if (now.length !== before.length) return false;
  for (let i = 0; i < now.length; i++)
    if (now[i]![1] !== before[i]![1] || now[i]![0] !== before[i]![0]) return false;
  return true;
}
