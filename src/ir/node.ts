import { infer } from "./infer.ts";
import type { Node, Op, OpAttrs } from "./op.ts";

export type { Node };

let nextId = 1;
let gradEnabled = true;

/** Makes a node; shapes and dtypes are checked here, so an error points at the caller. */
export function node<K extends Op>(op: K, src: readonly Node[], attrs: OpAttrs[K], tracked?: boolean): Node<K> {
  const { shape, dtype } = infer(op, src, attrs);
  if (tracked === undefined) {
    tracked = false;
    if (gradEnabled && op !== "detach") for (const s of src) if (s.tracked) tracked = true;
  }
  return { id: nextId++, op, src, attrs, shape, dtype, tracked };
}

/** Whether nodes made now are tracked by autograd. */
export const isGradEnabled = (): boolean => gradEnabled;

/** Runs `fn` with tracking on or off, and puts it back. */
export function withGrad<T>(enabled: boolean, fn: () => T): T {
  const before = gradEnabled;
  gradEnabled = enabled;
  try {
    return fn();
  } finally {
    gradEnabled = before;
  }
}

/** Whether a node is of the given op (narrows its attributes). */
export const isOp = <K extends Op>(n: Node, op: K): n is Node<K> => n.op === (op as Op);

/** The nodes that `roots` need, operands before users. */
export function topological(roots: readonly Node[]): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack: Node[] = [];
  const next: number[] = [];
  for (const root of roots) {
    if (seen.has(root)) continue;
    seen.add(root);
    stack.push(root);
    next.push(0);
    while (stack.length > 0) {
      const top = stack.length - 1;
      const n = stack[top]!;
      const child = n.src[next[top]!];
      if (child === undefined) {
        order.push(n);
        stack.pop();
        next.pop();
      } else {
        next[top]!++;
        if (!seen.has(child)) {
          seen.add(child);
          stack.push(child);
          next.push(0);
        }
      }
    }
  }
  return order;
}
