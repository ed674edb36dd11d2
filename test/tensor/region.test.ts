import fc from "fast-check";
import { Parameter, Region, Tensor, zeros } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { IndexError, ShapeError } from "../../src/base/errors.ts";
import { sizeOf } from "../../src/base/shape.ts";

const shape = [4, 3, 2];
const some = (size: number) => fc.uniqueArray(fc.integer({ min: 0, max: size - 1 }), { maxLength: size });
const regions = fc.oneof(
  ...shape.map((size, dim) => some(size).map((indices) => Region.along(shape, dim, indices))),
  some(sizeOf(shape)).map((indices) => Region.elements(shape, indices)),
);
const placesOf = (region: Region): Set<number> => new Set(region.flat());
const all = Array.from({ length: sizeOf(shape) }, (_, i) => i);

describe("sets of elements", () => {
  test("union, minus, intersect, complement and contains are those of sets", () => {
    fc.assert(
      fc.property(regions, regions, (a, b) => {
        const [x, y] = [placesOf(a), placesOf(b)];
        const where = (keeps: (place: number) => boolean): Set<number> => new Set(all.filter(keeps));
        expect(placesOf(a.union(b))).toEqual(where((i) => x.has(i) || y.has(i)));
        expect(placesOf(a.minus(b))).toEqual(where((i) => x.has(i) && !y.has(i)));
        expect(placesOf(a.intersect(b))).toEqual(where((i) => x.has(i) && y.has(i)));
        expect(placesOf(a.complement())).toEqual(where((i) => !x.has(i)));
        expect(a.contains(b)).toBe([...y].every((i) => x.has(i)));
        expect(a.numel).toBe(x.size);
        expect([a.isEmpty, a.isWhole]).toEqual([x.size === 0, x.size === all.length]);
      }),
    );
  });

  test("their places ascend, and fill the shape of the part", () => {
    fc.assert(
      fc.property(regions, (region) => {
        const places = [...region.flat()];
        expect(places).toEqual([...places].sort((a, b) => a - b));
        expect(sizeOf(region.partShape)).toBe(places.length);
      }),
    );
  });

  test("equal ones are one object", () => {
    expect(Region.along(shape, 1, [2, 0, 2])).toBe(Region.along(shape, 1, [0, 2]));
    expect(Region.along([5], 0, [1])).toBe(Region.elements([5], [1]));
    expect(Region.along(shape, 0, [1]).complement()).toBe(Region.along(shape, 0, [0, 2, 3]));
    expect(Region.along(shape, 0, [1])).not.toBe(Region.along([4, 2, 3], 0, [1]));
  });
});

test.each([
  [Region.along([10, 4], 0, [3]), "[3]"],
  [Region.along([10, 4], 0, [0, 1, 2]), "[:3]"],
  [Region.along([10, 4], 0, [7, 8, 9]), "[7:]"],
  [Region.along([10, 4], 0, [0, 4, 5, 6]), "[[0, 4:7]]"],
  [Region.along([10, 4], 1, [1, 2]), "[:, 1:3]"],
  [Region.elements([10, 4], [1, 5, 6]), "(3 of 40 elements)"],
  [
    Region.along(
      [100],
      0,
      Array.from({ length: 50 }, (_, i) => 2 * i),
    ),
    "[[0, 2, 4, 6, 8, 10, 12, 14, … 50 in all]]",
  ],
])("reads as a selector names it: %#", (region, text) => {
  expect(region.text).toBe(text);
});

test.each([
  [
    () => Region.along([4, 3], 2, [0]),
    /along dimension 2 of a tensor of shape \[4, 3\], which has 2 dimensions, counted from 0/,
  ],
  [
    () => Region.along([4, 3], 0, [4]),
    /index 4 along dimension 0 of a tensor of shape \[4, 3\]; indices there are 0 to 3/,
  ],
  [() => Region.along([4, 3], 0, [-1]), /index -1/],
  [() => Region.along([4, 3], 0, [0.5]), /index 0\.5/],
  [() => Region.elements([4, 3], [12]), /index 12 among the elements of a tensor of shape \[4, 3\]/],
])("refuses what is not there: %#", (make, message) => {
  expect(make).toThrow(IndexError);
  expect(make).toThrow(message);
});

test("regions of different tensors do not go together", () => {
  const [a, b] = [Region.along([4, 3], 0, [0]), Region.along([5, 3], 0, [4])];
  for (const together of [() => a.union(b), () => a.minus(b), () => a.intersect(b), () => a.contains(b)]) {
    expect(together).toThrow(ShapeError);
    expect(together).toThrow(
      /of tensors of shape \[\d, 3\] with one of shape \[\d, 3\]; regions of one tensor/,
    );
  }
});

describe("what graphs take", () => {
  test("is along the dimension, with the places in the part of what is in it", () => {
    const { selection } = Region.along([4, 5], 1, [3, 1]);
    expect(selection).toMatchObject({ axis: 1, size: 5, count: 2, start: null });
    expect([...new Tensor(selection.indices).dataSync()]).toEqual([1, 3]);
    expect([...new Tensor(selection.inverse()).dataSync()]).toEqual([2, 0, 2, 1, 2]);
    expect(Region.along([4, 5], 0, [1, 2]).selection).toMatchObject({ axis: 0, size: 4, count: 2, start: 1 });
    expect(Region.elements([4, 5], [7, 19]).selection).toMatchObject({ axis: 0, size: 20, count: 2 });
  });

  test("is made once", () => {
    const region = Region.along([4, 5], 1, [0, 2]);
    expect(region.selection).toBe(region.selection);
    expect(region.selection.indices).toBe(Region.along([4, 5], 1, [2, 0]).selection.indices);
    expect(region.selection.inverse()).toBe(region.selection.inverse());
  });
});

describe("what of a parameter is frozen", () => {
  const rows = (...indices: number[]): Region => Region.along([4, 3], 0, indices);

  test("is nothing, a region, or all of it", () => {
    const p = new Parameter(zeros([4, 3]));
    p.frozenRegion = rows(0, 1);
    expect([p.frozen, p.frozenRegion]).toEqual([false, rows(0, 1)]);
    p.frozenRegion = rows(0, 1, 2, 3);
    expect([p.frozen, p.frozenRegion]).toEqual([true, null]);
    p.frozenRegion = rows();
    expect([p.frozen, p.frozenRegion]).toEqual([false, null]);
    p.frozenRegion = rows(2);
    p.frozen = false;
    expect(p.frozenRegion).toBeNull();
    p.frozenRegion = rows(2);
    const other = (): void => {
      p.frozenRegion = Region.along([3, 4], 0, [1]);
    };
    expect(other).toThrow(
      new ShapeError("frozenRegion: a region of tensors of shape [3, 4] for a parameter of shape [4, 3]"),
    );
    expect(p.frozenRegion).toBe(rows(2));
  });

  test("leaves the rest to be trained", () => {
    const p = new Parameter(zeros([4, 3]));
    expect(p.trainable(null)).toBeNull();
    expect(p.trainable(rows(1))).toBe(rows(1));
    p.frozenRegion = rows(0, 1);
    expect(p.trainable(null)).toBe(rows(2, 3));
    expect(p.trainable(rows(1, 2))).toBe(rows(2));
    expect(p.trainable(rows(2))).toBe(rows(2));
    expect(p.trainable(rows(0))).toBe("none");
    const column = Region.along([4, 3], 1, [0]);
    expect([...(p.trainable(column) as Region).flat()]).toEqual([6, 9]);
    p.frozen = true;
    expect(p.trainable(rows(3))).toBe("none");
  });
});
