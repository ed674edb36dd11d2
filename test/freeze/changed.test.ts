import { changedParameters, compareParameters, snapshot } from "thaw/freeze";
import * as nn from "thaw/nn";
import { fromArray, Parameter, type Tensor, tensor, zeros } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../src/base/errors.ts";

class Values extends nn.Module {
  value: Parameter;
  other = new Parameter(tensor([1, 2]));
  constructor(value: Tensor) {
    super();
    this.value = new Parameter(value);
  }
}

const f32 = (...bits: number[]): Tensor =>
  fromArray(new Float32Array(new Uint32Array(bits).buffer), [bits.length]);

const unchanged = { changed: 0, bitsChanged: 0, maxChange: 0, meanChange: 0, rows: [], rowsChanged: 0 };

test("a module that has not moved has no changes, even in NaNs", () => {
  const module = new Values(tensor([Number.NaN, 1, Number.POSITIVE_INFINITY]));
  const before = snapshot(module);
  expect(changedParameters(before, snapshot(module)).size).toBe(0);
  expect([...compareParameters(before, module)]).toEqual([
    ["value", { elements: 3, ...unchanged }],
    ["other", { elements: 2, ...unchanged }],
  ]);
});

describe("changes are counted in elements and bits, and measured", () => {
  test("of f32", () => {
    const module = new Values(tensor([1, 2, 3, 4]));
    const before = snapshot(module);
    module.value.assign(tensor([1, 4, 3, 3.5]));
    // 2 → 4 flips the last bit of the exponent's carry: 0x40000000 → 0x40800000; 4 → 3.5: 0x40800000 → 0x40600000.
    expect([...changedParameters(before, module)]).toEqual([
      [
        "value",
        {
          elements: 4,
          changed: 2,
          bitsChanged: 1 + 3,
          maxChange: 2,
          meanChange: 0.625,
          rows: [
            [1, 2],
            [3, 4],
          ],
          rowsChanged: 2,
        },
      ],
    ]);
  });

  test("one bit is enough, zero of the other sign too", () => {
    const module = new Values(f32(0x3f800000, 0x00000000));
    const before = snapshot(module);
    module.value.assign(f32(0x3f800001, 0x80000000));
    const change = changedParameters(before, module).get("value")!;
    expect(change).toMatchObject({ changed: 2, bitsChanged: 2 });
    expect(change.maxChange).toBe(2 ** -23);
  });

  test("of f64 and bf16", () => {
    for (const [dtype, step] of [
      ["f64", 2 ** -52],
      ["bf16", 2 ** -7],
    ] as const) {
      const module = new Values(tensor([1, 1], { dtype }));
      const before = snapshot(module);
      module.value.assign(tensor([1, 1 + step], { dtype }));
      expect([...changedParameters(before, module).values()]).toEqual([
        {
          elements: 2,
          changed: 1,
          bitsChanged: 1,
          maxChange: step,
          meanChange: step / 2,
          rows: [[1, 2]],
          rowsChanged: 1,
        },
      ]);
    }
  });

  test("what becomes NaN has changed by NaN", () => {
    const module = new Values(tensor([1]));
    const before = snapshot(module);
    module.value.assign(tensor([Number.NaN]));
    expect(changedParameters(before, module).get("value")).toMatchObject({
      changed: 1,
      maxChange: Number.NaN,
    });
  });

  test("of a parameter without elements there are none", () => {
    const module = new Values(zeros([0]));
    expect(compareParameters(snapshot(module), module).get("value")).toEqual({ elements: 0, ...unchanged });
  });
});

describe("rows with a change are told", () => {
  test.each([
    [
      [6, 2],
      [0, 3, 4, 6, 7, 11],
      [
        [0, 4],
        [5, 6],
      ],
      5,
    ],
    [[3, 2, 2], [5, 6, 8], [[1, 3]], 2],
    [
      [12],
      [0, 1, 2, 9],
      [
        [0, 3],
        [9, 10],
      ],
      4,
    ],
    [[2, 6], [7], [[1, 2]], 1],
  ])("of shape %j where elements %j change", (shape, places, rows, rowsChanged) => {
    const module = new Values(zeros(shape));
    const before = snapshot(module);
    const data = new Float32Array(12);
    for (const place of places) data[place] = 1;
    module.value.assign(fromArray(data, shape));
    expect(changedParameters(before, module).get("value")).toMatchObject({ rows, rowsChanged });
  });

  test("of a scalar, which is one", () => {
    const module = new Values(tensor(1));
    const before = snapshot(module);
    module.value.assign(tensor(2));
    expect(changedParameters(before, module).get("value")).toMatchObject({ rows: [[0, 1]], rowsChanged: 1 });
  });
});

test("a snapshot is a copy, and sees what was assigned and not yet carried out", () => {
  const module = new Values(tensor([1]));
  const first = snapshot(module);
  module.value.assign(tensor([2]));
  const second = snapshot(module);
  module.value.assign(module.value.mul(3));
  expect([first, second, snapshot(module)].map((s) => s.get("value")!.data[0])).toEqual([1, 2, 6]);
});

test("snapshots of different modules are not compared", () => {
  const before = snapshot(new Values(tensor([1])));
  expect(() => changedParameters(before, new Values(tensor([1, 2])))).toThrow(ArgumentError);
  expect(() => changedParameters(before, new Values(tensor([1, 2])))).toThrow(
    /value is f32\[1\] before and f32\[2\] after/,
  );
  expect(() => changedParameters(before, new nn.Linear(1, 1))).toThrow(/weight is missing before/);
});
