import type { TypedArray } from "../base/dtype.ts";
import { storageOf } from "../engine/realize.ts";
import { refuseWhileRecording } from "../engine/trace.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** A copy of a tensor's elements as they are stored: every bit, bf16 and f16 not widened. */
export function bitsOf(tensor: Tensor, what: string): TypedArray {
  refuseWhileRecording(what);
  return storageOf(tensor).read();
}
