import { infer, refuseTooMany } from "./infer.ts";
import type { Node, Op, OpAttrs } from "./op.ts";
import { noteLike, noteOrigin } from "./origin.ts";

export type { Node };

let nextId = 1;
let gradEnabled = true;

/** Makes a node; shapes and dtypes are checked here, so an error points at the caller. */
export function node<K extends Op>(
  op: K,
  src: readonly Node[],
  attrs: OpAttrs[K],
  tracked?: boolean,
): Node<K> {
  const { shape, dtype } = infer(op, src, attrs);
  if (tracked === undefined) {
    tracked = false;
    if (gradEnabled && op !== "detach") for (const s of src) if (s.tracked) tracked = true;
  }
  const made: Node<K> = {
    id: nextId++,
    op,
    src,
    attrs,
    shape,
    dtype,
    tracked,
    mark: 0,
    index: 0,
    view: null,
  };
  noteOrigin(made);
  return made;
}

/** A leaf for a stored value: its attributes say what it is, and nothing is to be inferred, in what every step does. */
export function leafNode(attrs: OpAttrs["input"]): Node<"input"> {
  const { shape, dtype } = attrs;
  refuseTooMany("input", noNodes, shape);
  const made: Node<"input"> = {
    id: nextId++,
    op: "input",
    src: noNodes,
    attrs,
    shape,
    dtype,
    tracked: false,
    mark: 0,
    index: 0,
    view: null,
  };
  noteOrigin(made);
  return made;
}

const noNodes: readonly Node[] = [];

/** The `id` of the node that was made last; those of all others are smaller. */
export const latestId = (): number => nextId - 1;

/**
 * An untracked node as another one but for its operands, of the same shapes and dtypes, and its attributes. All nodes are
 * made alike, as walks over graphs are hot.
 */
export function nodeLike<K extends Op>(
  n: Node<K>,
  src: readonly Node[],
  attrs: OpAttrs[K] = n.attrs,
): Node<K> {
  const { id, op, shape, dtype } = n;
  const made: Node<K> = { id, op, src, attrs, shape, dtype, tracked: false, mark: 0, index: 0, view: null };
  noteLike(n, made);
  return made;
}

/**
 * Makes an untracked node stand for a stored value that equals its own: every graph that was built on the node reads the
 * value from then on, and what the node was made of can be collected. Only the engine may say that they are equal.
 */
export function becomeInput(n: Node, attrs: OpAttrs["input"]): Node<"input"> {
  return Object.assign(n as { -readonly [K in keyof Node]: Node[K] }, {
    op: "input",
    src: [],
    attrs,
    view: null,
  }) as Node<"input">;
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

let walks = 0;

/** A number for a walk of its own: nodes whose `mark` is it have been seen. A walk must not call others meanwhile. */
export const nextWalk = (): number => ++walks;

/**
 * The nodes that `roots` need, operands before users; each node's `index` is then its place. `expected`: how many there may
 * be, where that is known, as a list that grows is copied again and again.
 */
export function topological(roots: readonly Node[], expected = 0): Node[] {
  const walk = nextWalk();
  const order = new Array<Node>(expected);
  let count = 0;
  const stack: Node[] = [];
  // While a node is on the stack, `index` is the operand to visit next; then it is the node's place.
  for (const root of roots) {
    if (root.mark === walk) continue;
    root.mark = walk;
    root.index = 0;
    stack.push(root);
    while (stack.length > 0) {
      const n = stack[stack.length - 1]!;
      const { src } = n;
      let next = n.index;
      while (next < src.length && src[next]!.mark === walk) next++;
      if (next === src.length) {
        n.index = count;
        order[count++] = n;
        stack.pop();
        continue;
      }
      n.index = next + 1;
      const child = src[next]!;
      child.mark = walk;
      child.index = 0;
      stack.push(child);
    }
  }
  order.length = count;
  return order;
}

/** Gives a mark that all those nodes have, and no others, that something under `roots`, or a root, is made of. */
export function markOperands(roots: readonly Node[]): number {
  const mark = nextWalk();
  const stack = [...roots];
  for (let n = stack.pop(); n !== undefined; n = stack.pop()) {
    const { src } = n;
    for (let i = 0; i < src.length; i++) {
      const operand = src[i]!;
      if (operand.mark === mark) continue;
      operand.mark = mark;
      stack.push(operand);
    }
  }
  return mark;
}
