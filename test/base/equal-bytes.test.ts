import { expect, test } from "vitest";
import { equalBytes } from "../../src/base/equal-bytes.ts";

/** With Node's comparison, and without, as in a page. */
test.each([true, false])("every byte counts, wherever arrays begin and end (Buffer: %s)", (there) => {
  const { Buffer } = globalThis;
  if (!there) Reflect.deleteProperty(globalThis, "Buffer");
  const found: string[] = [];
  try {
    for (const [from, to] of [0, 1, 4].flatMap((a) => [0, 3, 8].map((b) => [a, b] as const)))
      for (const length of [0, 1, 5, 15, 16, 17, 48, 61]) {
        const [a, b] = [new Uint8Array(80), new Uint8Array(80)].map((x, i) =>
          x.fill(99).subarray([from, to][i], [from, to][i]! + length),
        ) as [Uint8Array, Uint8Array];
        for (let i = 0; i < length; i++) a[i] = b[i] = i * 37;
        if (!equalBytes(a, b)) found.push(`equal of ${length} at ${from}, ${to}`);
        for (let i = 0; i < length; i++) {
          a[i]! ^= 0x80;
          if (equalBytes(a, b)) found.push(`byte ${i} of ${length} at ${from}, ${to}`);
          a[i]! ^= 0x80;
        }
        if (length > 0 && equalBytes(a, b.subarray(1))) found.push(`length ${length}`);
      }
  } finally {
    globalThis.Buffer = Buffer;
  }
  expect(found).toEqual([]);
});
