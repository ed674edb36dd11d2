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
 * integer or a list (`[[0, 3]]`; slices may stand in it: `[[0, 5:9]]`), negative ones from the end. Unlike there, a
 * slice that ends beyond the tensor throws `IndexError`, as an index does that is not in it; `SelectorError` for what
 * is no index or names nothing. Null: all of it.
 */
export function parseRegion(index: string, shape: Shape, what: string): Region | null {
  const parts = splitParts(index, what);
  if (parts.length > shape.length)
    throw new IndexError(
      `${what}${index}: an index of ${parts.length} dimensions for a tensor of shape ${shapeText(shape)}; give at most ${shape.length}`,
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
    throw new SelectorError(
      `${what}${index} names no element of a tensor of shape ${shapeText(shape)}. A slice holds what is from its start up to, and without, its end.`,
    );
  return region;
}

/** What stands between the outer brackets, by dimension. */
function splitParts(index: string, what: string): string[] {
  const parts = index.startsWith("[") && index.endsWith("]") ? splitOutside(index.slice(1, -1)) : [];
  if (parts.length === 0 || !parts.every((part) => form.test(part)))
    throw new SelectorError(
      `${what}${index}: not an index. Give a slice, an integer or a list per dimension: [32000:], [3], [[1, 5, 9]], [:, 2:4].`,
    );
  return parts;
}

/** The texts between commas that are in no brackets. */
function splitOutside(text: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const char of text) {
    if (char === "[") depth++;
    if (char === "]") depth--;
    if (char === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += char;
  }
  return parts.map((part) => part.trim());
}

const item = String.raw`\s*(?:-?\d+|(?:-?\d+)?\s*:\s*(?:-?\d+)?(?:\s*:\s*(?:-?\d+)?)?)\s*`;
const form = new RegExp(`^(?:${item}|\\[${item}(?:,${item})*\\])$`);

/** The indices that one dimension's part names, each once. */
function indicesOf(part: string, size: number, what: string, shape: Shape): number[] {
  const at = (text: string, last: number, otherwise: number): number => {
    if (text === "") return otherwise;
    const given = Number(text);
    const index = given < 0 ? given + size : given;
    if (index >= 0 && index <= last) return index;
    throw new IndexError(
      `${what}: ${text} is outside a dimension of ${size}, of a tensor of shape ${shapeText(shape)}; ` +
        `${last === size ? `bounds there are 0 to ${size}` : `indices there are 0 to ${size - 1}`}`,
    );
  };
  const indices: number[] = [];
  for (const one of part.replace(/[[\]]/g, "").split(",")) {
    const [from = "", to, by = ""] = one.split(":").map((text) => text.trim());
    if (to === undefined) {
      indices.push(at(from, size - 1, 0));
      continue;
    }
    const step = by === "" ? 1 : Number(by);
    if (step < 1) throw new SelectorError(`${what}: a step of ${step}; it must be at least 1.`);
    const end = at(to, size, size);
    for (let i = at(from, size, 0); i < end; i += step) indices.push(i);
  }
  return part.startsWith("[") ? [...new Set(indices)] : indices;
}

/** The places in row-major order of every combination of indices by dimension; missing dimensions are whole. */
function product(taken: readonly (readonly number[])[], shape: Shape): Int32Array {
  let places = Int32Array.of(0);
  for (const [dim, size] of shape.entries()) {
    const indices = taken[dim] ?? Array.from({ length: size }, (_, i) => i);
    const next = new Int32Array(places.length * indices.length);
    let n = 0;
    for (const place of places) for (const index of indices) next[n++] = place * size + index;
    places = next;
  }
  return places;
}
