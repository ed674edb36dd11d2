import { describe, expect, test } from "vitest";
import { argsLayout } from "../../../src/codegen/args.ts";
import { emitAxis } from "../../../src/backends/wasm/axis.ts";
import { allocate, type DType, dtypes, type TypedArray } from "../../../src/base/dtype.ts";
import { DTypeError } from "../../../src/base/errors.ts";
import type { AxisKernel } from "../../../src/plan/kernel.ts";

const memory = new WebAssembly.Memory({ initial: 64, maximum: 64 });
const sizes = [1, 3, 4, 5, 17, 64, 100];

/** One operand: where its first element is, and its strides over (outer, axis, inner), in elements. */
interface Operand {
  readonly dtype: DType;
  readonly data: TypedArray;
  readonly offset?: number;
  readonly strides: readonly [number, number, number];
}

/** Runs a kernel on copies of the operands, in tasks of `chunk` outer indices; gives the copies. */
function run(
  kind: AxisKernel["kind"],
  extents: readonly [number, number, number],
  operands: readonly Operand[],
  chunk = extents[0],
): TypedArray[] {
  const accesses = operands.map(({ dtype }) => ({ dtype, level: "full", vector: "strided" }) as const);
  const kernel: AxisKernel = { kind, key: "", accesses };
  const layout = argsLayout(kernel, 4);
  const words = new Int32Array(memory.buffer);
  let next = 4096;
  const places = operands.map(({ dtype, data, offset = 0, strides }, i) => {
    const at = next;
    new Uint8Array(memory.buffer).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    next = Math.ceil((next + data.byteLength) / 8) * 8 + 64;
    const { bytes } = dtypes[dtype];
    const place = layout.accesses[i]!;
    words[place.pointer / 4] = at + offset * bytes;
    for (const [d, word] of place.strides.entries()) words[word / 4] = strides[d]! * bytes;
    return at;
  });
  for (const [d, at] of layout.extents.entries()) words[at / 4] = extents[d]!;
  const module = new WebAssembly.Module(emitAxis(kernel, { shared: false, maximum: 64 }));
  const exports = new WebAssembly.Instance(module, { env: { memory } }).exports;
  const task = exports.run as (args: number, begin: number, end: number) => void;
  for (let begin = 0; begin < extents[0]; begin += chunk) task(0, begin, Math.min(extents[0], begin + chunk));
  return operands.map(({ data }, i) => {
    const copy = data.slice();
    new Uint8Array(copy.buffer).set(new Uint8Array(memory.buffer, places[i], data.byteLength));
    return copy;
  });
}

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const repeated = [3, -2, 0, 7, 7, -2, 1, 3];
const awkward = [0.5, nan, -0, 0, -inf, 3, nan, inf, 3, -0.5];
const values: { readonly [D in "f32" | "f64" | "i32" | "u8" | "bool"]: readonly number[] } = {
  f32: awkward,
  f64: awkward,
  i32: [...repeated, 2147483647, -2147483648],
  u8: [3, 254, 0, 255, 7, 3, 128, 127],
  bool: [0, 1, 1, 0, 1],
};
const compute = Object.keys(values) as (keyof typeof values)[];

/** Values over and over, in an order without a short period. */
function fill(dtype: keyof typeof values, length: number, without: (x: number) => boolean = () => false) {
  const out = allocate(dtype, length);
  const from = values[dtype].filter((x) => !without(x));
  for (let i = 0; i < length; i++) out[i] = from[(i * i + 3 * i + (i >> 3)) % from.length]!;
  return out;
}

/** The three dimensions of an operand in memory, its axis first, in the middle or last, forwards or backwards. */
function layouts(outer: number, axis: number, inner: number) {
  const size = outer * axis * inner;
  return [
    { offset: 0, strides: [axis * inner, inner, 1] },
    { offset: 0, strides: [axis, 1, outer * axis] },
    { offset: size - 1, strides: [-1, -outer, -outer * axis] },
  ] as const;
}

/** Calls `check` with every line of an operand, and with what a kernel gave for it. */
function eachLine(
  kind: Exclude<AxisKernel["kind"], "scatter" | "scatterAdd">,
  dtype: keyof typeof values,
  axis: number,
  check: (line: number[], got: number[]) => void,
): void {
  const [outer, inner] = [3, 2];
  const to = kind === "cumsum" ? dtype : "i32";
  const data = fill(dtype, outer * axis * inner, (x) => kind === "cumsum" && !Number.isFinite(x));
  const length = kind === "argmax" ? 1 : axis;
  for (const { offset, strides } of layouts(outer, axis, inner))
    for (const chunk of [1, outer]) {
      const result = allocate(to, outer * length * inner);
      const [, got] = run(
        kind,
        [outer, axis, inner],
        [
          { dtype, data, offset, strides },
          { dtype: to, data: result, strides: [length * inner, inner, 1] },
        ],
        chunk,
      );
      for (let o = 0; o < outer; o++)
        for (let i = 0; i < inner; i++) {
          const element = (a: number) => data[offset + o * strides[0] + a * strides[1] + i * strides[2]]!;
          check(
            Array.from({ length: axis }, (_, a) => element(a)),
            Array.from({ length }, (_, a) => got![(o * length + a) * inner + i]!),
          );
        }
    }
}

/** Ascending, NaN last. */
const order = (a: number, b: number) =>
  Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : a < b ? -1 : a > b ? 1 : 0;

describe.each(compute)("of %s", (dtype) => {
  test.each(sizes)("argmax of %i: the first NaN, or else the first of the largest", (n) =>
    eachLine("argmax", dtype, n, (line, got) => {
      const firstNaN = line.findIndex(Number.isNaN);
      expect(got).toEqual([firstNaN >= 0 ? firstNaN : line.indexOf(Math.max(...line))]);
    }),
  );
  test.each(sizes)("argsort of %i is stable, NaN last", (n) =>
    eachLine("argsort", dtype, n, (line, got) =>
      expect(got).toEqual([...line.keys()].sort((i, j) => order(line[i]!, line[j]!) || i - j)),
    ),
  );
  test.each(sizes)("argsort of %i, descending, is stable, NaN first", (n) =>
    eachLine("argsortDescending", dtype, n, (line, got) =>
      expect(got).toEqual([...line.keys()].sort((i, j) => order(line[j]!, line[i]!) || i - j)),
    ),
  );
  if (dtype !== "bool")
    test.each(sizes)("cumsum of %i", (n) =>
      eachLine("cumsum", dtype, n, (line, got) => {
        const expected = allocate(dtype, n);
        let total = 0;
        for (const [i, x] of line.entries()) {
          total = dtype === "i32" || dtype === "u8" ? (total + x) | 0 : total + x;
          expected[i] = total;
        }
        expect(got).toEqual([...expected]);
      }),
    );
  test.each(sizes)("scatterAdd of %i updates", (n) => {
    const [outer, rows, inner] = [3, 7, 2];
    const data = fill(dtype, outer * rows * inner, (x) => !Number.isFinite(x));
    const updates = fill(dtype, outer * n * inner, (x) => !Number.isFinite(x));
    const indices = Int32Array.from({ length: outer * n * inner }, (_, i) => (i * 5 + (i >> 2)) % rows);
    for (const { offset, strides } of layouts(outer, n, inner)) {
      const expected = data.slice();
      for (let o = 0; o < outer; o++)
        for (let a = 0; a < n; a++)
          for (let i = 0; i < inner; i++) {
            const from = offset + o * strides[0] + a * strides[1] + i * strides[2];
            const at = (o * rows + indices[from]!) * inner + i;
            const sum = expected[at]! + updates[from]!;
            expected[at] = dtype === "bool" ? Number(sum !== 0) : dtype === "i32" ? sum | 0 : sum;
          }
      for (const chunk of [2, outer]) {
        const operands: Operand[] = [
          { dtype, data, strides: [rows * inner, inner, 1] },
          { dtype: "i32", data: indices, offset, strides },
          { dtype, data: updates, offset, strides },
        ];
        expect(run("scatterAdd", [outer, n, inner], operands, chunk)[0]).toEqual(expected);
      }
    }
  });
});

/** Replaces elements of `data` [outer, rows, inner] in row-major order of the updates, as the definition does. */
function replaced(
  data: TypedArray,
  [outer, rows, inner]: readonly [number, number, number],
  count: number,
  indexAt: (o: number, a: number, i: number) => number,
  updateAt: (o: number, a: number, i: number) => number,
): TypedArray {
  const out = data.slice();
  for (let o = 0; o < outer; o++)
    for (let a = 0; a < count; a++)
      for (let i = 0; i < inner; i++) {
        const index = indexAt(o, a, i);
        if (index >= 0 && index < rows) out[(o * rows + index) * inner + i] = updateAt(o, a, i);
      }
  return out;
}

describe.each(Object.keys(dtypes) as DType[])("scatter of %s", (dtype) => {
  const raw = (length: number, salt: number) => {
    const out = allocate(dtype, length);
    for (let i = 0; i < length; i++) out[i] = dtype === "bool" ? (i + salt) % 2 : i * salt + 1;
    return out;
  };
  test.each(sizes)("%i updates, an index for each element", (n) => {
    const [outer, rows, inner] = [3, 7, 2] as const;
    const data = raw(outer * rows * inner, 3);
    const updates = raw(outer * n * inner, 5);
    // Some are out of range, many repeat.
    const indices = Int32Array.from({ length: outer * n * inner }, (_, i) => ((i * 5 + (i >> 2)) % 9) - 1);
    for (const { offset, strides } of layouts(outer, n, inner)) {
      const from = (o: number, a: number, i: number) =>
        offset + o * strides[0] + a * strides[1] + i * strides[2];
      const expected = replaced(
        data,
        [outer, rows, inner],
        n,
        (...at) => indices[from(...at)]!,
        (...at) => updates[from(...at)]!,
      );
      for (const chunk of [2, outer]) {
        const operands: Operand[] = [
          { dtype, data, strides: [rows * inner, inner, 1] },
          { dtype: "i32", data: indices, offset, strides },
          { dtype, data: updates, offset, strides },
        ];
        expect(run("scatter", [outer, n, inner], operands, chunk)[0]).toEqual(expected);
      }
    }
  });

  test.each([1, 7, 8, 9, 33])("whole rows of %i, from rows in either order or one for all", (inner) => {
    const [outer, rows, n] = [2, 5, 6] as const;
    const data = raw(outer * rows * inner, 3);
    const updates = raw(outer * n * inner, 5);
    const indices = Int32Array.of(4, -1, 0, 4, 5, 2);
    for (const [offset, strides] of [
      [0, [n * inner, inner, 1]],
      [(n - 1) * inner, [n * inner, -inner, 1]],
      [3, [0, 0, 0]],
      [inner - 1, [n * inner, inner, -1]],
    ] as const) {
      const expected = replaced(
        data,
        [outer, rows, inner],
        n,
        (_, a) => indices[a]!,
        (o, a, i) => updates[offset + o * strides[0] + a * strides[1] + i * strides[2]]!,
      );
      const operands: Operand[] = [
        { dtype, data, strides: [rows * inner, inner, 1] },
        { dtype: "i32", data: indices, strides: [0, 1, 0] },
        { dtype, data: updates, offset, strides },
      ];
      expect(run("scatter", [outer, n, inner], operands)[0]).toEqual(expected);
    }
  });
});

test("argmax of nothing but -infinity is 0", () => {
  const data = new Float32Array(5).fill(-inf);
  const operands: Operand[] = [
    { dtype: "f32", data, strides: [5, 1, 1] },
    { dtype: "i32", data: Int32Array.of(9), strides: [1, 1, 1] },
  ];
  expect(run("argmax", [1, 5, 1], operands)[1]).toEqual(Int32Array.of(0));
});

test("argsort of many: sorted, reversed and equal values too", () => {
  const n = 20_000;
  const cases = [
    (i: number) => i,
    (i: number) => -i,
    () => 1,
    (i: number) => Math.fround(Math.sin(i * i)),
    (i: number) => i % 17,
  ];
  for (const make of cases) {
    const data = Float32Array.from({ length: n }, (_, i) => make(i));
    const operands: Operand[] = [
      { dtype: "f32", data, strides: [n, 1, 1] },
      { dtype: "i32", data: new Int32Array(n), strides: [n, 1, 1] },
    ];
    const got = run("argsort", [1, n, 1], operands)[1]!;
    const expected = Int32Array.from([...data.keys()].sort((i, j) => data[i]! - data[j]! || i - j));
    expect(got.every((x, i) => x === expected[i])).toBe(true);
  }
});

test("cumsum of f32 rounds only what it stores", () => {
  const n = 1000;
  const data = new Float32Array(n).fill(0.1);
  const operands: Operand[] = [
    { dtype: "f32", data, strides: [n, 1, 1] },
    { dtype: "f32", data: new Float32Array(n), strides: [n, 1, 1] },
  ];
  expect(run("cumsum", [1, n, 1], operands)[1]!.at(-1)).toBe(Math.fround(Math.fround(0.1) * n));
});

test("scatterAdd with an index that is one for a whole row, as an embedding's gradient has it", () => {
  const [rows, n, inner] = [6, 4, 5];
  const updates = Float32Array.from({ length: n * inner }, (_, i) => i);
  const operands: Operand[] = [
    { dtype: "f32", data: new Float32Array(rows * inner), strides: [rows * inner, inner, 1] },
    { dtype: "i32", data: Int32Array.of(2, 5, 2, 0), strides: [0, 1, 0] },
    { dtype: "f32", data: updates, strides: [0, inner, 1] },
  ];
  const row = (r: number) => [
    ...run("scatterAdd", [1, n, inner], operands)[0]!.slice(r * inner, (r + 1) * inner),
  ];
  expect(row(2)).toEqual([10, 12, 14, 16, 18]);
  expect(row(5)).toEqual([5, 6, 7, 8, 9]);
  expect(row(0)).toEqual([15, 16, 17, 18, 19]);
  expect(row(1)).toEqual([0, 0, 0, 0, 0]);
});

test("scatterAdd leaves everything alone that is not the result's", () => {
  const [outer, rows, inner] = [2, 3, 2];
  // The result lies between other elements, all of which must stay.
  const all = new Float32Array(100).fill(1);
  const indices = Int32Array.of(3, -1, 2147483647, -2147483648, 30, -30, 0, 2);
  const operands: Operand[] = [
    { dtype: "f32", data: all, offset: 40, strides: [rows * inner, inner, 1] },
    { dtype: "i32", data: indices, strides: [0, 1, 0] },
    { dtype: "f32", data: Float32Array.of(5), strides: [0, 0, 0] },
  ];
  const expected = all.slice();
  for (const at of [40, 41, 44, 45, 46, 47, 50, 51]) expected[at] = 6;
  expect(run("scatterAdd", [outer, indices.length, inner], operands)[0]).toEqual(expected);
});

test("storage types have no kernel along an axis", () => {
  const operands: Operand[] = [
    { dtype: "bf16", data: new Uint16Array(3), strides: [3, 1, 1] },
    { dtype: "i32", data: new Int32Array(1), strides: [1, 1, 1] },
  ];
  expect(() => run("argmax", [1, 3, 1], operands)).toThrow(DTypeError);
});
