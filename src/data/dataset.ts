import { allocate, type TypedArray } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { shapeText, sizeOf } from "../base/shape.ts";
import { realize } from "../engine/realize.ts";
import type { Storage } from "../engine/storage.ts";
import { hostNode, storedLeaf } from "../engine/trace.ts";
import { Tensor } from "../tensor/tensor.ts";

/** One tensor for each of several, whatever subclass those are. */
export type Batch<T extends readonly Tensor[]> = { [K in keyof T]: Tensor };

/** Rows that can be fetched by index, a batch being a tuple `B` of tensors. Anything like this can be loaded. */
export interface Dataset<B extends readonly Tensor[] = readonly Tensor[]> {
  /** Number of rows. */
  readonly length: number;
  /** The rows at some indices, in their order, as one batch. */
  batch(indices: ArrayLike<number>): B;
}

interface Column {
  readonly tensor: Tensor;
  readonly data: TypedArray;
}

/** Tensors that agree in their first dimension, as rows: `torch.utils.data.TensorDataset`. It copies their values. */
export class TensorDataset<T extends readonly Tensor[]> implements Dataset<Batch<T>> {
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
}

/** Some rows of another dataset: `torch.utils.data.Subset`. */
export class Subset<B extends readonly Tensor[]> implements Dataset<B> {
  readonly dataset: Dataset<B>;
  /** The rows of `dataset` that it is made of. */
  readonly indices: Int32Array;

  constructor(dataset: Dataset<B>, indices: Int32Array) {
    this.dataset = dataset;
    this.indices = indices;
  }

  get length(): number {
    return this.indices.length;
  }

  batch(indices: ArrayLike<number>): B {
    return this.dataset.batch(Int32Array.from(indices, (i) => this.indices[i]!));
  }

  /** All its rows as one batch. */
  all(): B {
    return this.dataset.batch(this.indices);
  }
}

/** The elements as they are stored, bf16 and f16 as bits. */
function rawElements(tensor: Tensor): TypedArray {
  const own = tensor.detach();
  realize(own);
  return (storedLeaf(own.node)!.attrs.source as Storage).read();
}
