import { expect, test } from "vitest";
import { threefry2x32 } from "../../src/base/threefry.ts";

// The known-answer vectors of Random123 1.14 (kat_vectors, threefry2x32 20).
test.each([
  [
    [0, 0, 0, 0],
    [0x6b200159, 0x99ba4efe],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0x1cb996fc, 0xbb002be7],
  ],
  [
    [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3],
    [0xc4923a9c, 0x483df7a0],
  ],
])("threefry2x32(%j) gives the published words", ([key0, key1, counter0, counter1], words) => {
  expect(threefry2x32(key0!, key1!, counter0!, counter1!)).toEqual(words.map((w) => w | 0));
});
