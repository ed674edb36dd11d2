import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { sameShape, sizeOf } from "../../src/base/shape.ts";
import { commit, compile } from "../../src/engine/realize.ts";
import { currentTrace, Resident } from "../../src/engine/trace.ts";
import { type Node, node } from "../../src/ir/node.ts";
import { Region } from "../../src/tensor/region.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

const resident = (shape: readonly number[]) =>
  new Resident(
    "f32",
    shape,
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => i),
  );
const read = (n: Node): number[] => [...new Tensor(n).dataSync()];
const negated = (n: Node): Node => node("neg", [n], {});

const shapes = [[5], [4, 3], [3, 4, 2], [1, 6]] as const;
/** Regions of single elements, or of slices along any dimension, of none, some or all there is. */
const regions = fc
  .record({
    shape: fc.constantFrom(...shapes),
    dim: fc.nat(3),
    from: fc.nat(5),
    keep: fc.array(fc.boolean()),
  })
  .map(({ shape, dim, from, keep }) => {
    const size = dim >= shape.length ? sizeOf(shape) : shape[dim]!;
    const indices = Array.from({ length: size }, (_, i) => i).filter((i) => keep[i] ?? i < from);
    return dim >= shape.length ? Region.elements(shape, indices) : Region.along(shape, dim, indices);
  });

beforeEach(() => commit());

describe("a part", () => {
  it("is what is in the region, in row-major order", () => {
    fc.assert(
      fc.property(regions, (region) => {
        const part = region.take(resident(region.shape).node);
        expect(part.shape).toEqual(region.partShape);
        expect(read(part)).toEqual([...region.flat()]);
      }),
      { numRuns: 150 },
    );
  });

  it("goes where it is put, and nothing else changes", () => {
    fc.assert(
      fc.property(regions, (region) => {
        const x = resident(region.shape).node;
        const put = region.put(x, negated(region.take(x)));
        const inside = new Set(region.flat());
        expect(read(put)).toEqual(
          Array.from({ length: sizeOf(region.shape) }, (_, i) => (inside.has(i) ? -i : i)),
        );
      }),
      { numRuns: 150 },
    );
  });

  it("is assigned to one region after another, as if all at once", () => {
    fc.assert(
      fc.property(fc.array(regions, { minLength: 1, maxLength: 4 }), (list) => {
        const { shape } = list[0]!;
        const value = resident(shape);
        const before = value.node;
        let covered = Region.elements(shape, []);
        for (const region of list) {
          if (!sameShape(region.shape, shape)) continue;
          value.assign(region.put(value.node, negated(region.take(before))));
          covered = covered.union(region);
        }
        commit();
        const inside = new Set(covered.flat());
        expect([...value.storage.read()]).toEqual(
          Array.from({ length: sizeOf(shape) }, (_, i) => (inside.has(i) ? -i : i)),
        );
      }),
      { numRuns: 100 },
    );
  });

  it("is refused where the shapes are others", () => {
    const region = Region.along([4, 3], 0, [1]);
    const x = resident([3, 4]).node;
    expect(() => region.take(x)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: take: a region of tensors of shape [4, 3], and a tensor of shape [3, 4]]`,
    );
    const right = resident([4, 3]).node;
    expect(() => region.put(right, x)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: put: [1] of a tensor of shape [4, 3] is of shape [1, 3], what is to be put there of [3, 4]]`,
    );
  });
});

it("changes of two regions of a large tensor cost no more than the regions", () => {
  const table = resident([100_000, 64]);
  const before = table.node;
  for (const region of [
    Region.along([100_000, 64], 0, [3, 70_000, 99_999]),
    Region.elements([100_000, 64], [64, 700_000]),
  ])
    table.assign(region.put(table.node, negated(region.take(before))));
  const { plan } = compile({ outputs: [], writes: [...currentTrace().writes], checks: [] }).compiled;
  expect(plan.arenaBytes).toBeLessThan(2_000);
  expect(plan.explain().bytes).toBeLessThan(20_000);
  commit();
  const values = table.storage.read();
  expect([values[64], values[65], values[192], values[70_000 * 64 + 1]]).toEqual([-64, 65, -192, -4_480_001]);
});
