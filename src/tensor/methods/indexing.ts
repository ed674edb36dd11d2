import { hostNode } from "../../engine/trace.ts";
import * as ops from "../operations/indexing.ts";
import * as linalg from "../operations/linalg.ts";
import type { Indexed } from "../operations/reduction.ts";
import * as sorting from "../operations/sorting.ts";
import type { HasNode } from "./base.ts";
import { MovementMethods } from "./movement.ts";

/** How to sort. */
interface SortOptions {
  descending?: boolean;
  stable?: boolean;
}

/** What `at` takes for a dimension. */
export type IndexOf<T> = number | ops.Slice | null | "..." | T | readonly number[];

/** Methods that index, sort and multiply matrices, named and behaving as PyTorch's. */
export abstract class IndexingMethods<T extends HasNode> extends MovementMethods<T> {
  /**
   * `x[i, …]`: numbers, `slice(start, stop, step)`, null for a new dimension, "...", and tensors or lists of indices. A
   * bool tensor picks the elements where it is true: it is read, since the result's shape depends on it.
   */
  at(...indices: IndexOf<T>[]): T {
    return this.wrap(ops.at(this.node, this.indicesFrom("at", indices)));
  }
  /** Indices as operations take them; bool tensors are read. */
  protected indicesFrom(op: string, indices: readonly IndexOf<T>[]): ops.Index[] {
    return indices.map((i) => {
      if (i === null || typeof i !== "object") return i;
      if (Array.isArray(i)) return hostNode(Int32Array.from(i), "i32", [i.length]);
      if (!("node" in i)) return i as ops.Slice;
      if (i.node.dtype !== "bool") return i.node;
      return { mask: i.node, values: this.valuesFor(`${op} with a mask`, i) };
    });
  }
  /** Elements at indices along a dimension. */
  gather(dim: number, index: T): T {
    return this.wrap(ops.gather(this.node, dim, index.node));
  }
  /** As `gather`, with indices that broadcast, negative ones from the end; without a dimension, of the flattened tensor. */
  takeAlongDim(index: T, dim?: number | null): T {
    return this.wrap(ops.takeAlongDim(this.node, index.node, dim));
  }
  /** This with every element of `source` added at its index along a dimension. */
  scatterAdd(dim: number, index: T, source: T): T {
    return this.wrap(ops.scatterAdd(this.node, dim, index.node, source.node));
  }
  /** Whole slices at a vector of indices along a dimension. */
  indexSelect(dim: number, index: T): T {
    return this.wrap(ops.indexSelect(this.node, dim, index.node));
  }
  /** Indices that sort a dimension, stably whether or not that is asked for. */
  argsort(dim = -1, { descending = false }: SortOptions = {}): T {
    return this.wrap(sorting.argsort(this.node, dim, descending));
  }
  /** A dimension sorted, stably whether or not that is asked for, and the indices that sort it. */
  sort(dim = -1, { descending = false }: SortOptions = {}): Indexed<T> {
    return this.wrapBoth(sorting.sort(this.node, dim, descending));
  }
  /** The `k` largest (or smallest) along a dimension, in order, and where they are. */
  topk(k: number, dim = -1, { largest = true }: { largest?: boolean; sorted?: boolean } = {}): Indexed<T> {
    return this.wrapBoth(sorting.topk(this.node, k, dim, largest));
  }
  /** The matrix product; vectors, and batches that broadcast, as `torch.matmul`. */
  matmul(other: T): T {
    return this.wrap(linalg.matmul(this.node, other.node));
  }
  /** The product of two matrices. */
  mm(other: T): T {
    return this.wrap(linalg.mm(this.node, other.node));
  }
  /** The product of two batches of matrices. */
  bmm(other: T): T {
    return this.wrap(linalg.bmm(this.node, other.node));
  }
  /** The sum of products of two vectors. */
  dot(other: T): T {
    return this.wrap(linalg.dot(this.node, other.node));
  }
  /** Every product of elements of two vectors. */
  outer(other: T): T {
    return this.wrap(linalg.outer(this.node, other.node));
  }
}
