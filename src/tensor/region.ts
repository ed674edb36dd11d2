import { narrow, type Selection } from "../autodiff/narrow.ts";
import { bytesOf } from "../base/dtype.ts";
import { IndexError, ShapeError } from "../base/errors.ts";
import { hashBytes } from "../base/hash.ts";
import { RowRanges } from "../base/row-ranges.ts";
import { type Shape, sameShape, shapeText, sizeOf } from "../base/shape.ts";
import { Resident, storedLeaf } from "../engine/trace.ts";
import { reshape } from "../ir/build.ts";
import { type Node, node } from "../ir/node.ts";
import { broadcastTo } from "./operations/promote.ts";

/**
 * Some elements of a tensor of one shape: slices along a dimension (rows, channels), or single elements. Equal regions
 * are one object, so that identity tells them apart.
 */
export class Region {
  /** The tensor's shape. */
  readonly shape: Shape;
  /** The dimension that `indices` run along; null: they are places of single elements in row-major order. */
  readonly dim: number | null;
  /** Ascending, each once. */
  readonly indices: Int32Array;
  /** The shape of what is in the region. */
  readonly partShape: Shape;
  /** How many elements are in it. */
  readonly numel: number;
  #selection: Selection | null = null;
  #complement: Region | null = null;
  #rows: RowElements | null = null;
  /** What set operations have given: a switch of what is frozen asks for the same ones again and again. */
  readonly #results = {
    union: new WeakMap<Region, Region>(),
    minus: new WeakMap<Region, Region>(),
    intersect: new WeakMap<Region, Region>(),
  };

  private constructor(shape: Shape, dim: number | null, indices: Int32Array) {
    this.shape = shape;
    this.dim = dim;
    this.indices = indices;
    this.partShape = dim === null ? [indices.length] : shape.map((d, i) => (i === dim ? indices.length : d));
    this.numel = sizeOf(this.partShape);
  }

  /** The slices at `indices` along a dimension of tensors of a shape; throws `IndexError` for one that is not there. */
  static along(shape: Shape, dim: number, indices: Iterable<number>): Region {
    const size = shape[dim];
    if (size === undefined)
      throw new IndexError(
        `A region along dimension ${dim} of a tensor of shape ${shapeText(shape)}, which has ${shape.length} dimensions, counted from 0`,
      );
    return Region.#interned(shape, dim, sorted(indices, size, `along dimension ${dim} of`, shape));
  }

  /** The elements at places in row-major order in tensors of a shape; throws `IndexError` for one that is not there. */
  static elements(shape: Shape, indices: Iterable<number>): Region {
    if (shape.length === 1) return Region.along(shape, 0, indices);
    return Region.#interned(shape, null, sorted(indices, sizeOf(shape), "among the elements of", shape));
  }

  static #interned(shape: Shape, dim: number | null, indices: Int32Array): Region {
    const key = `${shape.join("x")}|${dim}|${indices.length}|${hashBytes(bytesOf(indices))}`;
    const alike = regions.get(key) ?? [];
    for (const reference of alike) {
      const known = reference.deref();
      if (known !== undefined && sameIndices(known.indices, indices)) return known;
    }
    const made = new Region(shape, dim, indices);
    regions.set(key, [...alike, new WeakRef(made)]);
    forgotten.register(made, key);
    return made;
  }

  get isEmpty(): boolean {
    return this.numel === 0;
  }
  get isWhole(): boolean {
    return this.numel === sizeOf(this.shape);
  }

  /** As a selector names it: `[32000:]`, `[[0, 5:9]]`, `[:, 3:5]`; of single elements, how many; of many ranges, the first. */
  get text(): string {
    const { dim, indices, shape } = this;
    if (dim === null) return `(${indices.length} of ${sizeOf(shape)} elements)`;
    const ranges = rangesOf(indices);
    const size = shape[dim]!;
    const shown = ranges.map(([from, to]) =>
      to === from + 1 ? String(from) : `${from === 0 ? "" : from}:${to === size ? "" : to}`,
    );
    const list = shown.length > 16 ? [...shown.slice(0, 8), `… ${indices.length} in all`] : shown;
    const own = list.length === 1 ? list[0]! : `[${list.join(", ")}]`;
    return `[${[...Array.from({ length: dim }, () => ":"), own].join(", ")}]`;
  }

  /** The places of its elements in row-major order, ascending. */
  flat(): Int32Array {
    const { dim, indices, shape } = this;
    if (dim === null) return indices;
    const inner = sizeOf(shape.slice(dim + 1));
    const outer = sizeOf(shape.slice(0, dim));
    const places = new Int32Array(this.numel);
    let n = 0;
    for (let o = 0; o < outer; o++)
      for (const index of indices) {
        const first = (o * shape[dim]! + index) * inner;
        for (let i = 0; i < inner; i++) places[n++] = first + i;
      }
    return places;
  }

  /** Everything that is not in it. */
  complement(): Region {
    if (this.#complement === null) {
      const size = this.dim === null ? sizeOf(this.shape) : this.shape[this.dim]!;
      const all = new Int32Array(size).map((_, i) => i);
      this.#complement = this.#combined(all, this.indices, keeps.minus);
    }
    return this.#complement;
  }
  /** What of a region (null: of all of the tensor) is not in it, or "none". */
  outside(region: Region | null): Region | null | "none" {
    // The region itself, where nothing of it is here: regions are told apart by identity.
    return region?.intersect(this).isEmpty ? region : minus(region, this);
  }
  /** What is in either. */
  union(other: Region): Region {
    return this.#with(other, "union");
  }
  /** What is in this and not in the other. */
  minus(other: Region): Region {
    return this.#with(other, "minus");
  }
  /** What is in both. */
  intersect(other: Region): Region {
    return this.#with(other, "intersect");
  }
  /** Whether all of another region is in it. */
  contains(other: Region): boolean {
    return other.minus(this).isEmpty;
  }

  #with(other: Region, operation: keyof typeof keeps): Region {
    if (!sameShape(this.shape, other.shape))
      throw new ShapeError(
        `A region of tensors of shape ${shapeText(this.shape)} with one of shape ${shapeText(other.shape)}; regions of one tensor go together`,
      );
    const results = this.#results[operation];
    let result = results.get(other);
    if (result === undefined) results.set(other, (result = this.#computed(other, keeps[operation])));
    return result;
  }

  #computed(other: Region, takes: Takes): Region {
    if (this.dim === other.dim) return this.#combined(this.indices, other.indices, takes);
    const elements = Region.elements(this.shape, this.flat());
    return elements.#combined(elements.indices, other.flat(), takes);
  }

  /** The indices that are taken of two ascending lists of them. */
  #combined(a: Int32Array, b: Int32Array, takes: Takes): Region {
    const kept = new Int32Array(a.length + b.length);
    let [n, i, j] = [0, 0, 0];
    while (i < a.length || j < b.length) {
      const inA = j === b.length || (i < a.length && a[i]! <= b[j]!);
      const inB = i === a.length || (j < b.length && b[j]! <= a[i]!);
      const next = inA ? a[i]! : b[j]!;
      if (takes(inA, inB)) kept[n++] = next;
      if (inA) i++;
      if (inB) j++;
    }
    return Region.#interned(this.shape, this.dim, kept.slice(0, n));
  }

  /** How graphs take it: along one axis, of the tensor itself or, for single elements, of it in one line. */
  get selection(): Selection {
    this.#selection ??= this.#makeSelection();
    return this.#selection;
  }

  #makeSelection(): Selection {
    const { dim, indices } = this;
    const count = indices.length;
    const size = dim === null ? sizeOf(this.shape) : this.shape[dim]!;
    const places = new Resident("i32", [count], indices);
    places.storage.label = "the indices of a region";
    let inverse: Resident | null = null;
    const inverted = (): Resident => {
      const table = new Int32Array(size).fill(count);
      for (const [position, index] of indices.entries()) table[index] = position;
      return new Resident("i32", [size], table);
    };
    return {
      axis: dim ?? 0,
      size,
      count,
      start: count > 0 && indices[count - 1]! - indices[0]! === count - 1 ? indices[0]! : null,
      indices: places.node,
      inverse: () => (inverse ??= inverted()).node,
    };
  }

  /**
   * What of `x` is in it, in `partShape`, computed without the rest wherever the graph allows; of what is in `computed`,
   * since something else needs it whole, nothing costly is computed again.
   */
  take(x: Node, computed?: ReadonlySet<Node>): Node {
    this.#requireShape("take", x);
    if (this.isWhole) return reshape(x, this.partShape);
    if (this.dim === null && storedLeaf(x) === null && !this.isEmpty) {
      // Rows can be computed on their own where single elements cannot.
      this.#rows ??= this.#inRows();
      const { rows, elements } = this.#rows;
      if (2 * rows.numel <= sizeOf(x.shape)) return elements.take(rows.take(x, computed), computed);
    }
    return narrow(this.#selectable(x), this.selection, computed);
  }

  /**
   * `x` with what is in it replaced by `part`, of `partShape`. Assigned to the very value that `x` is, it is carried out
   * in place: nothing else is touched.
   */
  put(x: Node, part: Node): Node {
    this.#requireShape("put", x);
    if (!sameShape(part.shape, this.partShape))
      throw new ShapeError(
        `put: ${this.text} of a tensor of shape ${shapeText(x.shape)} is of shape ` +
          `${shapeText(this.partShape)}, what is to be put there of ${shapeText(part.shape)}`,
      );
    if (this.isEmpty) return x;
    if (this.isWhole) return reshape(part, x.shape);
    const { axis, count, indices } = this.selection;
    const column = reshape(
      indices,
      this.partShape.map((_, i) => (i === axis ? count : 1)),
    );
    const lines = broadcastTo(column, this.partShape, "put");
    return reshape(node("scatter", [this.#selectable(x), lines, part], { axis }), x.shape);
  }

  #requireShape(op: string, x: Node): void {
    if (!sameShape(x.shape, this.shape))
      throw new ShapeError(
        `${op}: a region of tensors of shape ${shapeText(this.shape)}, and a tensor of shape ${shapeText(x.shape)}`,
      );
  }

  /** A tensor as its selection takes it: in one line, for single elements. */
  #selectable(x: Node): Node {
    return this.dim === null ? reshape(x, [sizeOf(x.shape)]) : x;
  }

  #inRows(): RowElements {
    const { shape, indices } = this;
    const width = sizeOf(shape.slice(1));
    const rows = Region.along(shape, 0, new Set(Array.from(indices, (i) => Math.floor(i / width))));
    const place = new Map(Array.from(rows.indices, (row, i) => [row, i]));
    const elements = Array.from(indices, (i) => place.get(Math.floor(i / width))! * width + (i % width));
    return { rows, elements: Region.elements(rows.partShape, elements) };
  }
}

/** Single elements as elements of the rows that they lie in. */
interface RowElements {
  readonly rows: Region;
  readonly elements: Region;
}

/** Whether a set operation takes what is in one, in the other, or in both. */
type Takes = (inThis: boolean, inOther: boolean) => boolean;

const keeps = {
  union: (a, b) => a || b,
  minus: (a, b) => a && !b,
  intersect: (a, b) => a && b,
} satisfies Record<string, Takes>;

/** By key: those whose indices hash alike, which is seldom more than one. */
const regions = new Map<string, readonly WeakRef<Region>[]>();
const forgotten = new FinalizationRegistry<string>((key) => {
  const left = (regions.get(key) ?? []).filter((reference) => reference.deref() !== undefined);
  if (left.length === 0) regions.delete(key);
  else regions.set(key, left);
});

const sameIndices = (a: Int32Array, b: Int32Array): boolean =>
  a.length === b.length && a.every((index, i) => index === b[i]);

/** Indices in order, each once. */
function sorted(indices: Iterable<number>, size: number, where: string, shape: Shape): Int32Array {
  const given = Array.isArray(indices) || indices instanceof Int32Array ? indices : [...indices];
  let [ordered, last] = [true, -1];
  for (const index of given) {
    if (!Number.isInteger(index) || index < 0 || index >= size)
      throw new IndexError(
        `A region with index ${index} ${where} a tensor of shape ${shapeText(shape)}; indices there are 0 to ${size - 1}`,
      );
    ordered &&= index > last;
    last = index;
  }
  const ascending = new Int32Array(given);
  if (ordered) return ascending;
  ascending.sort();
  return ascending.filter((index, i) => i === 0 || ascending[i - 1] !== index);
}

/** The runs of neighbours in ascending indices, each from its first up to and without its end. */
function rangesOf(indices: Int32Array): [from: number, to: number][] {
  const runs = new RowRanges(1);
  for (const index of indices) runs.add(index);
  return runs.ranges;
}

// Regions of one tensor where null stands for all of it.

/** What two regions share. */
export function intersect(a: Region | null, b: Region | null): Region | null {
  if (a === null || b === null) return a ?? b;
  return wholeAsNull(a.intersect(b));
}

/** What is left of a region without another, or "none". */
export function minus(a: Region | null, b: Region | null): Region | null | "none" {
  if (b === null || a === b) return "none";
  const left = a === null ? b.complement() : a.minus(b);
  return left.isEmpty ? "none" : wholeAsNull(left);
}

/** What is in either region. */
export function union(a: Region | null, b: Region | null): Region | null {
  return a === null || b === null ? null : wholeAsNull(a.union(b));
}

const wholeAsNull = (region: Region): Region | null => (region.isWhole ? null : region);
