import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { sameShape, shapeText, sizeOf } from "../base/shape.ts";
import { cast, filled, reshape } from "../ir/build.ts";
import { type Node, node } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
import { operandOf, type Scalar } from "./methods/base.ts";
import { countBefore } from "./operations/binary-search.ts";
import { eq, ge, gt, lt, minimum, not } from "./operations/elementwise.ts";
import { checkedIndices } from "./operations/indexing.ts";
import { unsqueeze } from "./operations/movement.ts";
import { computeDtype, constant, type Operand, resultDtype } from "./operations/promote.ts";
import { any } from "./operations/reduction.ts";
import { sort } from "./operations/sorting.ts";
import { checked, takes } from "./signature.ts";
import { Tensor } from "./tensor.ts";

/** Which of several equal places is meant: the first (left), or the one behind the last (right). */
export interface SearchOptions {
  /** Default false: left. */
  right?: boolean;
}

/** Options of `searchsorted`. */
export interface SearchSortedOptions extends SearchOptions {
  /** The same in words; "left". */
  side?: "left" | "right" | null;
  /** Indices that sort the sequence, of its shape, where it is not sorted itself. */
  sorter?: Tensor | null;
}

/** Operands in the dtype that they meet in, in which they are compared; numbers as scalars. */
function comparable(op: string, operands: readonly Operand[]): Node[] {
  const dtype = computeDtype(resultDtype(operands));
  if (dtype === "bool")
    throw new DTypeError(`${op}: bools have no order to search; cast them with to("i32")`);
  return operands.map((x) =>
    node("detach", [typeof x === "object" ? cast(x, dtype) : constant(x, dtype)], {}),
  );
}

/** Elements of sorted lines, [n] or [..., n], at places. */
const elementsAt =
  (line: Node) =>
  (place: Node): Node =>
    node("gather", [line, place], { axis: line.shape.length - 1 });

/**
 * Where values belong in ascending sequences: how many elements are less than each (with `right`, no larger).
 *
 * Takes one sequence, [n], and values of any shape, or a number; or a sequence for each line of values, [..., n] and
 * [..., k]. Gives indices (i32) from 0 to n in the shape of the values. A NaN belongs at the end.
 * Throws `ShapeError` where the other dimensions differ, `DTypeError` for bools, `ArgumentError` for a side that
 * contradicts `right`, `IndexError` for a sorter's index that is not there.
 * Source: `torch.searchsorted`. Example: `searchsorted(tensor([1, 3, 5]), tensor([3, 6]))` is [1, 3].
 */
export const searchsorted = checked(
  "searchsorted",
  takes(
    { sortedSequence: kind.tensor, values: kind.operand },
    {
      right: kind.boolean,
      side: kind.nullable(kind.oneOf("left", "right")),
      sorter: kind.nullable(kind.tensor),
    },
  ),
  (
    sequence: Tensor,
    values: Tensor | Scalar,
    { right = false, side = null, sorter = null }: SearchSortedOptions = {},
  ): Tensor => {
    if (side === "left" && right)
      throw new ArgumentError('searchsorted: side is "left" and right is true; give one of the two');
    return new Tensor(
      search("searchsorted", sequence.node, operandOf(values), right || side === "right", sorter?.node),
    );
  },
);

/**
 * The bucket that each element falls into: `boundaries`, ascending, [n], are the ends of the buckets, which belong to the
 * bucket before them, or with `right` to the one behind. Gives i32 from 0 to n in the shape of the input.
 * Throws `ShapeError` for boundaries that are no vector, `DTypeError` for bools.
 * Source: `torch.bucketize`. Example: `bucketize(ages, tensor([18, 65]))`.
 */
export const bucketize = checked(
  "bucketize",
  takes({ input: kind.operand, boundaries: kind.tensor }, { right: kind.boolean }),
  (input: Tensor | Scalar, boundaries: Tensor, { right = false }: SearchOptions = {}): Tensor => {
    if (boundaries.ndim !== 1)
      throw new ShapeError(
        `bucketize: the boundaries are a vector, not of shape ${shapeText(boundaries.shape)}`,
      );
    return new Tensor(search("bucketize", boundaries.node, operandOf(input), right));
  },
);

function search(op: string, sequence: Node, values: Operand, right: boolean, sorter?: Node): Node {
  const [line, sought] = comparable(op, [sequence, values]) as [Node, Node];
  const outer = line.shape.slice(0, -1);
  if (line.shape.length === 0 || (outer.length > 0 && !sameShape(outer, sought.shape.slice(0, -1))))
    throw new ShapeError(
      `${op}: values of shape ${shapeText(sought.shape)} for a sequence of shape ${shapeText(line.shape)}: the sequence is a vector, or all dimensions but the last are equal`,
    );
  const size = line.shape.at(-1)!;
  let at = elementsAt(line);
  if (sorter !== undefined) {
    if (!sameShape(sorter.shape, line.shape))
      throw new ShapeError(
        `${op}: a sorter of shape ${shapeText(sorter.shape)} for a sequence of shape ${shapeText(line.shape)}; they must be equal`,
      );
    const order = elementsAt(checkedIndices(op, sorter, 0, size));
    const plain = at;
    at = (place) => plain(order(place));
  }
  const given = outer.length > 0 ? sought : reshape(sought, [sizeOf(sought.shape)]);
  const isPast = right ? gt : ge;
  return reshape(
    countBefore(size, given, at, (element, value) => not(isPast(element, value))),
    sought.shape,
  );
}

/** Fewer test elements than these are compared one by one. */
const few = 32;

/**
 * Whether each element is among the test elements (with `invert`, whether it is not): bool, in the shape of the elements.
 * Either may be a number. NaN is among nothing.
 * Throws `DTypeError` for bools, `ArgumentError` for two numbers.
 * Source: `torch.isin`. Example: `ids.maskedFill(isin(ids, tensor([pad, eos], { dtype: "i32" })), -100)`.
 */
export const isin = checked(
  "isin",
  takes({ elements: kind.operand, testElements: kind.operand }, { invert: kind.boolean }),
  (
    elements: Tensor | Scalar,
    testElements: Tensor | Scalar,
    { invert = false }: { invert?: boolean } = {},
  ): Tensor => {
    if (!(elements instanceof Tensor || testElements instanceof Tensor))
      throw new ArgumentError("isin: both are numbers; make a tensor of one with tensor(…)");
    const [given, test] = comparable("isin", [operandOf(elements), operandOf(testElements)]) as [Node, Node];
    const found = isAmong(given, reshape(test, [sizeOf(test.shape)]));
    return new Tensor(invert ? not(found) : found);
  },
);

function isAmong(given: Node, test: Node): Node {
  const size = test.shape[0]!;
  if (size === 0) return filled(0, given.shape, "bool");
  if (size < few) return any(eq(unsqueeze(given, -1), test), -1);
  const at = elementsAt(sort(test, 0).values);
  const flat = reshape(given, [sizeOf(given.shape)]);
  // NaN is sorted to the end, and comes before nothing.
  const place = minimum(countBefore(size, flat, at, lt), size - 1);
  return reshape(eq(at(place), flat), given.shape);
}
