/** Something that runs after other such things. Its edges are direct ones, known at both ends. */
export interface Ordered<T> {
  /** What must run before. */
  readonly deps: Set<T>;
  /** What must run afterwards. */
  readonly users: Set<T>;
  /** Scratch of `dependsOn`: the search that has last been here. */
  seen: number;
}

/** Says that `later` must run after `earlier`. */
export function precede<T extends Ordered<T>>(earlier: T, later: T): void {
  later.deps.add(earlier);
  earlier.users.add(later);
}

let searches = 0;

/**
 * Whether `later` must run after `earlier`, directly or not. The search starts at both ends and goes on where fewer
 * edges have been followed so far: what lies between two kernels of a deep network is a small part of it, and where
 * nothing does, one of the two ends is soon exhausted.
 */
export function dependsOn<T extends Ordered<T>>(later: T, earlier: T): boolean {
  if (later.deps.size === 0 || earlier.users.size === 0) return false;
  if (later.deps.has(earlier)) return true;
  const before = ++searches;
  const after = ++searches;
  later.seen = before;
  earlier.seen = after;
  const back = [later];
  const ahead = [earlier];
  let [backward, forward] = [0, 0];
  for (let i = 0, j = 0; i < back.length && j < ahead.length; ) {
    const deps = back[i]!.deps;
    const users = ahead[j]!.users;
    if (backward + deps.size <= forward + users.size) {
      backward += deps.size;
      i++;
      for (const next of deps) {
        if (next.seen === after) return true;
        if (next.seen === before) continue;
        next.seen = before;
        back.push(next);
      }
    } else {
      forward += users.size;
      j++;
      for (const next of users) {
        if (next.seen === before) return true;
        if (next.seen === after) continue;
        next.seen = after;
        ahead.push(next);
      }
    }
  }
  return false;
}
