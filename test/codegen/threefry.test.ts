import { expect, test } from "vitest";
import { threefry2x32 } from "../../src/base/threefry.ts";
import { threefryOfTwo } from "../../src/codegen/threefry.ts";
import { constant, count, KernelBuilder, ops, typeOf } from "../../src/lowered/build.ts";
import { interpret } from "../../src/lowered/interpret.ts";
import { verify } from "../../src/lowered/verify.ts";

const lanes = 4;
const key = [123, -456] as const;

/** The words of two vectors of elements from one on. */
function wordsFrom(first: bigint): number[] {
  const b = new KernelBuilder();
  const result = b.access({
    cell: "i32",
    memory: { argument: 0, alias: 0 },
    extents: [count(2 * lanes)],
    strides: [count(1)],
    written: true,
  });
  const word = (value: number) => constant(typeOf("u32", lanes), value);
  const low = ops.add(word(Number(first & 0xffffffffn)), ops.bits(ops.iota(lanes), "u32"));
  const high = word(Number(first >> 32n));
  const both = threefryOfTwo(b, [word(key[0]), word(key[1])], [b.let("low", low), high]);
  for (const [i, words] of both.entries())
    b.store({ access: result, at: [count(i * lanes)], along: { dim: 0, packed: true } }, words);
  const kernel = b.kernel("words");
  verify(kernel);
  const memory = new Int32Array(2 * lanes);
  interpret(kernel, [], [{ memory, offset: 0, strides: [1] }]);
  return [...memory];
}

/** As it is stated: word e & 1 of counter e >>> 1. */
function stated(element: bigint): number {
  const counter = element >> 1n;
  const words = threefry2x32(...key, Number(counter & 0xffffffffn) | 0, Number(counter >> 32n));
  return words[Number(element & 1n)]!;
}

test.each([0n, 1n, 6n, 2n ** 31n - 4n, 2n ** 32n + 2n, 2n ** 33n + 5n, 2n ** 40n])(
  "words of two vectors from %d on",
  (first) => {
    expect(wordsFrom(first)).toEqual(Array.from({ length: 2 * lanes }, (_, i) => stated(first + BigInt(i))));
  },
);

test.each([2n ** 40n - 6n, 2n ** 33n - 8n, 2n ** 33n - 5n])(
  "counters go on in their high word, from %d",
  (first) => {
    // The vector itself has one high word; what comes after it has another.
    const wanted = Array.from({ length: 2 * lanes }, (_, i) => stated(first + BigInt(i)));
    expect(wordsFrom(first)).toEqual(wanted);
  },
);
