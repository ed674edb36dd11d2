import { type DType, readElement } from "../base/dtype.ts";
import type { Storage } from "../engine/storage.ts";
import { type ElementType, elementTypeOf } from "./onnx-graph.ts";

/** Numbers that a file has: what they are called, and in which dtype they are computed with. */
export interface Stored {
  /** Tells them apart from all others of a file. */
  readonly key: string;
  readonly label: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  /** Whether what is meant is the matrix with its rows as columns. */
  readonly isTransposed: boolean;
  /** Reads them, from a backend's memory maybe. */
  readonly read: () => Float32Array | Float64Array | Int32Array | Uint8Array;
}

/** The numbers of a storage: those of dtypes that only store, in the one that they are computed in. */
export function storedOf(storage: Storage, dtype: DType, dims: readonly number[]): Stored {
  const type = elementTypeOf(dtype);
  const read = () => {
    const raw = storage.read();
    if (type === dtype) return raw as ReturnType<Stored["read"]>;
    const data = type === "f32" ? new Float32Array(raw.length) : new Int32Array(raw.length);
    for (let i = 0; i < raw.length; i++) data[i] = readElement(dtype, raw, i);
    return data;
  };
  return { key: `${storage.id}`, label: storage.label || "constant", type, dims, isTransposed: false, read };
}
