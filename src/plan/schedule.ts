import { InternalError } from "../base/errors.ts";
import type { Ordered } from "./precedence.ts";

/** A unit of work: everything in `deps` runs before it. */
export interface Task<T> extends Ordered<T> {
  /** Lower runs first among those that may: what frees memory before what takes some. */
  readonly priority: number;
}

/** An order in which every task follows what it depends on. */
export function schedule<T extends Task<T>>(tasks: readonly T[]): T[] {
  const waiting = new Map<T, number>();
  const ready = new Ready<T>();
  for (const t of tasks) {
    waiting.set(t, t.deps.size);
    if (t.deps.size === 0) ready.add(t);
  }
  const order: T[] = [];
  for (let t = ready.take(); t !== undefined; t = ready.take()) {
    order.push(t);
    for (const user of t.users) {
      const left = waiting.get(user)! - 1;
      waiting.set(user, left);
      if (left === 0) ready.add(user);
    }
  }
  if (order.length !== tasks.length) throw new InternalError("plan: kernels wait for each other in a circle");
  return order;
}

/** Tasks that may run now, as a binary heap: the one of lowest priority, and of equals the one added first, comes next. */
class Ready<T extends { readonly priority: number }> {
  readonly #heap: { readonly task: T; readonly turn: number }[] = [];
  #turn = 0;

  #before(i: number, j: number): boolean {
    const [a, b] = [this.#heap[i]!, this.#heap[j]!];
    return a.task.priority < b.task.priority || (a.task.priority === b.task.priority && a.turn < b.turn);
  }

  #swap(i: number, j: number): void {
    [this.#heap[i], this.#heap[j]] = [this.#heap[j]!, this.#heap[i]!];
  }

  add(task: T): void {
    let at = this.#heap.push({ task, turn: this.#turn++ }) - 1;
    for (let up = (at - 1) >> 1; at > 0 && this.#before(at, up); up = (at - 1) >> 1) {
      this.#swap(at, up);
      at = up;
    }
  }

  take(): T | undefined {
    if (this.#heap.length === 0) return undefined;
    this.#swap(0, this.#heap.length - 1);
    const { task } = this.#heap.pop()!;
    for (let at = 0; ; ) {
      let next = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < this.#heap.length && this.#before(child, next)) next = child;
      if (next === at) return task;
      this.#swap(at, next);
      at = next;
    }
  }
}
