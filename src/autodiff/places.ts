import { sizeOf } from "../base/shape.ts";
import { add, expand, filled, filledLike, le, lt, reshape, sub, where } from "../ir/build.ts";
import { type Node, node } from "../ir/node.ts";

/** Some of the places along an axis, in ascending order, as graphs need them. */
export interface Selection {
  readonly axis: number;
  /** How many places the axis has, and how many of them are selected. */
  readonly size: number;
  readonly count: number;
  /** The first place, where all the others follow it without a gap; else null. */
  readonly start: number | null;
  /** i32 [count]. */
  readonly indices: Node;
  /** i32 [size]: which of the selected each place is; `count` where it is none of them. */
  readonly inverse: () => Node;
}

/** The places of a selection, along whichever axis they are met. */
export interface Places {
  /** Tells apart those that come of one selection. */
  readonly key: string;
  readonly size: number;
  readonly count: number;
  /** The first of a range; null where the graph alone knows the places. Those may be outside of the axis. */
  readonly start: number | null;
  /** i32 [count]. */
  readonly indices: () => Node;
  /** Which of the places each index is (i32, any shape); `count` where it is none. */
  readonly find: (indices: Node) => Node;
  /** The same, `by` further along an axis of `size`. Those of a range must be on it. */
  readonly shift: (by: number, size: number) => Places;
}

/** The places that a selection names. */
export const placesOf = (s: Selection): Places =>
  s.start === null ? scattered(s, 0, s.size) : range(s.start, s.count, s.size);

/** `count` places from `start` on. */
export function range(start: number, count: number, size: number): Places {
  return {
    key: `${start}+${count}/${size}`,
    size,
    count,
    start,
    indices: () =>
      add(node("iota", [], { shape: [count], axis: 0, dtype: "i32" }), filled(start, [count], "i32")),
    find: (indices) => found(indices, start, count, count, (i) => i),
    shift: (by, to) => range(start + by, count, to),
  };
}

/** A selection's own places, each moved by `by`. */
function scattered(s: Selection, by: number, size: number): Places {
  const inverse = (i: Node): Node =>
    reshape(node("gather", [s.inverse(), reshape(i, [sizeOf(i.shape)])], { axis: 0 }), i.shape);
  return {
    key: `${by}/${size}`,
    size,
    count: s.count,
    start: null,
    indices: () => add(s.indices, filledLike(by, s.indices)),
    find: (indices) => found(indices, by, s.size, s.count, inverse),
    shift: (further, to) => scattered(s, by + further, to),
  };
}

/** `which` of every index less `from` that is in [0, to), `none` of the others; computed before they are repeated. */
function found(indices: Node, from: number, to: number, none: number, which: (i: Node) => Node): Node {
  const inner = (n: Node): Node => found(n, from, to, none, which);
  if (indices.op === "expand") return expand(inner(indices.src[0]!), indices.shape);
  if (indices.op === "reshape") return reshape(inner(indices.src[0]!), indices.shape);
  const i = sub(indices, filledLike(from, indices));
  return where(within(i, to), which(i), filledLike(none, i));
}

/** Where 0 ≤ i < size. */
export const within = (i: Node, size: number): Node =>
  node("and", [le(filledLike(0, i), i), lt(i, filledLike(size, i))], {});
