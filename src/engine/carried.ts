import { type Node, nextWalk } from "../ir/node.ts";
import { storedLeaf } from "./trace.ts";

/**
 * Values that a loop carries from round to round although something consumes them in each: a step does not compute
 * such a value, and where no step was asked for, what it is made of would grow with every round. `order` is a graph in
 * topological order, and what was made up to the node `last` was there when the graph was last carried out; the values
 * are those of before that newer nodes are made of, as far as they need no history for a gradient.
 */
export function carriedNodes(order: readonly Node[], last: number): Node[] {
  const seen = nextWalk();
  const carried: Node[] = [];
  const visit = (n: Node): void => {
    if (n.mark === seen || storedLeaf(n) !== null || n.src.length === 0) return;
    n.mark = seen;
    if (!n.tracked) carried.push(n);
    // A gradient may still go back through it; what it is made of without one can be cut off.
    else for (const s of n.src) visit(s);
  };
  for (const n of order) if (n.id > last) for (const s of n.src) if (s.id <= last) visit(s);
  return carried;
}
