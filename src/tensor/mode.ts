import { IndexError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { filled, reshape } from "../ir/build.ts";
import { type Node, node } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
import type { Keepdim } from "./methods/reduction.ts";
import { dimOf } from "./operations/dims.ts";
import { ne, sub, where } from "./operations/elementwise.ts";
import { cat, movedim, narrow } from "./operations/movement.ts";
import { numeric } from "./operations/promote.ts";
import { argmax, type Indexed } from "./operations/reduction.ts";
import { cummax } from "./operations/scans.ts";
import { argsort } from "./operations/sorting.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/**
 * The value that occurs most often along a dimension, of several the smallest, and the index of its last occurrence,
 * which alone gets the gradient. Each NaN counts as a value of its own.
 *
 * Takes any dtype and shape; gives both without the dimension, or with 1 for it, indices as i32.
 * Throws `IndexError` for a dimension that is not there or is empty.
 * Source: `torch.mode`. Example: `mode(votes, 0).values`.
 */
export const mode = checked(
  "mode",
  takes({ x: kind.tensor, dim: kind.maybe(kind.dim) }, { keepdim: kind.boolean }),
  (x: Tensor, dim = -1, { keepdim = false }: Keepdim = {}): Indexed<Tensor> => {
    const axis = dimOf("mode", dim, x.ndim, x.shape);
    if (x.ndim === 0) return { values: x.clone(), indices: new Tensor(filled(0, [], "i32")) };
    if (x.shape[axis] === 0)
      throw new IndexError(
        `mode: dimension ${dim} of shape ${shapeText(x.shape)} is empty: nothing is most frequent of nothing`,
      );
    const line = movedim(x.node, axis, -1);
    const still = node("detach", [line], {});
    const order = argsort(still, -1);
    const last = line.shape.length - 1;
    const lengths = runLengths(node("gather", [numeric(still), order], { axis: last }), last);
    const indices = node("gather", [order, argmax(lengths, last, true)], { axis: last });
    const values = node("gather", [line, indices], { axis: last });
    const back = (y: Node): Tensor =>
      new Tensor(keepdim ? movedim(y, -1, axis) : reshape(y, y.shape.slice(0, -1)));
    return { values: back(values), indices: back(indices) };
  },
);

/** In sorted lines, how many equal elements come just before each. */
function runLengths(sorted: Node, axis: number): Node {
  const places = node("iota", [], { shape: sorted.shape, axis, dtype: "i32" });
  const count = sorted.shape[axis]!;
  if (count === 1) return places;
  const isOther = ne(narrow(sorted, axis, 1, count - 1), narrow(sorted, axis, 0, count - 1));
  const begins = cat([filled(1, sorted.shape.with(axis, 1), "bool"), isOther], axis);
  return sub(places, cummax(where(begins, places, 0), axis).values);
}
