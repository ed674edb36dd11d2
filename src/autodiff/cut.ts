import type { Shape } from "../base/shape.ts";
import { expand, reshape, sliceAxis } from "../ir/build.ts";
import { type Node, node } from "../ir/node.ts";
import type { Op } from "../ir/op.ts";
import type { Places } from "./places.ts";

/** Some places along one axis of a node. */
export interface Cut {
  readonly axis: number;
  readonly places: Places;
}

/** An operand that a part of a node is made of: a part of it, or (null) all of it. */
export interface Need {
  readonly of: Node;
  readonly cut: Cut | null;
}

/** How a part of a node is made of others. */
export interface Pushed {
  readonly needs: readonly Need[];
  /** Given what was needed, in that order. */
  readonly build: (parts: readonly Node[]) => Node;
  /** The node that is computed in part, where that is not the one that the part is of but one that it is a view of. */
  readonly made?: Node;
}

/** How a cut of a node becomes cuts of its operands; null where it cannot: the part is taken from the whole. */
export type NarrowRule<K extends Op> = (n: Node<K>, cut: Cut) => Pushed | null;

/** The shape of a part. */
export const cutShape = (shape: Shape, { axis, places }: Cut): number[] =>
  shape.map((d, i) => (i === axis ? places.count : d));

/** A vector along one axis of a shape, repeated along the others. */
export const along = (x: Node, shape: Shape, axis: number): Node =>
  expand(
    reshape(
      x,
      shape.map((d, i) => (i === axis ? d : 1)),
    ),
    shape,
  );

/** A part of a node that is there whole. */
export function take(x: Node, cut: Cut): Node {
  const { start, count, indices } = cut.places;
  if (start !== null) return sliceAxis(x, cut.axis, start, count);
  return node("gather", [x, along(indices(), cutShape(x.shape, cut), cut.axis)], { axis: cut.axis });
}
