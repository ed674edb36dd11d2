import { isGradEnabled, type Node, node } from "./node.ts";
import { makingInPlaceOf } from "./origin.ts";

/** A node made once more of copies of its operands; `given` gives what others stand for, null for those to be copied. */
export function copied(root: Node, copies: Map<Node, Node>, given: (n: Node) => Node | null): Node {
  const stack = [root];
  for (let n = stack.at(-1); n !== undefined; n = stack.at(-1)) {
    if (!copies.has(n)) {
      const stands = given(n);
      if (stands !== null) copies.set(n, stands);
      else {
        const open = stack.length;
        for (const s of n.src) if (!copies.has(s)) stack.push(s);
        if (stack.length > open) continue;
        makingInPlaceOf(n);
        copies.set(
          n,
          again(
            n,
            n.src.map((s) => copies.get(s)!),
          ),
        );
        makingInPlaceOf(null);
      }
    }
    stack.pop();
  }
  return copies.get(root)!;
}

const again = (n: Node, src: readonly Node[]): Node =>
  src.every((s, i) => s === n.src[i]) ? n : node(n.op, src, n.attrs, isGradEnabled() && n.tracked);
