import { allocate, type TypedArray } from "../base/dtype.ts";
import { ArgumentError, IndexError, ShapeError } from "../base/errors.ts";
import { shapeText, sizeOf } from "../base/shape.ts";
import { realize } from "../engine/realize.ts";
import type { Storage } from "../engine/storage.ts";
import { hostNode, storedLeaf } from "../engine/trace.ts";
import { reshape } from "../tensor/operations/movement.ts";
import { Tensor } from "../tensor/tensor.ts";

/** One tensor for each of several, whatever subclass those are. */
export type Batch<T extends readonly Tensor[]> = { [K in keyof T]: Tensor };

/** Rows that can be fetched by index, a batch being a tuple `B` of tensors. Anything like this can be loaded. */
export interface Dataset<B = readonly Tensor[]> {
  /** Number of rows. */
  readonly length: number;
  /** The rows at some indices, in their order, as one batch. */
  batch(indices: ArrayLike<number>): B;
}

/** Samples that can be fetched one by one, as an array's: a `collateFn` makes batches of them. */
export interface Samples<S> {
  /** Number of samples. */
  readonly length: number;
  /** The sample at an index, counted from 0. */
  at(index: number): S | undefined;
}

interface Column {
  readonly tensor: Tensor;
  readonly data: TypedArray;
}

/** Tensors that agree in their first dimension, as rows: `torch.utils.data.TensorDataset`. It copies their values. */
export class TensorDataset<T extends readonly Tensor[]> implements Dataset<Batch<T>>, Samples<Batch<T>> {
  readonly length: number;
  readonly #columns: readonly Column[];

  constructor(...tensors: T) {
    const shapes = tensors.map((t) => shapeText(t.shape)).join(" and ");
    if (tensors.length === 0 || tensors.some((t) => t.ndim === 0 || t.shape[0] !== tensors[0]!.shape[0]))
      throw new ShapeError(
        `TensorDataset: needs tensors of one first dimension, the rows; got ${shapes || "no tensor"}`,
      );
    this.length = tensors[0]!.shape[0]!;
    this.#columns = tensors.map((tensor) => ({ tensor, data: rawElements(tensor) }));
  }

  batch(indices: ArrayLike<number>): Batch<T> {
    return this.#columns.map(({ tensor: { dtype, shape }, data }) => {
      const row = sizeOf(shape.slice(1));
      const out = allocate(dtype, indices.length * row);
      for (let i = 0; i < indices.length; i++) {
        const start = indices[i]! * row;
        out.set(data.subarray(start, start + row), i * row);
      }
      return new Tensor(hostNode(out, dtype, [indices.length, ...shape.slice(1)]));
    }) as Batch<T>;
  }

  /** One row, of one dimension less than a batch; negative indices count from the end. */
  at(index: number): Batch<T> {
    const row = index < 0 ? index + this.length : index;
    if (!Number.isInteger(row) || row < 0 || row >= this.length)
      throw new IndexError(`TensorDataset.at: row ${index} of ${this.length}`);
    return this.batch([row]).map((t) => new Tensor(reshape(t.node, t.shape.slice(1)))) as Batch<T>;
  }
}

/**
 * Some rows of another dataset, or some of its samples: `torch.utils.data.Subset`. `B` are its batches and `S` its
 * samples, as far as what it is of has them.
 */
export class Subset<B, S = never> implements Dataset<B>, Samples<S> {
  readonly dataset: Dataset<B> | Samples<S>;
  /** The rows of `dataset` that it is made of. */
  readonly indices: Int32Array;

  constructor(dataset: Dataset<B> | Samples<S>, indices: Int32Array) {
    this.dataset = dataset;
    this.indices = indices;
  }

  get length(): number {
    return this.indices.length;
  }

  batch(indices: ArrayLike<number>): B {
    return this.#rows.batch(Int32Array.from(indices, (i) => this.indices[i]!));
  }

  at(index: number): S | undefined {
    const row = this.indices.at(index);
    return row === undefined ? undefined : requireSamples("Subset.at", this.dataset).at(row);
  }

  /** All its rows as one batch. */
  all(): B {
    return this.#rows.batch(this.indices);
  }

  get #rows(): Dataset<B> {
    if ("batch" in this.dataset) return this.dataset;
    throw new ArgumentError(
      "Subset: what it is of has samples, and no batch(indices) that makes batches of them; load it with a collateFn",
    );
  }
}

/** What has samples; throws `ArgumentError` for a dataset of which none can be fetched alone. */
export function requireSamples<S>(what: string, dataset: Dataset<unknown> | Samples<S>): Samples<S> {
  if (typeof dataset === "object" && dataset !== null && "at" in dataset && typeof dataset.at === "function")
    return dataset;
  throw new ArgumentError(
    `${what}: the dataset has no at(index), which gives one sample, as arrays and TensorDataset have it`,
  );
}

/** The elements as they are stored, bf16 and f16 as bits. */
export function rawElements(tensor: Tensor): TypedArray {
  const own = tensor.detach();
  realize(own);
  return (storedLeaf(own.node)!.attrs.source as Storage).read();
}
