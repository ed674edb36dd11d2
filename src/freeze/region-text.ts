import { IndexError, SelectorError } from "../base/errors.ts";
import { type Shape, shapeText, sizeOf } from "../base/shape.ts";
import { Region } from "../tensor/region.ts";

/** A path or glob with an index behind it: `embedding.weight[32000:]`. */
export interface IndexedPath {
  readonly path: string;
  /** With its brackets. */
  readonly index: string;
}

/** Takes a path and its index apart; null where it has none. */
export function indexedPath(text: string): IndexedPath | null {
  const at = text.indexOf("[");
  return at > 0 ? { path: text.slice(0, at), index: text.slice(at) } : null;
}

/**
 * The region that an index names in tensors of a shape, as NumPy would: per dimension a slice (`2:`, `:5`, `::2`), an
 * integer or a list of integers (`[[0, 3]]`), negative ones from the end. Unlike there, a slice that ends beyond the
 * tensor throws `IndexError`, as an index does that is not in it. Null: all of it.
 */
export function parseRegion(index: string, shape: Shape, what: string): Region | null {
  const parts = splitParts(index, what);
  if (parts.length > shape.length)
    throw new IndexError(
      `${what}${index}: ${parts.length} dimensions for a tensor of shape ${shapeText(shape)}`,
    );
  const taken = parts.map((part, dim) => indicesOf(part, shape[dim]!, `${what}${index}`, shape));
  const cut = taken.flatMap((indices, dim) => (indices.length === shape[dim] ? [] : [dim]));
  const region =
    cut.length === 0
      ? null
      : cut.length === 1
        ? Region.along(shape, cut[0]!, taken[cut[0]!]!)
        : Region.elements(shape, product(taken, shape));
  if (region?.isEmpty || sizeOf(shape) === 0)
    throw new SelectorError(`${what}${index} names no element of a tensor of shape ${shapeText(shape)}.`);
  return region;
}

/** What stands between the outer brackets, by dimension. */
function splitParts(index: string, what: string): string[] {
  const wrong = new SelectorError(
    `${what}${index}: not an index. Give a slice, an integer or a list per dimension: [32000:], [3], [[1, 5, 9]], [:, 2:4].`,
  );
  if (!/^\[.*\]$/s.test(index)) throw wrong;
  const parts = [""];
  let depth = 0;
  for (const char of index.slice(1, -1)) {
    if (char === "[") depth++;
    if (char === "]") depth--;
    if (depth < 0 || depth > 1) throw wrong;
    if (char === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += char;
  }
  const trimmed = parts.map((part) => part.trim());
  if (depth !== 0 || !trimmed.every((part) => form.test(part))) throw wrong;
  return trimmed;
}

const int = String.raw`\s*-?\d+\s*`;
const form = new RegExp(
  `^(?:${int}|(?:${int})?:(?:${int})?(?::(?:${int})?)?|\\[(?:${int})(?:,${int})*\\])$|^:$|^\\s*:\\s*$`,
);

/** The indices that one dimension's part names. */
function indicesOf(part: string, size: number, what: string, shape: Shape): number[] {
  const outside = (at: string | number): IndexError =>
    new IndexError(
      `${what}: ${at} is outside a dimension of ${size}, of a tensor of shape ${shapeText(shape)}`,
    );
  const at = (text: string): number => {
    const given = Number(text);
    const index = given < 0 ? given + size : given;
    if (index < 0 || index >= size) throw outside(text.trim());
    return index;
  };
  if (part.startsWith("[")) return part.slice(1, -1).split(",").map(at);
  if (!part.includes(":")) return [at(part)];
  const [from = "", to = "", by = ""] = part.split(":").map((text) => text.trim());
  const step = by === "" ? 1 : Number(by);
  if (step < 1) throw new SelectorError(`${what}: a step of ${step}; it must be at least 1.`);
  const bound = (text: string, otherwise: number): number => {
    if (text === "") return otherwise;
    const given = Number(text);
    const index = given < 0 ? given + size : given;
    if (index < 0 || index > size) throw outside(text);
    return index;
  };
  const indices: number[] = [];
  const end = bound(to, size);
  for (let i = bound(from, 0); i < end; i += step) indices.push(i);
  return indices;
}

/** The places in row-major order of every combination of indices by dimension; missing dimensions are whole. */
function product(taken: readonly (readonly number[])[], shape: Shape): number[] {
  let places = [0];
  for (const [dim, size] of shape.entries()) {
    const indices = taken[dim] ?? Array.from({ length: size }, (_, i) => i);
    places = places.flatMap((place) => indices.map((index) => place * size + index));
  }
  return places;
}
