import type { TypedArray } from "../base/dtype.ts";
import { realize } from "../engine/realize.ts";
import type { Storage } from "../engine/storage.ts";
import { refuseWhileRecording, storedLeaf } from "../engine/trace.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** A copy of a tensor's elements as they are stored: every bit, bf16 and f16 not widened. */
export function bitsOf(tensor: Tensor, what: string): TypedArray {
  refuseWhileRecording(what);
  realize(tensor);
  return (storedLeaf(tensor.node)!.attrs.source as Storage).read();
}
