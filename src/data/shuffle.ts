import { threefry2x32 } from "../base/threefry.ts";

/**
 * 0 to `length` − 1 in a random order: the same for the same seed and stream, on every machine. Streams of one seed
 * are independent orders, one for each pass over the data.
 */
export function permutation(length: number, seed: number, stream = 0): Int32Array {
  // What of the stream is beyond one word is in the counter's other.
  const high = Math.floor(stream / 2 ** 32);
  const order = Int32Array.from({ length }, (_, i) => i);
  // Fisher and Yates's shuffle; 32 random bits scaled to a range are uneven by at most length / 2³².
  for (let i = length - 1; i > 0; i--) {
    const [bits] = threefry2x32(seed, stream, i, high);
    const j = Math.floor(((bits >>> 0) / 2 ** 32) * (i + 1));
    const taken = order[i]!;
    order[i] = order[j]!;
    order[j] = taken;
  }
  return order;
}
