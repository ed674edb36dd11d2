import { allocate, type DType, dtypes, type TypedArray } from "../../src/base/dtype.ts";
import type { AccessArgs, AxisKernel } from "../../src/plan/kernel.ts";

/** A call of a kernel along an axis. */
export interface AxisCall {
  readonly kernel: AxisKernel;
  readonly extents: readonly [outer: number, axis: number, inner: number];
  readonly accesses: readonly AccessArgs[];
}

/** A call whose results plain loops give too. */
export interface AxisCase {
  /** What it is about; several cases have the same title. */
  readonly title: string;
  readonly call: AxisCall;
  readonly buffers: readonly TypedArray[];
}

/** One operand: where its first element is, and its strides over (outer, axis, inner), in elements. */
interface Operand {
  readonly dtype: DType;
  readonly data: TypedArray;
  readonly offset?: number;
  readonly strides: readonly [number, number, number];
}

/** A call on operands that have a buffer each. */
function axisCall(
  kind: AxisKernel["kind"],
  extents: AxisCall["extents"],
  operands: readonly Operand[],
): Omit<AxisCase, "title"> {
  const accesses = operands.map(({ dtype }) => ({ dtype, level: "full", vector: "strided" }) as const);
  const args = operands.map(({ offset = 0, strides }, buffer) => ({ buffer, offset, strides }));
  const call = { kernel: { kind, key: "", accesses }, extents, accesses: args };
  return { call, buffers: operands.map((o) => o.data) };
}

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const repeated = [3, -2, 0, 7, 7, -2, 1, 3];
const awkward = [0.5, nan, -0, 0, -inf, 3, nan, inf, 3, -0.5];
const values = {
  f32: awkward,
  f64: awkward,
  i32: [...repeated, 2147483647, -2147483648],
  u8: [3, 254, 0, 255, 7, 3, 128, 127],
  bool: [0, 1, 1, 0, 1],
} satisfies { readonly [D in DType]?: readonly number[] };
const compute = Object.keys(values) as (keyof typeof values)[];
const sizes = [1, 3, 4, 5, 17, 64, 100];

/** Values over and over, in an order without a short period. */
function fill(dtype: keyof typeof values, length: number, finite: boolean): TypedArray {
  const out = allocate(dtype, length);
  const from = values[dtype].filter((x) => !finite || Number.isFinite(x));
  for (let i = 0; i < length; i++) out[i] = from[(i * i + 3 * i + (i >> 3)) % from.length]!;
  return out;
}

/** Whole numbers of any dtype, storage types too. */
function raw(dtype: DType, length: number, salt: number): TypedArray {
  const out = allocate(dtype, length);
  for (let i = 0; i < length; i++) out[i] = dtype === "bool" ? (i + salt) % 2 : i * salt + 1;
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

const cases: AxisCase[] = [];
/** All kinds of kernels along an axis, of all dtypes. */
export const axisCases: readonly AxisCase[] = cases;
const add = (title: string, made: Omit<AxisCase, "title">) => cases.push({ title, ...made });

/** A result over (outer, axis, inner) as plans have it: whole. */
const whole = (dtype: DType, outer: number, axis: number, inner: number): Operand => ({
  dtype,
  data: allocate(dtype, outer * axis * inner),
  strides: [axis * inner, inner, 1],
});

for (const kind of ["argmax", "argsort", "argsortDescending", "cumsum"] as const)
  for (const dtype of compute.filter((d) => kind !== "cumsum" || d !== "bool"))
    for (const axis of sizes) {
      const [outer, inner] = [3, 2];
      const data = fill(dtype, outer * axis * inner, kind === "cumsum");
      const result = () =>
        whole(kind === "cumsum" ? dtype : "i32", outer, kind === "argmax" ? 1 : axis, inner);
      for (const layout of layouts(outer, axis, inner))
        add(
          `${kind} of ${dtype}`,
          axisCall(kind, [outer, axis, inner], [{ dtype, data, ...layout }, result()]),
        );
    }

for (const kind of ["scatter", "scatterAdd"] as const)
  for (const dtype of kind === "scatter" ? (Object.keys(dtypes) as DType[]) : compute) {
    const make = (length: number, salt: number) =>
      kind === "scatter" ? raw(dtype, length, salt) : fill(dtype as keyof typeof values, length, true);
    for (const [n, inner] of [...sizes.map((n) => [n, 2] as const), [5, 9] as const]) {
      const [outer, rows] = [3, 7];
      const data = make(outer * rows * inner, 3);
      const updates = make(outer * n * inner, 5);
      // Some are out of range, many repeat.
      const indices = Int32Array.from({ length: outer * n * inner }, (_, i) => ((i * 5 + (i >> 2)) % 9) - 1);
      for (const layout of layouts(outer, n, inner))
        add(
          `${kind} of ${dtype}, an index for each element`,
          axisCall(
            kind,
            [outer, n, inner],
            [
              { dtype, data, strides: [rows * inner, inner, 1] },
              { dtype: "i32", data: indices, ...layout },
              { dtype, data: updates, ...layout },
            ],
          ),
        );
    }
    for (const inner of [1, 7, 8, 9, 16, 33, 50]) {
      const [outer, rows, n] = [2, 5, 6];
      const data = make(outer * rows * inner, 3);
      const updates = make(outer * n * inner, 5);
      const indices = Int32Array.of(4, -1, 0, 4, 5, 2);
      for (const [offset, strides] of [
        [0, [n * inner, inner, 1]],
        [(n - 1) * inner, [n * inner, -inner, 1]],
        [3, [0, 0, 0]],
        [inner - 1, [n * inner, inner, -1]],
      ] as const)
        add(
          `${kind} of ${dtype}, an index for each row`,
          axisCall(
            kind,
            [outer, n, inner],
            [
              { dtype, data, strides: [rows * inner, inner, 1] },
              { dtype: "i32", data: indices, strides: [0, 1, 0] },
              { dtype, data: updates, offset, strides },
            ],
          ),
        );
    }
    // The result lies between other elements, all of which must stay.
    const indices = Int32Array.of(3, -1, 2147483647, -2147483648, 30, -30, 0, 2);
    add(
      `${kind} of ${dtype}, indices far out of range`,
      axisCall(
        kind,
        [2, indices.length, 2],
        [
          { dtype, data: make(100, 1), offset: 40, strides: [6, 2, 1] },
          { dtype: "i32", data: indices, strides: [0, 1, 0] },
          { dtype, data: make(1, 2), strides: [0, 0, 0] },
        ],
      ),
    );
  }

const line = (data: Float32Array): Operand => ({ dtype: "f32", data, strides: [data.length, 1, 1] });
const minus = new Float32Array(5).fill(-inf);
add("argmax of nothing but -infinity", axisCall("argmax", [1, 5, 1], [line(minus), whole("i32", 1, 1, 1)]));

const tenth = new Float32Array(1000).fill(0.1);
add(
  "cumsum rounds only what it stores",
  axisCall("cumsum", [1, 1000, 1], [line(tenth), whole("f32", 1, 1000, 1)]),
);

for (const make of [
  (i: number) => i,
  (i: number) => -i,
  () => 1,
  (i: number) => Math.sin(i * i),
  (i: number) => i % 17,
]) {
  const n = 20_000;
  const data = Float32Array.from({ length: n }, (_, i) => make(i));
  add(
    "argsort of many, sorted, reversed and equal",
    axisCall("argsort", [1, n, 1], [line(data), whole("i32", 1, n, 1)]),
  );
}

/** A call that computes with a storage type, which no target does. */
export const storageCall: AxisCall = axisCall(
  "argmax",
  [1, 3, 1],
  [{ dtype: "bf16", data: new Uint16Array(3), strides: [3, 1, 1] }, whole("i32", 1, 1, 1)],
).call;

/** Ascending, NaN last. */
const order = (a: number, b: number) =>
  Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : a < b ? -1 : a > b ? 1 : 0;

/** What a kernel gives for the elements along its axis. */
const results: {
  readonly [K in Exclude<AxisKernel["kind"], "scatter" | "scatterAdd">]: (
    x: readonly number[],
    dtype: DType,
  ) => number[];
} = {
  argmax: (x) => {
    const firstNaN = x.findIndex(Number.isNaN);
    return [firstNaN >= 0 ? firstNaN : x.indexOf(x.reduce((a, b) => Math.max(a, b)))];
  },
  argsort: (x) => [...x.keys()].sort((i, j) => order(x[i]!, x[j]!) || i - j),
  argsortDescending: (x) => [...x.keys()].sort((i, j) => order(x[j]!, x[i]!) || i - j),
  cumsum: (x, dtype) => {
    let total = 0;
    return x.map((v) => (total = dtype === "i32" || dtype === "u8" ? (total + v) | 0 : total + v));
  },
};

/** The same call by plain loops: what is in all buffers afterwards. */
export function expectAxis({ call, buffers }: Pick<AxisCase, "call" | "buffers">): TypedArray[] {
  const { kernel, extents, accesses } = call;
  const { kind } = kernel;
  const [outer, axis, inner] = extents;
  const after = buffers.map((b) => b.slice());
  const place = (access: number, o: number, a: number, i: number) => {
    const { offset, strides } = accesses[access]!;
    return offset + o * strides[0]! + a * strides[1]! + i * strides[2]!;
  };
  for (let o = 0; o < outer; o++)
    if (kind === "scatter" || kind === "scatterAdd") {
      const [result, indices, updates] = after as [TypedArray, TypedArray, TypedArray];
      const rows = accesses[0]!.strides[0]! / accesses[0]!.strides[1]!;
      for (let a = 0; a < axis; a++)
        for (let i = 0; i < inner; i++) {
          const index = indices[place(1, o, a, i)]!;
          if (index < 0 || index >= rows) continue;
          const at = place(0, o, index, i);
          const update = updates[place(2, o, a, i)]!;
          const sum = result[at]! + update;
          const { dtype } = kernel.accesses[0]!;
          result[at] = kind === "scatter" ? update : dtype === "bool" ? Number(sum !== 0) : sum;
        }
    } else
      for (let i = 0; i < inner; i++) {
        const along = Array.from({ length: axis }, (_, a) => after[0]![place(0, o, a, i)]!);
        for (const [a, x] of results[kind](along, kernel.accesses[0]!.dtype).entries())
          after[1]![place(1, o, a, i)] = x;
      }
  return after;
}
