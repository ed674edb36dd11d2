import { readFileSync } from "node:fs";
import { serializeSafetensors } from "thaw/checkpoint";
import { fromArray, type Tensor, tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../src/base/errors.ts";
import { diffTensors } from "../../src/checkpoint/diff.ts";
import { bytesSource, type TensorSource } from "../../src/checkpoint/open.ts";
import { statisticsOf } from "../../src/checkpoint/statistics.ts";
import { readFixture } from "../oracle/fixture.ts";
import { fileOf } from "./file-of.ts";

const source = (tensors: Record<string, Tensor>, metadata?: Record<string, string>): TensorSource =>
  bytesSource(serializeSafetensors(new Map(Object.entries(tensors)), { metadata }));
const f32 = (...bits: number[]): Tensor =>
  fromArray(new Float32Array(new Uint32Array(bits).buffer), [bits.length]);

test("the same tensors are the same, whatever is in them, and whatever order they are in", () => {
  const [a, b] = [tensor([[1, Number.NaN]]), tensor([2, 3], { dtype: "i32" })];
  const { tensors, prefixes, metadata } = diffTensors(source({ a, b }), source({ b, a }));
  expect(tensors.map(({ name, kind, change }) => [name, kind, change])).toEqual(
    [
      ["b", "same", null],
      ["a", "same", null],
    ].sort(),
  );
  expect([prefixes, metadata]).toEqual([[], []]);
});

test("a change is counted and measured", () => {
  const before = tensor([
    [1, 2],
    [3, 4],
    [5, 6],
    [7, 8],
  ]);
  const after = tensor([
    [1, 2],
    [3, 4.5],
    [5, 6],
    [7, 4],
  ]);
  const [{ kind, change }] = diffTensors(source({ w: before }), source({ w: after })).tensors as [never];
  expect(kind).toBe("changed");
  expect(change).toEqual({
    elements: 8,
    changed: 2,
    // 4 → 4.5 sets one bit of the mantissa; 8 → 4 takes the last of the exponent, and sets none.
    bitsChanged: 1 + 2,
    maxChange: 4,
    norm: Math.hypot(0.5, 4),
    relative: Math.hypot(0.5, 4) / Math.hypot(1, 2, 3, 4, 5, 6, 7, 8),
    rows: [
      [1, 2],
      [3, 4],
    ],
    rowsChanged: 2,
    onlyBits: 0,
    unmeasured: 0,
    rounded: null,
    within: null,
  });
});

test("bits count that values do not show: signs of zero, other NaNs", () => {
  const [{ change }] = diffTensors(
    source({ w: f32(0x00000000, 0x7fc00000, 0x7f800000, 0x3f800000) }),
    source({ w: f32(0x80000000, 0x7fc00001, 0x7f800000, 0x3f800000) }),
  ).tensors as [never];
  expect(change).toMatchObject({
    changed: 2,
    onlyBits: 2,
    bitsChanged: 2,
    maxChange: 0,
    norm: 0,
    relative: 0,
  });
});

test("a value that becomes NaN or infinite is counted, and not measured", () => {
  const [{ change }] = diffTensors(
    source({ w: tensor([1, 2, 3, Number.POSITIVE_INFINITY, 4]) }),
    source({ w: tensor([1, Number.NaN, 9, 5, Number.NEGATIVE_INFINITY]) }),
  ).tensors as [never];
  expect(change).toMatchObject({
    changed: 4,
    unmeasured: 3,
    maxChange: 6,
    norm: 6,
    relative: 6 / Math.hypot(1, 2, 3, 4),
  });
});

describe("values of every dtype are read", () => {
  test.each([
    ["f64", [1, -2, 0.5], [1, -2, 0.75], 0.25],
    ["f32", [1, -2, 0.5], [1, -2, 0.75], 0.25],
    ["bf16", [1, -2, 0.5], [1, -2, 0.75], 0.25],
    ["f16", [1, -2, 2 ** -24], [1, -2, 2 ** -23], 2 ** -24],
    ["i32", [1, -2, 5], [1, -2, -5], 10],
    ["i8", [1, -2, 5], [1, -2, -5], 10],
    ["u8", [1, 2, 5], [1, 2, 255], 250],
    ["bool", [1, 1, 0], [1, 1, 1], 1],
  ] as const)("%s", (dtype, before, after, largest) => {
    const of = (values: readonly number[]): TensorSource => source({ w: tensor([...values]).to(dtype) });
    const [{ change }] = diffTensors(of(before), of(after)).tensors as [never];
    expect(change).toMatchObject({ changed: 1, maxChange: largest, norm: largest });
  });

  test.each([
    ["I64", new BigInt64Array([1n, -(2n ** 40n)]), new BigInt64Array([1n, 2n ** 40n]), 2 ** 41],
    ["U64", new BigUint64Array([1n, 2n]), new BigUint64Array([1n, 2n ** 63n]), 2 ** 63 - 2],
    ["U32", new Uint32Array([1, 0]), new Uint32Array([1, 2 ** 32 - 1]), 2 ** 32 - 1],
    ["I16", new Int16Array([1, -3]), new Int16Array([1, 3]), 6],
    ["U16", new Uint16Array([1, 0]), new Uint16Array([1, 65535]), 65535],
    // 0x38 is 1, 0x40 is 2, 0x7e is 448 in E4M3; 0x3c is 1, 0x40 is 2 in E5M2.
    ["F8_E4M3", new Uint8Array([0x38, 0x40]), new Uint8Array([0x38, 0x7e]), 446],
    ["F8_E5M2", new Uint8Array([0x3c, 0x40]), new Uint8Array([0x3c, 0x3c]), 1],
  ])("%s", (dtype, before, after, largest) => {
    const of = (values: typeof before): TensorSource => bytesSource(fileOf({ w: { dtype, values } }));
    const [{ change }] = diffTensors(of(before), of(after)).tensors as [never];
    expect(change).toMatchObject({ elements: 2, changed: 1, maxChange: largest });
  });

  test("integers of 64 bits differ by what they do, also where numbers are not exact", () => {
    const of = (...values: bigint[]): TensorSource =>
      bytesSource(fileOf({ w: { dtype: "I64", values: new BigInt64Array(values) } }));
    const [{ change }] = diffTensors(of(2n ** 60n, 5n), of(2n ** 60n + 3n, 5n)).tensors as [never];
    expect(change).toMatchObject({ changed: 1, onlyBits: 0, maxChange: 3, norm: 3 });
  });

  test("others are compared as bits, by element and row all the same", () => {
    // Elements of 4 bits, two in a byte.
    const of = (...values: number[]): TensorSource =>
      bytesSource(fileOf({ w: { dtype: "F4", values: new Uint8Array(values), shape: [3, 4] } }));
    const [{ kind, change }] = diffTensors(of(0, 0, 0, 0, 0, 0), of(0, 0, 0, 0x11, 0, 0xf0), {
      within: () => (element) => element === 11,
    }).tensors as [never];
    expect(kind).toBe("changed");
    expect(change).toMatchObject({
      elements: 12,
      changed: 3,
      onlyBits: null,
      bitsChanged: 6,
      maxChange: null,
      relative: null,
      rows: [[1, 3]],
      within: { changed: 1, bitsChanged: 4, rows: [[2, 3]] },
    });
  });
});

describe("as NumPy and PyTorch say", () => {
  const folder = new URL("../oracle/diff/", import.meta.url);
  const oracle = readFixture<{ changes: Record<string, Record<string, number>>; rounded: string[] }>(
    "diff.json.gz",
  );
  const file = (name: string): TensorSource =>
    bytesSource(readFileSync(new URL(`${name}.safetensors`, folder)));
  const { tensors } = diffTensors(file("before"), file("after"));

  test.each(Object.keys(oracle.changes))("%s", (name) => {
    const { change } = tensors.find((tensor) => tensor.name === name)!;
    const { maxChange, norm, relative, ...counts } = oracle.changes[name]!;
    expect(change).toMatchObject(counts);
    // To the nine digits that are written down.
    for (const [key, value] of Object.entries({ maxChange, norm, relative }))
      expect(change![key as "norm"]! / value!, key).toBeCloseTo(1, 8);
  });

  test.each(oracle.rounded)("F32 %s is rounding, until a bit is not", (name) => {
    const values = file("values");
    const [rounded, other] = [file("rounded"), file("rounded")];
    const only = (source: TensorSource): TensorSource => ({
      ...source,
      entries: new Map([["values", source.entries.get(name)!]]),
      read: (_, into, fromByte) => source.read(name, into, fromByte),
    });
    const of = (source: TensorSource) => diffTensors(values, only(source)).tensors[0]!;
    expect(of(rounded)).toMatchObject({ kind: "re-typed", compared: true, change: { rounded: true } });
    expect(diffTensors(only(rounded), values).tensors[0]!.change!.rounded).toBe(true);
    const off: TensorSource = {
      ...other,
      read(tensor, into, fromByte) {
        const count = other.read(tensor, into, fromByte);
        into[1000]! ^= 1;
        return count;
      },
    };
    expect(of(off)).toMatchObject({ kind: "re-typed", change: { rounded: false } });
  });
});

test("re-typed and re-shaped tensors are told apart from changed ones", () => {
  const values = tensor([
    [1, 2],
    [3, 4.001],
  ]);
  const of = (w: Tensor) => diffTensors(source({ w: values }), source({ w })).tensors[0]!;
  expect(of(values.to("f64"))).toMatchObject({ kind: "re-typed", compared: true, change: null });
  expect(of(values.to("bf16"))).toMatchObject({
    kind: "re-typed",
    change: { changed: 1, bitsChanged: null, rounded: true },
  });
  expect(of(values.to("i32"))).toMatchObject({ change: { changed: 1, rounded: false } });
  expect(of(values.reshape([4]))).toMatchObject({ kind: "re-shaped", compared: true, change: null });
  expect(of(values.add(1).reshape([4]))).toMatchObject({ kind: "re-shaped", change: { changed: 4 } });
  expect(of(tensor([1, 2, 3]))).toMatchObject({ kind: "re-shaped", compared: false, change: null });
  const f4 = bytesSource(fileOf({ w: { dtype: "F4", values: new Uint8Array(2), shape: [2, 2] } }));
  expect(diffTensors(source({ w: values }), f4).tensors[0]).toMatchObject({
    kind: "re-typed",
    compared: false,
    change: null,
  });
});

describe("names", () => {
  const [one, two, three] = [tensor([1, 2]), tensor([3, 4]), tensor([5])];
  const kinds = (a: Record<string, Tensor>, b: Record<string, Tensor>) =>
    diffTensors(source(a), source(b)).tensors.map(
      ({ name, kind, to }) => `${name} ${kind}${to ? ` ${to}` : ""}`,
    );

  test("a tensor whose bytes are there under another name was renamed", () => {
    expect(kinds({ a: one, b: two, c: three }, { a: one, x: two, y: tensor([6]) }).sort()).toEqual([
      "a same",
      "b renamed x",
      "c missing",
      "y added",
    ]);
  });

  test("each new name is taken once", () => {
    expect(kinds({ a: one, b: one }, { x: one })).toEqual(["a renamed x", "b missing"]);
  });

  test.each(["model.", "base_model.model."])(
    "a prefix %s that all have is found, on either side",
    (prefix) => {
      const plain = { "a.weight": one, "b.weight": two };
      const long = Object.fromEntries(Object.entries(plain).map(([name, t]) => [prefix + name, t]));
      expect(kinds(plain, long)).toEqual([
        `a.weight same ${prefix}a.weight`,
        `b.weight same ${prefix}b.weight`,
      ]);
      expect(kinds(long, plain)).toEqual([
        `${prefix}a.weight same a.weight`,
        `${prefix}b.weight same b.weight`,
      ]);
      expect(diffTensors(source(plain), source(long)).prefixes).toEqual([{ before: "", after: prefix }]);
    },
  );

  test("a prefix that stands in another's place is found, beside names that stay", () => {
    const a = { "module.a": one, "module.b": two, step: three, "module.c.d": three };
    const b = { "model.a": one, "model.b": two, step: three, "model.c.d": one };
    expect(kinds(a, b).sort()).toEqual([
      "module.a same model.a",
      "module.b same model.b",
      "module.c.d re-shaped model.c.d",
      "step same",
    ]);
  });

  test("a model is found in a checkpoint that has more", () => {
    const plain = { "a.weight": one, "b.weight": two };
    const more = { "model.a.weight": one, "model.b.weight": two, "optimizer.a.x": one, "optimizer.b.x": one };
    expect(kinds(plain, { ...more, "optimizer.c.x": one })).toEqual([
      "a.weight same model.a.weight",
      "b.weight same model.b.weight",
      "optimizer.a.x added",
      "optimizer.b.x added",
      "optimizer.c.x added",
    ]);
  });

  test("names that agree are not mapped, nor those whose tensors have other shapes", () => {
    const model = { "h.0.w": one, "h.1.w": two };
    expect(diffTensors(source(model), source({ ...model, "h.2.w": one })).prefixes).toEqual([]);
    expect(diffTensors(source({ "x.w": one }), source({ "y.x.w": three })).prefixes).toEqual([]);
  });

  test("prefixes can be given; names without one stay", () => {
    const a = { "x.a": one, "z.a": two, b: three };
    const prefixes = [
      { before: "x.", after: "y." },
      { before: "z.", after: "" },
    ];
    const { tensors } = diffTensors(source(a), source({ "y.a": two, a: two, b: three }), { prefixes });
    expect(tensors.map(({ name, kind, to }) => [name, kind, to]).sort()).toEqual([
      ["b", "same", null],
      ["x.a", "changed", "y.a"],
      ["z.a", "same", "a"],
    ]);
  });

  test("a prefix that no name has is refused", () => {
    const given = { prefixes: [{ before: "q.", after: "" }] };
    expect(() => diffTensors(source({ a: one }), source({ a: one }), given)).toThrow(ArgumentError);
  });
});

test("tensors larger than a block are compared to their end, and rows run on from block to block", () => {
  const values = new Float32Array(3 * 2 ** 20);
  const before = fromArray(values, [3 * 2 ** 18, 4]);
  const other = values.slice();
  const rows = 3 * 2 ** 18;
  for (const row of [0, 2 ** 18 - 1, 2 ** 18, rows - 1]) other[row * 4 + 1] = 1;
  const [{ change }] = diffTensors(source({ w: before }), source({ w: fromArray(other, [rows, 4]) }))
    .tensors as [never];
  expect(change).toMatchObject({
    changed: 4,
    rowsChanged: 4,
    rows: [
      [0, 1],
      [2 ** 18 - 1, 2 ** 18 + 1],
      [rows - 1, rows],
    ],
  });
});

test("what is asked about is measured on its own too", () => {
  const of = (...values: number[]) => source({ w: tensor(values).reshape([3, 2]) });
  const [{ change }] = diffTensors(of(1, 2, 3, 4, 5, 6), of(1, 2, 4, 4, 8, 6), {
    within: () => (element) => element < 4,
  }).tensors as [never];
  expect(change).toMatchObject({
    changed: 2,
    maxChange: 3,
    rowsChanged: 2,
    within: { changed: 1, maxChange: 1, norm: 1, rows: [[1, 2]], rowsChanged: 1 },
  });
});

test("metadata that differ are named", () => {
  const of = (metadata: Record<string, string>) => source({ w: tensor([1]) }, metadata);
  expect([...diffTensors(of({ a: "1", b: "2" }), of({ a: "1", b: "3", c: "4" })).metadata].sort()).toEqual([
    "b",
    "c",
  ]);
});

test("statistics are of the finite values", () => {
  const of = source({ w: tensor([1, 2, 3, Number.NaN, Number.POSITIVE_INFINITY, 6]) });
  expect(statisticsOf(of, "w")).toEqual({
    min: 1,
    max: 6,
    mean: 3,
    std: Math.sqrt((4 + 1 + 0 + 9) / 4),
    nan: 1,
    infinite: 1,
  });
});
