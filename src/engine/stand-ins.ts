import type { Shape } from "../base/shape.ts";
import { isOp, type Node, node, nodeLike } from "../ir/node.ts";
import { ops, type Source } from "../ir/op.ts";
import type { Signature } from "./signature.ts";

/** What stands for a storage in a plan's graph. */
interface StandIn extends Source {
  readonly resident: boolean;
  /** Its place among the signature's storages. */
  readonly slot: number;
}

const nothing = (): number => 0;

/**
 * A copy of a signature's graph that holds on to nothing but its structure: other objects stand for its storages, and
 * for what computes its host numbers. Plans are kept for whoever asks for the like again, long after the model and the
 * batches are gone that they were made for. In the place of the nodes that are to be `lifted`, by their places in the
 * signature's order, the copy takes numbers. `of` gives a node's copy; `scalars` are in the signature's order, and
 * `lifted` in that of the places.
 */
export function standInsFor(
  { order, storages, scalars }: Signature,
  places: readonly number[],
): {
  readonly of: (n: Node) => Node;
  readonly scalars: readonly Node[];
  readonly lifted: readonly Node[];
} {
  const standIns = new Map<Source, StandIn>(
    storages.map((storage, slot) => [storage, { id: storage.id, resident: storage.resident, slot }]),
  );
  const copies = new Map<Node, Node>();
  const of = (n: Node): Node => copies.get(n)!;
  const lifted: Node[] = [];
  const isLifted = new Set(places);
  for (const [place, n] of order.entries())
    if (isLifted.has(place)) {
      const number = node("hostScalar", [], { compute: nothing, dtype: n.dtype });
      lifted.push(number);
      copies.set(n, everywhere(number, n.shape));
    } else if (isOp(n, "input"))
      copies.set(n, nodeLike(n, [], { ...n.attrs, source: standIns.get(n.attrs.source)! }));
    else if (isOp(n, "hostScalar")) copies.set(n, nodeLike(n, [], { compute: nothing, dtype: n.dtype }));
    // To a plan these are what they mark, and marks name owners and rules.
    else if (ops[n.op].kind === "identity") copies.set(n, of(n.src[0]!));
    else copies.set(n, nodeLike(n, n.src.map(of), n.attrs));
  return { of, scalars: scalars.map(of), lifted };
}

/** A tensor with one number everywhere, of shape []. */
function everywhere(number: Node, shape: Shape): Node {
  if (shape.length === 0) return number;
  const ones = node("reshape", [number], { shape: shape.map(() => 1) });
  return node("expand", [ones], { shape });
}

/** The place of a leaf's storage among the signature's; the leaf is one of a graph of stand-ins. */
export const slotOf = (leaf: Node<"input">): number => (leaf.attrs.source as StandIn).slot;
