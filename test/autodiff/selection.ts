import type { Selection } from "../../src/autodiff/narrow.ts";
import { input } from "../ir/values.ts";

/** Ascending places of an axis of a size, as graphs take them; neighbours as a range. */
export function selection(axis: number, size: number, places: readonly number[]): Selection {
  const count = places.length;
  const start = count > 0 && places[count - 1]! - places[0]! === count - 1 ? places[0]! : null;
  const table = Array.from({ length: size }, (_, i) => (places.includes(i) ? places.indexOf(i) : count));
  return {
    axis,
    size,
    count,
    start,
    indices: input(places, [count], "i32"),
    inverse: () => input(table, [size], "i32"),
  };
}
