const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/** Mixes one word into a lane, as MurmurHash3 does (Appleby, public domain). */
const mixed = (lane: number, word: number): number =>
  (Math.imul(rotate(lane ^ Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593), 13), 5) +
    0xe6546b64) |
  0;

/** Spreads every bit of a lane over all of it. */
function finished(lane: number): number {
  let h = lane;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * A hash of bytes, as 16 hexadecimal digits: equal bytes, equal hash; bytes that differ by accident hash alike once
 * in 2^64 times. It keeps nothing secret and stops nobody who wants two alike.
 */
export function hashBytes(bytes: Uint8Array): string {
  let [a, b] = [bytes.length | 0, 0x9747b28c];
  const whole = bytes.length & ~3;
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, whole / 4);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    a = mixed(a, word);
    b = mixed(b, word ^ a);
  }
  for (let i = whole; i < bytes.length; i++) {
    a = mixed(a, bytes[i]! + 1);
    b = mixed(b, bytes[i]! ^ a);
  }
  return [finished(a), finished(b ^ rotate(a, 16))]
    .map((lane) => lane.toString(16).padStart(8, "0"))
    .join("");
}
