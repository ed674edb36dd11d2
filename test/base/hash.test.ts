import { expect, test } from "vitest";
import { Hash, hashBytes } from "../../src/base/hash.ts";

const bytes = Uint8Array.from({ length: 70_003 }, (_, i) => (i * 37 + (i >> 8)) & 255);

test("pieces of any lengths, from any place on, hash as the whole", () => {
  const whole = hashBytes(bytes);
  const hash = new Hash();
  for (let at = 0, length = 1; at < bytes.length; at += length, length = (length * 7 + 3) % 40_009)
    hash.add(bytes.subarray(at, at + length));
  expect(hash.add(new Uint8Array(0)).text).toBe(whole);
  const moved = new Uint8Array(bytes.length + 3);
  for (const offset of [1, 2, 3]) {
    moved.set(bytes, offset);
    expect(hashBytes(moved.subarray(offset, offset + bytes.length))).toBe(whole);
  }
});

test("every length of zeros, and every bit of them, has a hash of its own", () => {
  const seen = new Set<string>();
  let expected = 0;
  for (let length = 0; length < 40; length++) {
    const some = new Uint8Array(length);
    seen.add(hashBytes(some));
    for (let bit = 0; bit < 8 * length; bit++) {
      some[bit >> 3]! ^= 1 << (bit & 7);
      seen.add(hashBytes(some));
      some[bit >> 3] = 0;
    }
    expected += 1 + 8 * length;
  }
  expect(seen.size).toBe(expected);
});

test("pairs of bits in words that go into one lane never cancel", () => {
  const some = new Uint32Array(12);
  const seen = new Set<string>();
  for (let a = 0; a < 32; a++)
    for (let b = 0; b < 32; b++) {
      some[0] = 2 ** a;
      some[4] = 2 ** b;
      seen.add(hashBytes(new Uint8Array(some.buffer)));
    }
  expect(seen.size).toBe(32 * 32);
});
