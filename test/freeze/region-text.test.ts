import fc from "fast-check";
import { Region } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { IndexError, SelectorError } from "../../src/base/errors.ts";
import { sizeOf } from "../../src/base/shape.ts";
import { indexedPath, parseRegion } from "../../src/freeze/region-text.ts";

const places = (index: string, shape: readonly number[]): number[] => {
  const region = parseRegion(index, shape, "w");
  return region === null ? Array.from({ length: sizeOf(shape) }, (_, i) => i) : [...region.flat()];
};

test("a path and its index come apart", () => {
  expect(indexedPath("a.*.weight[:, 3]")).toEqual({ path: "a.*.weight", index: "[:, 3]" });
  expect(indexedPath("a.weight")).toBeNull();
  expect(indexedPath("[3]")).toBeNull();
});

/** A part of an index for a dimension, with the indices it stands for. */
const part = (size: number): fc.Arbitrary<{ text: string; indices: number[] }> => {
  const signed = (index: number): fc.Arbitrary<string> =>
    fc.constantFrom(String(index), ...(index < size ? [String(index - size)] : []));
  const single = fc
    .integer({ min: 0, max: size - 1 })
    .chain((index) => signed(index).map((text) => ({ text, indices: [index] })));
  const slice = fc
    .record({
      from: fc.integer({ min: 0, max: size - 1 }),
      length: fc.integer({ min: 1, max: size }),
      step: fc.integer({ min: 1, max: 3 }),
    })
    .chain(({ from, length, step }) => {
      const to = Math.min(size, from + length);
      const indices = Array.from({ length: size }, (_, i) => i).filter(
        (i) => i >= from && i < to && (i - from) % step === 0,
      );
      return fc.tuple(signed(from), signed(to), fc.boolean()).map(([a, b, spaced]) => ({
        text: `${from === 0 ? "" : a}${spaced ? " : " : ":"}${to === size ? "" : b}${step === 1 ? "" : `:${step}`}`,
        indices,
      }));
    });
  const list = fc.array(fc.oneof(single, slice), { minLength: 1, maxLength: 4 }).map((items) => ({
    text: `[${items.map(({ text }) => text).join(", ")}]`,
    indices: [...new Set(items.flatMap(({ indices }) => indices))],
  }));
  return fc.oneof(single, slice, list);
};

test("any index names the elements whose index is named in each dimension", () => {
  const shape = [4, 3, 5];
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), part(4), part(3), part(5), (dims, a, b, c) => {
      const parts = [a, b, c].slice(0, dims);
      const expected: number[] = [];
      for (let place = 0; place < sizeOf(shape); place++) {
        const at = [Math.floor(place / 15), Math.floor(place / 5) % 3, place % 5];
        if (parts.every(({ indices }, dim) => indices.includes(at[dim]!))) expected.push(place);
      }
      expect(places(`[${parts.map(({ text }) => text).join(", ")}]`, shape)).toEqual(expected);
    }),
  );
});

test("an index named twice counts once", () => {
  expect(parseRegion("[[0, 0]]", [2, 3], "w")).toBe(Region.along([2, 3], 0, [0]));
  expect(parseRegion("[[0, -2], [1, 1, 1]]", [2, 3], "w")).toBe(Region.elements([2, 3], [1]));
});

test("what a region reads as is an index that names it", () => {
  const shape = [9, 4, 7];
  const some = (dim: number) =>
    fc
      .uniqueArray(fc.integer({ min: 0, max: shape[dim]! - 1 }), {
        minLength: 1,
        maxLength: shape[dim]! - 1,
      })
      .map((indices) => Region.along(shape, dim, indices));
  fc.assert(
    fc.property(fc.oneof(some(0), some(1), some(2)), (region) => {
      expect(parseRegion(region.text, shape, "w")).toBe(region);
    }),
  );
});

describe("is refused, by message:", () => {
  test.each([
    [
      "[6]",
      [6, 2],
      "w[6]: 6 is outside a dimension of 6, of a tensor of shape [6, 2]; indices there are 0 to 5",
    ],
    [
      "[-7]",
      [6, 2],
      "w[-7]: -7 is outside a dimension of 6, of a tensor of shape [6, 2]; indices there are 0 to 5",
    ],
    [
      "[:, 2]",
      [6, 2],
      "w[:, 2]: 2 is outside a dimension of 2, of a tensor of shape [6, 2]; indices there are 0 to 1",
    ],
    [
      "[0:7]",
      [6, 2],
      "w[0:7]: 7 is outside a dimension of 6, of a tensor of shape [6, 2]; bounds there are 0 to 6",
    ],
    [
      "[-7:]",
      [6, 2],
      "w[-7:]: -7 is outside a dimension of 6, of a tensor of shape [6, 2]; bounds there are 0 to 6",
    ],
    [
      "[[0, 6]]",
      [6],
      "w[[0, 6]]: 6 is outside a dimension of 6, of a tensor of shape [6]; indices there are 0 to 5",
    ],
    [
      "[0, 0, 0]",
      [6, 2],
      "w[0, 0, 0]: an index of 3 dimensions for a tensor of shape [6, 2]; give at most 2",
    ],
    ["[0]", [], "w[0]: an index of 1 dimensions for a tensor of shape []; give at most 0"],
  ])("what is not there: %s of %j", (index, shape, message) => {
    expect(() => parseRegion(index, shape, "w")).toThrow(new IndexError(message));
  });

  test.each([
    ["[3:3]", [6, 2]],
    ["[4:2]", [6, 2]],
    ["[6:]", [6, 2]],
    ["[:, -1:1]", [6, 2]],
    ["[:]", [0, 2]],
  ])("what names nothing: %s of %j", (index, shape) => {
    expect(() => parseRegion(index, shape, "w")).toThrow(
      new SelectorError(
        `w${index} names no element of a tensor of shape [${shape.join(", ")}]. A slice holds what is from its start up to, and without, its end.`,
      ),
    );
  });

  test.each(["0", "-1"])("a step of %s", (step) => {
    expect(() => parseRegion(`[::${step}]`, [6], "w")).toThrow(
      new SelectorError(`w[::${step}]: a step of ${step}; it must be at least 1.`),
    );
  });

  test.each([
    "[",
    "[]",
    "[1",
    "[1]]",
    "[[1]",
    "[1][2]",
    "[1]x",
    "[1:2:3:4]",
    "[[[1]]]",
    "[[]]",
    "[1,]",
    "[1.5]",
    "[1e2]",
    "[- 1]",
    "[1 2]",
    "[...]",
    "[None]",
    "[True]",
  ])("what is no index: %s", (index) => {
    expect(() => parseRegion(index, [6, 2], "w")).toThrow(
      new SelectorError(
        `w${index}: not an index. Give a slice, an integer or a list per dimension: [32000:], [3], [[1, 5, 9]], [:, 2:4].`,
      ),
    );
  });
});
