import { isFloat } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { type Node, node } from "../ir/node.ts";
import * as kind from "../tensor/argument-kinds.ts";
import { empty } from "../tensor/create.ts";
import { embedding } from "../tensor/embedding.ts";
import { checkElements } from "../tensor/operations/check-elements.ts";
import {
  div,
  eq,
  full,
  gt,
  like,
  lt,
  maximum,
  minimum,
  mul,
  ne,
  sub,
  where,
} from "../tensor/operations/elementwise.ts";
import { checkedIndices, gather, scatterAdd } from "../tensor/operations/indexing.ts";
import { narrow, unsqueeze } from "../tensor/operations/movement.ts";
import { broadcastTo } from "../tensor/operations/promote.ts";
import { cumsum, maxAlong, sum } from "../tensor/operations/reduction.ts";
import { indexAdd, scatterReduce } from "../tensor/operations/scattering.ts";
import { Parameter } from "../tensor/parameter.ts";
import { checked, refuseUnless, takes } from "../tensor/signature.ts";
import { Tensor } from "../tensor/tensor.ts";
import { drawTable, givenTable, paddingRow, tableOptions, tableRepr, tableSizes } from "./embedding-table.ts";
import { Module } from "./module.ts";

/** What becomes of the rows of a bag. */
export type BagMode = "sum" | "mean" | "max";

/** Options of `EmbeddingBag`. */
export interface EmbeddingBagOptions {
  /** "mean" by default. Of an empty bag all are 0. */
  mode?: BagMode;
  /** A row that counts for nothing, not in a mean either, and gets no gradient; negative ones count from the end. */
  paddingIdx?: number | null;
  /** Whether the last offset is the end of the last bag, and not the start of one more. */
  includeLastOffset?: boolean;
  /** The length that rows are shortened to, in the table itself, as they are looked up; as in `Embedding`. */
  maxNorm?: number | null;
  /** Which norm `maxNorm` is of; 2. */
  normType?: number;
  /** Whether the gradient of a row is divided by how often the row is looked up; not with "max". */
  scaleGradByFreq?: boolean;
}

/** Options of `embeddingBag`. */
export interface EmbeddingBagFunctionOptions extends EmbeddingBagOptions {
  /** What each row is multiplied by, of the shape of the indices and the dtype of the table; only with "sum". */
  perSampleWeights?: Tensor | null;
}

/** What is looked up: rows in bags, of which some count. */
interface Bags {
  /** [B, N, D], or [L, D] with the bag of each in `bag`. */
  readonly rows: Node;
  /** Which rows count, bool, without the last dimension. */
  readonly counts: Node;
  readonly bag: Node | null;
  readonly number: number;
}

/**
 * What `EmbeddingBag` does, with a table that is given: `weight` of [rows, dims]. Indices of [B, N] are B bags; those of
 * [L] are cut into bags at `offsets`, [B], ascending from 0. Gives [B, dims].
 * Source: `torch.nn.functional.embedding_bag`.
 */
export const embeddingBag = checked(
  "embeddingBag",
  takes(
    { indices: kind.tensor, weight: kind.tensor, offsets: kind.nullable(kind.tensor) },
    {
      mode: kind.oneOf("sum", "mean", "max"),
      paddingIdx: kind.nullable(kind.whole),
      includeLastOffset: kind.boolean,
      maxNorm: kind.nullable(kind.number),
      normType: kind.number,
      scaleGradByFreq: kind.boolean,
      perSampleWeights: kind.nullable(kind.tensor),
    },
  ),
  embeddingBagOf,
);

function embeddingBagOf(
  indices: Tensor,
  weight: Tensor,
  offsets?: Tensor | null,
  options: EmbeddingBagFunctionOptions = {},
): Tensor {
  const { mode = "mean", includeLastOffset = false, perSampleWeights = null } = options;
  refuseOptions(indices, weight, options);
  if (indices.ndim === 2 ? offsets : !offsets || indices.ndim !== 1)
    throw new ShapeError(
      `embeddingBag: indices of shape ${shapeText(indices.shape)} ${offsets ? "with" : "without"} offsets; a matrix is a bag a row, and a vector is cut into bags at offsets`,
    );
  const { paddingIdx = null, maxNorm = null, normType = 2, scaleGradByFreq = false } = options;
  const found = embedding(indices, weight, { paddingIdx, maxNorm, normType, scaleGradByFreq }).node;
  const padding = paddingIdx === null || paddingIdx >= 0 ? paddingIdx : paddingIdx + weight.shape[0]!;
  const bags: Bags = {
    rows: perSampleWeights === null ? found : mul(found, unsqueeze(perSampleWeights.node, -1)),
    counts: padding === null ? full(indices.shape, true, "bool") : ne(indices.node, padding),
    bag: offsets ? bagOf(offsets.node, indices.numel) : null,
    number: offsets ? offsets.numel - Number(includeLastOffset) : indices.shape[0]!,
  };
  const result = mode === "max" ? largest(bags) : total(bags, mode);
  return new Tensor(like(result, result.shape, weight.dtype, "embeddingBag"));
}

function refuseOptions(
  indices: Tensor,
  weight: Tensor,
  { mode = "mean", perSampleWeights = null, scaleGradByFreq = false }: EmbeddingBagFunctionOptions,
): void {
  if (weight.ndim !== 2 || !isFloat(weight.dtype))
    throw new ShapeError(
      `embeddingBag: the table is a floating-point matrix, not ${weight.dtype}${shapeText(weight.shape)}`,
    );
  if (mode === "max" && scaleGradByFreq)
    throw new ArgumentError(
      'embeddingBag: scaleGradByFreq says nothing with the mode "max"; use "sum" or "mean"',
    );
  if (perSampleWeights === null) return;
  if (mode !== "sum")
    throw new ArgumentError(`embeddingBag: perSampleWeights are for the mode "sum", and it is "${mode}"`);
  if (!sameShape(perSampleWeights.shape, indices.shape))
    throw new ShapeError(
      `embeddingBag: perSampleWeights of shape ${shapeText(perSampleWeights.shape)} for indices of shape ${shapeText(indices.shape)}; they must be equal`,
    );
  if (perSampleWeights.dtype !== weight.dtype)
    throw new DTypeError(
      `embeddingBag: perSampleWeights are ${perSampleWeights.dtype}, the table is ${weight.dtype}; cast one to the other`,
    );
}

/** The bag that each of so many indices is in: how many offsets come no later, less one. */
function bagOf(offsets: Node, length: number): Node {
  if (offsets.shape.length !== 1 || offsets.shape[0] === 0)
    throw new ShapeError(
      `embeddingBag: offsets are a vector of at least one, not of shape ${shapeText(offsets.shape)}`,
    );
  const starts = ascending(checkedIndices("embeddingBag: offsets", offsets, 0, length + 1));
  const begun = scatterAdd(full([length + 1], 0, "i32"), 0, starts, full(starts.shape, 1, "i32"));
  return sub(cumsum(narrow(begun, 0, 0, length), 0), 1);
}

/** Offsets, checked to begin at 0 and not to go back. */
function ascending(offsets: Node): Node {
  const count = offsets.shape[0]!;
  const first = narrow(offsets, 0, 0, 1);
  const steps = sub(narrow(offsets, 0, 1, count - 1), narrow(offsets, 0, 0, count - 1));
  // What a first offset above 0 leaves out is as wrong as a step back.
  const gaps = node("concat", [sub(0, first), steps], { axis: 0 });
  const demand = {
    meets: (gap: number): boolean => gap >= 0,
    fails: (): Node => lt(gaps, 0),
    error: (): ArgumentError =>
      new ArgumentError("embeddingBag: offsets begin at 0, and none is less than the one before it"),
  };
  return checkElements(gaps, demand, () => node("detach", [offsets], {})) ?? offsets;
}

/** Sums, or means, of the rows of each bag that count. */
function total({ rows, counts, bag, number }: Bags, mode: "sum" | "mean"): Node {
  const kept = where(unsqueeze(counts, -1), rows, 0);
  const added = (x: Node): Node => {
    if (bag === null) return sum(x, 1);
    const none = full([number + 1, ...x.shape.slice(1)], 0, x.dtype);
    return narrow(indexAdd(none, 0, maximum(bag, 0), x, 1), 0, 0, number);
  };
  const result = added(kept);
  if (mode === "sum") return result;
  const sizes = added(where(counts, 1, 0));
  return div(result, unsqueeze(maximum(sizes, 1), 1));
}

/** The largest of each column of a bag, of several the first, which alone gets the gradient. */
function largest({ rows, counts, bag, number }: Bags): Node {
  const width = rows.shape.at(-1)!;
  const zeros = full([number, width], 0, rows.dtype);
  const length = rows.shape.at(-2)!;
  if (length === 0 || number === 0 || width === 0) return zeros;
  const lowest = where(unsqueeze(counts, -1), rows, Number.NEGATIVE_INFINITY);
  if (bag === null) {
    const any = gt(sum(counts, 1, true), 0);
    return where(any, maxAlong(lowest, 1).values, 0);
  }
  const bags = broadcastTo(unsqueeze(bag, 1), rows.shape, "embeddingBag");
  const still = node("detach", [lowest], {});
  const reduced = (x: Node, how: "amax" | "amin", from: number): Node =>
    scatterReduce(full([number + 1, width], from, x.dtype), 0, bags, x, how, true);
  const top = gather(reduced(still, "amax", Number.NEGATIVE_INFINITY), 0, bags);
  const places = node("iota", [], { shape: rows.shape, axis: 0, dtype: "i32" });
  const isTop = eq(still, top);
  const candidates = where(isTop, places, length);
  const first = narrow(reduced(candidates, "amin", length), 0, 0, number);
  const taken = gather(rows, 0, minimum(first, length - 1));
  const sizes = indexAdd(full([number + 1], 0, "i32"), 0, bag, where(counts, 1, 0), 1);
  return where(unsqueeze(gt(narrow(sizes, 0, 0, number), 0), 1), taken, zeros);
}

const bagOptions = { mode: kind.oneOf("sum", "mean", "max"), includeLastOffset: kind.boolean };
const signature = takes(tableSizes, { ...tableOptions, ...bagOptions });

/**
 * The sum, mean or largest of the rows of a table at the indices of each bag, without the rows in between.
 *
 * Takes indices of [B, N], which are B bags, or of [L], which are cut into bags at offsets, [B]; gives [B, embeddingDim].
 * `weight` is `numEmbeddings` rows of `embeddingDim` numbers, drawn from a standard normal. Rows that no bag names get a
 * gradient of 0, and train alone by `rows(…)`. Options are those of `EmbeddingBagOptions`.
 * Throws `IndexError` for an index out of range, `ShapeError` and `ArgumentError` for offsets that do not fit.
 * Source: `torch.nn.EmbeddingBag`.
 * Example: `new nn.EmbeddingBag(10, 4).forward(arange(6), tensor([0, 4], { dtype: "i32" }))`.
 */
export class EmbeddingBag extends Module {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly mode: BagMode;
  readonly paddingIdx: number | null;
  readonly includeLastOffset: boolean;
  readonly maxNorm: number | null;
  readonly normType: number;
  readonly scaleGradByFreq: boolean;
  weight: Parameter;

  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingBagOptions = {}) {
    super();
    refuseUnless("EmbeddingBag", signature, [numEmbeddings, embeddingDim, options]);
    const { mode = "mean", paddingIdx = null, includeLastOffset = false } = options;
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.mode = mode;
    this.paddingIdx = paddingRow("EmbeddingBag", numEmbeddings, embeddingDim, paddingIdx);
    this.includeLastOffset = includeLastOffset;
    this.maxNorm = options.maxNorm ?? null;
    this.normType = options.normType ?? 2;
    this.scaleGradByFreq = options.scaleGradByFreq ?? false;
    this.weight = new Parameter(empty([numEmbeddings, embeddingDim]));
    this.resetParameters();
  }

  /**
   * A layer with a table that is given, of [rows, dims], taken over with its dtype. As in PyTorch, `freeze` (the default)
   * makes the table require no gradient; to hold it still under every optimizer, freeze it by its path.
   */
  static fromPretrained(
    embeddings: Tensor,
    { freeze = true, ...options }: EmbeddingBagOptions & { freeze?: boolean } = {},
  ): EmbeddingBag {
    const { sizes, weight } = givenTable("EmbeddingBag", embeddings, freeze);
    const layer = new EmbeddingBag(...sizes, options);
    layer.weight = weight;
    return layer;
  }

  /** Draws the table anew from a standard normal; the padding row becomes zeros. */
  resetParameters(): void {
    drawTable(this.weight, this.paddingIdx);
  }

  /** The bags at indices, with offsets where the indices are a vector, and weights of single rows where the mode is "sum". */
  forward(indices: Tensor, offsets?: Tensor | null, perSampleWeights?: Tensor | null): Tensor {
    const { mode, paddingIdx, includeLastOffset, maxNorm, normType, scaleGradByFreq } = this;
    return embeddingBag(indices, this.weight, offsets, {
      mode,
      paddingIdx,
      includeLastOffset,
      maxNorm,
      normType,
      scaleGradByFreq,
      perSampleWeights: perSampleWeights ?? null,
    });
  }

  override extraRepr(): string {
    const { paddingIdx, mode } = this;
    return [
      `${this.numEmbeddings}, ${this.embeddingDim}`,
      ...tableRepr(this),
      `mode='${mode}'`,
      ...(paddingIdx === null ? [] : [`padding_idx=${paddingIdx}`]),
    ].join(", ");
  }
}
