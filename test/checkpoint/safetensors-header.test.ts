import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { SafetensorsError, ThawError } from "../../src/base/errors.ts";
import { parseHeader, type SafetensorsHeader } from "../../src/checkpoint/safetensors-header.ts";
import { isBroad } from "../breadth.ts";
import { collectGarbage } from "../collect-garbage.ts";
import { fileOf, randomBelow } from "./bytes.ts";

const parse = (header: unknown, dataBytes = 0): SafetensorsHeader => {
  const bytes = fileOf(header, dataBytes);
  return parseHeader(bytes, bytes.length);
};
const f32 = (shape: number[], from: number, to: number) => ({
  dtype: "F32",
  shape,
  data_offsets: [from, to],
});

test("says where tensors are in the file, in the file's order, and what it is told of them", () => {
  const { tensors, metadata } = parse(
    { b: f32([2], 4, 12), a: f32([], 0, 4), __metadata__: { format: "pt", "": "ü" } },
    12,
  );
  const start =
    8 +
    JSON.stringify({ b: f32([2], 4, 12), a: f32([], 0, 4), __metadata__: { format: "pt", "": "ü" } }).length +
    1;
  expect([...tensors]).toEqual([
    ["b", { dtype: "F32", shape: [2], begin: start + 4, end: start + 12 }],
    ["a", { dtype: "F32", shape: [], begin: start, end: start + 4 }],
  ]);
  expect({ ...metadata }).toEqual({ format: "pt", "": "ü" });
});

describe("takes", () => {
  const cases: Record<string, [unknown, number]> = {
    nothing: ["{}", 0],
    "padding and spaces": ['{ "a" : {"dtype":"U8",\t"shape":[ 1 ],\n"data_offsets":[0 , 1]}\r}    ', 1],
    "no elements": [{ a: f32([3, 0], 0, 0), b: f32([0], 0, 0) }, 0],
    escapes: ['{"\\u00fc\\ud83d\\ude00\\n":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1],
    "elements of half a byte": [{ a: { dtype: "F4", shape: [2, 3], data_offsets: [0, 3] } }, 3],
    "a dtype it does not know, of a size that can be": [
      { a: { dtype: "F12_E5M6", shape: [4], data_offsets: [0, 6] } },
      6,
    ],
  };
  test.each(Object.entries(cases))("%s", (_, [header, bytes]) => {
    expect(() => parse(header, bytes)).not.toThrow();
  });
});

test("names that mean something to JavaScript are only names", () => {
  const names = ["__proto__", "constructor", "toString"];
  const text = `{"__metadata__":{${names.map((n) => `"${n}":"x"`)}},${names.map(
    (n, i) => `"${n}":{"dtype":"U8","shape":[1],"data_offsets":[${i},${i + 1}]}`,
  )}}`;
  const { tensors, metadata } = parse(text, 3);
  expect([...tensors.keys()]).toEqual(names);
  expect(Object.entries(metadata)).toEqual(names.map((n) => [n, "x"]));
  expect(metadata.valueOf).toBeUndefined();
  expect(({} as { x?: string }).x).toBeUndefined();
});

describe("refuses", () => {
  const one = '"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}';
  const entry = (fields: string): string => `{"a":{${fields}}}`;
  const cases: Record<string, [unknown, number, string]> = {
    "a space before it": [` {${one}}`, 1, 'begins with "{"'],
    "an array": ["[]", 0, 'begins with "{"'],
    "a name twice": [`{${one},${one}}`, 1, 'the header has "a" twice'],
    "a name twice, once escaped": [`{${one},${one.replace("a", "\\u0061")}}`, 1, 'the header has "a" twice'],
    "metadata twice": ['{"__metadata__":{},"__metadata__":{}}', 0, 'the header has "__metadata__" twice'],
    "a field twice": [
      entry('"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]'),
      1,
      '"a" has "dtype" twice',
    ],
    "a field too many": [
      entry('"dtype":"U8","shape":[],"data_offsets":[0,1],"x":1'),
      1,
      '"a" has "x", which tensors do not have',
    ],
    "a field too few": [entry('"dtype":"U8","shape":[]'), 0, "has not a dtype, a shape and two data_offsets"],
    "one offset": [
      entry('"dtype":"U8","shape":[0],"data_offsets":[0]'),
      0,
      "has not a dtype, a shape and two data_offsets",
    ],
    "three offsets": [entry('"dtype":"U8","shape":[0],"data_offsets":[0,0,0]'), 0, "more than 2 numbers"],
    "metadata that is not text": ['{"__metadata__":{"a":1}}', 0, 'needs "\\"", not "1"'],
    "metadata that is no object": ['{"__metadata__":null}', 0, 'the metadata needs "{", not "n"'],
    "metadata without end": [
      `{"__metadata__":{${Array.from({ length: 65537 }, (_, i) => `"${i}":""`).join()}}}`,
      0,
      "the metadata has more than 65536 names",
    ],
    "nested metadata": ['{"__metadata__":{"a":{}}}', 0, 'needs "\\"", not "{"'],
    "a comma at the end": [`{${one},}`, 1, 'needs "\\"", not "}"'],
    "something after it": [`{${one}}x`, 1, "something after its end"],
    "no end": [`{${one}`, 1, 'needs "}", not its end'],
    "a string without an end": ['{"a', 0, "does not end"],
    "a line break in a string": ['{"a\n":1}', 0, "control characters"],
    "an escape that is none": ['{"\\x":1}', 0, "an escape that JSON does not know"],
    "half a surrogate pair": ['{"\\ud83d":1}', 0, "half of a surrogate pair"],
    "a negative size": [entry('"dtype":"U8","shape":[-1],"data_offsets":[0,1]'), 1, "not a whole number"],
    "a fraction": [entry('"dtype":"U8","shape":[1.0],"data_offsets":[0,1]'), 1, 'needs "]", not "."'],
    "an exponent": [entry('"dtype":"U8","shape":[1e0],"data_offsets":[0,1]'), 1, 'needs "]", not "e"'],
    "a leading zero": [entry('"dtype":"U8","shape":[01],"data_offsets":[0,1]'), 1, "not a whole number"],
    "a size beyond 2^53": [
      entry('"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,1]'),
      1,
      "not a whole number",
    ],
    "sizes whose product overflows": [
      { a: f32([2 ** 40, 2 ** 40], 0, 0) },
      0,
      "more elements than a file can hold",
    ],
    "sizes whose product is 2^64": [
      { a: { dtype: "U8", shape: [2 ** 32, 2 ** 32], data_offsets: [0, 0] } },
      0,
      "more elements",
    ],
    "sizes that a zero hides": [
      { a: f32([2 ** 40, 2 ** 40, 0], 0, 0) },
      0,
      "more elements than a file can hold",
    ],
    "65 dimensions": [{ a: f32(new Array(65).fill(1), 0, 4) }, 4, "more than 64 numbers"],
    "a size that is not the shape's": [{ a: f32([2], 0, 4) }, 4, "takes 8 bytes; its offsets leave 4"],
    "three half bytes": [{ a: { dtype: "F4", shape: [3], data_offsets: [0, 2] } }, 2, "takes 1.5 bytes"],
    "no dtype": [{ a: { dtype: "f32 ", shape: [1], data_offsets: [0, 4] } }, 4, "which is no dtype"],
    "an unknown dtype of broken bits": [
      { a: { dtype: "F9", shape: [3], data_offsets: [0, 1] } },
      1,
      "of unknown F9",
    ],
    "an end before its begin": [{ a: f32([0], 4, 0) }, 4, "ends at 0, before it begins at 4"],
    "two in one place": [{ a: f32([1], 0, 4), b: f32([1], 0, 4) }, 4, "inside another tensor"],
    "two that overlap": [{ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12, "inside another tensor"],
    "a hole": [{ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12, "belong to none"],
    "a hole before the first": [{ a: f32([1], 4, 8) }, 8, "belong to none"],
    "bytes after the last": [{ a: f32([1], 0, 4) }, 5, "has 1 bytes after its last tensor"],
    "an end beyond the file": [{ a: f32([2], 0, 8) }, 7, "truncated"],
  };
  test.each(Object.entries(cases))("%s", (_, [header, bytes, message]) => {
    expect(() => parse(header, bytes)).toThrow(SafetensorsError);
    expect(() => parse(header, bytes)).toThrow(message);
  });

  test("invalid UTF-8, and a byte order mark", () => {
    const bytes = fileOf('{"a?":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}');
    bytes[11] = 0xff;
    expect(() => parseHeader(bytes, bytes.length)).toThrow("not UTF-8");
    expect(() => parse("\ufeff{}")).toThrow('begins with "{"');
  });

  test("a header longer than the file, or than any, before it is read", () => {
    const bytes = fileOf("{}");
    for (const [length, message] of [
      [3n, "only 2 after the first 8"],
      [100_000_001n, "100000000 is the most"],
      [2n ** 64n - 1n, "100000000 is the most"],
    ] as const) {
      new DataView(bytes.buffer).setBigUint64(0, length, true);
      expect(() => parseHeader(bytes, bytes.length)).toThrow(message);
    }
    for (let length = 0; length < 8; length++)
      expect(() => parseHeader(new Uint8Array(length), length)).toThrow(`this one has ${length} bytes`);
  });

  test("what is nested deeply, without running out of stack", () => {
    for (const open of ["[", '{"a":', '{"a":{"shape":['])
      expect(() => parse(`{"a":${open.repeat(100_000)}`)).toThrow(SafetensorsError);
  });
});

const mutations = isBroad ? 1_000_000 : 100_000;

describe("mutated headers", () => {
  const seeds = [
    readFileSync(new URL("../oracle/safetensors/held.safetensors", import.meta.url)),
    fileOf(
      { __metadata__: { format: "pt" }, a: f32([2, 3], 0, 24), b: f32([], 24, 28), c: f32([0], 28, 28) },
      28,
    ),
    fileOf({ x: { dtype: "I64", shape: [1], data_offsets: [0, 8] } }, 8),
  ].map((bytes) => new Uint8Array(bytes));
  const tokens = [
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "\\u",
    "0",
    "9007199254740991",
    "-1",
    "1e9",
    "null",
    "[[",
    '"a":',
    "__metadata__",
    "__proto__",
    "F64",
    "\u00ff",
    "\0",
  ].map((token) => new TextEncoder().encode(token));

  /** Changes a few bytes of a file in one of several ways, its size and its header's length staying true or not. */
  function mutated(bytes: Uint8Array, below: (n: number) => number): Uint8Array {
    const headerEnd = 8 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    const at = below(10) === 0 ? below(8) : 8 + below(headerEnd - 8);
    const kind = below(5);
    if (kind === 0 || at < 8) {
      const copy = bytes.slice();
      copy[at] = copy[at]! ^ (1 << below(8));
      return copy;
    }
    const token =
      kind === 1 ? tokens[below(tokens.length)]! : bytes.subarray(at, at + below(kind === 2 ? 40 : 4));
    const skipped = kind === 1 ? below(3) : kind === 2 ? 0 : kind === 3 ? below(30) : 1;
    const inserted = kind === 3 ? new Uint8Array(0) : kind === 4 ? Uint8Array.of(48 + below(10)) : token;
    const rest = bytes.subarray(Math.min(headerEnd, at + skipped));
    const out = new Uint8Array(at + inserted.length + rest.length);
    out.set(bytes.subarray(0, at));
    out.set(inserted, at);
    out.set(rest, at + inserted.length);
    // Three in four say how long their header is now, so that it is read at all.
    if (below(4) > 0) new DataView(out.buffer).setUint32(0, headerEnd - 8 + out.length - bytes.length, true);
    return out;
  }

  test("are read or refused: nothing else is thrown, no table is larger than the header, and none is kept", () => {
    const below = randomBelow(7);
    const before = process.memoryUsage().arrayBuffers;
    const { stackTraceLimit } = Error;
    // Stacks would take most of the time.
    Error.stackTraceLimit = 0;
    let read = 0;
    for (let i = 0; i < mutations; i++) {
      // The long header once in a while; most of a mutation's chances are in the short ones.
      const once = mutated(seeds[below(20) === 0 ? 0 : 1 + below(2)]!, below);
      const bytes = below(3) === 0 ? mutated(once, below) : once;
      try {
        const { tensors } = parseHeader(bytes, bytes.length);
        read++;
        let sizes = 0;
        for (const { shape, begin, end } of tensors.values()) {
          sizes += shape.length;
          if (begin > end || end > bytes.length) throw new Error("outside the file");
        }
        if (tensors.size + sizes > bytes.length) throw new Error("more than the header can say");
      } catch (error) {
        if (!(error instanceof ThawError)) throw error;
      }
    }
    Error.stackTraceLimit = stackTraceLimit;
    // Some mutations change only a name, or metadata.
    expect(read).toBeGreaterThan(mutations / 100);
    expect(read).toBeLessThan(mutations / 2);
    collectGarbage();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 26);
  }, 120_000);
});
