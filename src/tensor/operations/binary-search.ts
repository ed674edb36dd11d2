import { filled } from "../../ir/build.ts";
import { type Node, node } from "../../ir/node.ts";
import { add, and, lt, minimum, not, where } from "./elementwise.ts";

/**
 * How many elements of ascending lines, [..., n], come before each value, [..., k], as i32: all values at once, in as
 * many rounds as n has binary digits. Lines may be of one dimension where values are; `before` says whether an element
 * comes before a value, and `at` which element stands at a place.
 */
export function countBefore(
  size: number,
  values: Node,
  at: (place: Node) => Node,
  before: (element: Node, value: Node) => Node,
): Node {
  let start = filled(0, values.shape, "i32");
  let end = filled(size, values.shape, "i32");
  for (let left = size; left > 0; left = Math.floor(left / 2)) {
    const middle = node("shr", [add(start, end), filled(1, values.shape, "i32")], {});
    const isOpen = lt(start, end);
    const goesOn = before(at(minimum(middle, size - 1)), values);
    [start, end] = [
      where(and(isOpen, goesOn), add(middle, 1), start),
      where(and(isOpen, not(goesOn)), middle, end),
    ];
  }
  return start;
}
