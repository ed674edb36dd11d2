import { isOp, type Node, node, nodeLike } from "../ir/node.ts";
import type { Source } from "../ir/op.ts";
import type { Signature } from "./signature.ts";

/**
 * Where a number that a plan takes is found: `scalar` is the index among the signature's scalars, or `constant` the place
 * in its order of a node that is the number everywhere; the other is -1.
 */
export interface PlanScalar {
  readonly scalar: number;
  readonly constant: number;
}

/** What stands for a storage in a plan's graph. */
interface StandIn extends Source {
  readonly resident: boolean;
  /** Its place among the signature's storages. */
  readonly slot: number;
}

const nothing = (): number => 0;

/**
 * What stands for the leaves of a signature's graph in a plan, which so holds on to nothing but its structure: other
 * objects for its storages, and for what computes its host numbers. Plans are kept for whoever asks for the like again,
 * long after the model and the batches are gone that they were made for. In the place of the nodes that are to be
 * `lifted`, by their places in the signature's order, the plan takes numbers.
 */
export function standInsFor(
  { order, storages, scalars }: Signature,
  lifted: readonly number[],
): {
  /** A leaf to stand in a node's place; null where the node stays as it is. */
  readonly replaced: (n: Node) => Node | null;
  /** Where a number that the plan takes comes from. */
  readonly from: (scalar: Node) => PlanScalar;
} {
  const standIns = new Map<Source, StandIn>();
  for (const [slot, storage] of storages.entries())
    standIns.set(storage, { id: storage.id, resident: storage.resident, slot });
  const numbers = new Map<Node, Node<"hostScalar">>();
  const origins = new Map<Node, PlanScalar>();
  const number = (n: Node, from: PlanScalar): void => {
    const taken = node("hostScalar", [], { compute: nothing, dtype: n.dtype });
    numbers.set(n, taken);
    origins.set(taken, from);
  };
  for (const [scalar, n] of scalars.entries()) number(n, { scalar, constant: -1 });
  for (const constant of lifted) number(order[constant]!, { scalar: -1, constant });
  return {
    replaced: (n) =>
      isOp(n, "input")
        ? nodeLike(n, [], { ...n.attrs, source: standIns.get(n.attrs.source)! })
        : (numbers.get(n) ?? null),
    from: (scalar) => origins.get(scalar)!,
  };
}

/** The place of a leaf's storage among the signature's; the leaf is one of a graph of stand-ins. */
export const slotOf = (leaf: Node<"input">): number => (leaf.attrs.source as StandIn).slot;
