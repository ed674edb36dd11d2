import { InternalError } from "../base/errors.ts";

/** A unit of work: everything in `deps` runs before it. */
export interface Task {
  readonly deps: ReadonlySet<Task>;
  /** Lower runs first among those that may: what frees memory before what takes some. */
  readonly priority: number;
}

/** An order in which every task follows what it depends on. */
export function schedule<T extends Task>(tasks: readonly T[]): T[] {
  const waiting = new Map<T, number>();
  const users = new Map<Task, T[]>();
  for (const t of tasks) {
    waiting.set(t, t.deps.size);
    for (const d of t.deps) {
      const known = users.get(d);
      if (known === undefined) users.set(d, [t]);
      else known.push(t);
    }
  }
  const ready = tasks.filter((t) => t.deps.size === 0);
  const order: T[] = [];
  while (ready.length > 0) {
    let best = 0;
    for (let i = 1; i < ready.length; i++) if (ready[i]!.priority < ready[best]!.priority) best = i;
    const [t] = ready.splice(best, 1) as [T];
    order.push(t);
    for (const u of users.get(t) ?? []) {
      const left = waiting.get(u)! - 1;
      waiting.set(u, left);
      if (left === 0) ready.push(u);
    }
  }
  if (order.length !== tasks.length) throw new InternalError("plan: kernels wait for each other in a circle");
  return order;
}
