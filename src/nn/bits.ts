import { type TypedArray, windowsOf } from "../base/dtype.ts";
import { storageOf } from "../engine/realize.ts";
import type { Storage } from "../engine/storage.ts";
import { hostNode, refuseWhileRecording } from "../engine/trace.ts";
import { Tensor } from "../tensor/tensor.ts";

/** A copy of a tensor's elements as they are stored: every bit, bf16 and f16 not widened. */
export function bitsOf(tensor: Tensor, what: string): TypedArray {
  return computedStorage(tensor, what).read();
}

/** A tensor with a copy of another's elements, every bit as they are now. */
export const copyOfBits = (tensor: Tensor, what: string): Tensor =>
  new Tensor(hostNode(bitsOf(tensor, what), tensor.dtype, tensor.shape));

/** Where the elements of a tensor are, once they are computed. */
export function computedStorage(tensor: Tensor, what: string): Storage {
  refuseWhileRecording(what);
  return storageOf(tensor);
}

/** Bytes that are given at a time where they cannot be looked at where they are. */
const pieceBytes = 2 ** 20;

/**
 * The bytes of a tensor's elements, piece by piece and without a copy where that can be. A piece is to be used before
 * the next is asked for, and before anything is computed.
 */
export function* bytesIn(tensor: Tensor, what: string): Generator<Uint8Array> {
  const storage = computedStorage(tensor, what);
  const piece = new Uint8Array(Math.min(pieceBytes, storage.byteLength));
  for (const [from, length] of windowsOf(storage.byteLength)) {
    const bytes = storage.bytes(from, length);
    if (bytes !== null && bytes.buffer instanceof ArrayBuffer) {
      yield bytes;
      continue;
    }
    // Zeros that nobody has written yet, or memory that threads share, which the system's functions do not take.
    for (let at = 0; at < length; at += pieceBytes) {
      const part = piece.subarray(0, length - at);
      if (bytes !== null) part.set(bytes.subarray(at, at + part.length));
      yield part;
    }
  }
}
