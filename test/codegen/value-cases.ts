import { allocate, type DType, isFloat, type TypedArray, writeElement } from "../../src/base/dtype.ts";
import { type ElementwiseOp, elementwiseOps } from "../../src/ir/evaluate-elementwise.ts";
import { ops } from "../../src/ir/op.ts";
import type { Value } from "../../src/plan/kernel.ts";
import { CaseList, type LoopCase } from "./case-list.ts";
import { type AccessSpec, type Call, makeCall } from "./loop-call.ts";

const list = new CaseList();
/** Every value of a body: all operations of all dtypes on special values, every kind of access and storage type. */
export const valueCases: readonly LoopCase[] = list.cases;

const compute = ["f32", "f64", "i32", "u8", "bool"] as const;
const floatOps = new Set<ElementwiseOp>([
  "floor",
  "ceil",
  "round",
  "sqrt",
  "exp",
  "log",
  "expm1",
  "log1p",
  "sin",
  "cos",
  "tanh",
  "sigmoid",
  "erf",
  "erfc",
  "fma",
]);
/** Exact but for a few units in the last place. */
const functions = new Set<ElementwiseOp>([
  "exp",
  "log",
  "expm1",
  "log1p",
  "sin",
  "cos",
  "tanh",
  "sigmoid",
  "erf",
  "erfc",
  "pow",
  "fma",
]);
const anyDType = new Set<ElementwiseOp>(["eq", "lt", "le", "where", "cast"]);
const bits = new Set<ElementwiseOp>(["and", "or", "xor"]);
const shifts = new Set<ElementwiseOp>(["shl", "shr"]);

function takes(op: ElementwiseOp, dtype: DType): boolean {
  if (op === "not") return dtype === "bool";
  if (floatOps.has(op)) return isFloat(dtype);
  if (bits.has(op)) return !isFloat(dtype);
  if (shifts.has(op)) return dtype === "i32" || dtype === "u8";
  return anyDType.has(op) || dtype !== "bool";
}

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const special: { readonly [D in (typeof compute)[number]]: readonly number[] } = {
  f32: [
    0,
    -0,
    1,
    -1,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    3,
    0.3,
    -0.7,
    7.25,
    -8,
    1e-40,
    3e9,
    -3e9,
    1e20,
    inf,
    -inf,
    nan,
  ],
  f64: [
    0,
    -0,
    1,
    -1,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    3,
    0.3,
    -0.7,
    7.25,
    -8,
    1e-310,
    3e9,
    -3e9,
    1e200,
    inf,
    -inf,
    nan,
  ],
  i32: [0, 1, -1, 2, 3, -3, 5, 7, -8, 31, 100, 65_537, -99_999, 2147483647, -2147483648],
  u8: [0, 1, 2, 3, 5, 7, 31, 100, 127, 128, 200, 254, 255],
  bool: [0, 1],
};

/** Every triple (or pair) of special values is met, as columns are permuted by different strides. */
function operands(dtype: (typeof compute)[number], count: number): TypedArray[] {
  const values = special[dtype];
  const n = values.length;
  return Array.from({ length: count }, (_, k) => {
    const out = allocate(dtype, n * n);
    for (let i = 0; i < out.length; i++)
      out[i] = values[(k === 0 ? i : k === 1 ? Math.floor(i / n) : i * 7 + Math.floor(i / n)) % n]!;
    return out;
  });
}

/** Elementwise calls of one value over buffers side by side. */
function callOf(
  op: ElementwiseOp,
  dtype: DType,
  inputs: readonly DType[],
  n: number,
  strides: number[] = [1, 1, 1],
): Call {
  const specs: AccessSpec[] = [...inputs, dtype].map((d, buffer) => ({
    dtype: d,
    buffer,
    strides: [buffer < inputs.length ? strides[buffer]! : 1],
  }));
  const loads = inputs.map((d, access): Value => ({ op: "load", dtype: d, access }));
  const body: Value[] = [...loads, { op, dtype, args: inputs.map((_, i) => i) }];
  return makeCall([], [n], specs, body, [{ access: inputs.length, value: inputs.length }]);
}

function operation(
  op: ElementwiseOp,
  dtype: DType,
  inputs: readonly DType[],
  buffers: readonly TypedArray[],
  strides?: number[],
): void {
  const n = buffers[0]!.length;
  for (const length of [n, 1, 5, 6, 19].filter((l) => l <= n))
    list.check(
      callOf(op, dtype, inputs, length, strides),
      [...buffers, allocate(dtype, n)],
      isFloat(dtype) && functions.has(op) ? "units" : "same",
    );
}

for (const op of elementwiseOps.filter((op) => op !== "cast" && op !== "where"))
  list.each(
    compute.filter((d) => takes(op, d)),
    op,
    (dtype) => {
      const { operands: count } = ops[op];
      const result = op === "eq" || op === "lt" || op === "le" ? "bool" : dtype;
      const inputs = Array.from({ length: count }, () => dtype);
      const buffers = operands(dtype, count);
      operation(op, result, inputs, buffers);
      // The last operand is the same for all: shifts and others know.
      if (count > 1)
        operation(
          op,
          result,
          inputs,
          buffers.map((b, k) => (k === count - 1 ? b.slice(3) : b)),
          [1, 0, 0],
        );
    },
  );

list.about("cast", () => {
  const pairs = compute.flatMap((from) =>
    compute.filter((to) => to !== from).map((to) => [from, to] as const),
  );
  for (const [from, to] of pairs) operation("cast", to, [from], operands(from, 1));
});

list.each(compute, "where", (dtype) => {
  const values = operands(dtype, 2);
  const condition = allocate("bool", values[0]!.length);
  for (let i = 0; i < condition.length; i++) condition[i] = (i * 5) % 3 === 0 ? 1 : 0;
  operation("where", dtype, ["bool", dtype, dtype], [condition, ...values]);
});

/** Copies through every kind of access: what is loaded is what is stored. */
function copy(from: DType, to: DType, values: Value["dtype"], all: TypedArray, wide: boolean): void {
  for (const [stride, target] of [
    [1, 1],
    [1, 2],
    [2, 1],
    [-1, 1],
    [0, 1],
    [3, -2],
  ] as const) {
    // Every value once; other strides are about addresses.
    const input = stride === 1 && target === 1 ? all : all.slice(0, 301);
    const n = input.length;
    const count = stride === 0 ? 7 : Math.floor(n / Math.abs(stride));
    const specs: AccessSpec[] = [
      { dtype: from, buffer: 0, offset: stride < 0 ? n - 1 : 0, strides: [stride] },
      { dtype: to, buffer: 1, offset: target < 0 ? 2 * n : 0, strides: [target] },
    ];
    const body: Value[] = [
      {
        op: "load",
        dtype: from === "bf16" || from === "f16" ? "f32" : from === "i8" ? "i32" : from,
        access: 0,
      },
    ];
    if (body[0]!.dtype !== values) body.push({ op: "cast", dtype: values, args: [0] });
    const value = body.length - 1;
    // An f64 anywhere in the kernel means two lanes.
    if (wide) body.push({ op: "constant", dtype: "f64", value: 0 });
    const buffers = [input, allocate(to, 2 * n + 1)];
    const call = makeCall([], [count], specs, body, [{ access: 1, value }]);
    list.check(call, buffers);
  }
}

list.each([false, true], "storage types", (wide) => {
  const patterns = new Uint16Array(65_536).map((_, i) => i);
  list.each(["bf16", "f16"] as const, "widened", (dtype) => copy(dtype, "f32", "f32", patterns, wide));
  list.each(["bf16", "f16"] as const, "rounded", (dtype) => {
    const values = new Float32Array(4096);
    const view = new Uint32Array(values.buffer);
    for (let i = 0; i < values.length; i++) view[i] = (i * 0x9e3779b1) >>> 0;
    const edges = [
      65519,
      65520,
      65504,
      65536,
      1e9,
      inf,
      -inf,
      nan,
      2 ** -24,
      2 ** -25,
      1.5 * 2 ** -25,
      2 ** -14,
      0.99999 * 2 ** -14,
      3e38,
      1 + 2 ** -8,
      1 + 3 * 2 ** -8,
      1 + 2 ** -11,
      1 + 3 * 2 ** -11,
      -0,
      0,
    ];
    values.set(edges);
    copy("f32", dtype, "f32", values, wide);
  });
  list.each(["i8", "u8", "bool", "i32"] as const, "kept", (dtype) => {
    const values = allocate(dtype, 301);
    for (let i = 0; i < values.length; i++)
      writeElement(dtype, values, i, dtype === "bool" ? i % 3 : i * 7 - 300);
    copy(dtype, dtype, dtype === "i8" ? "i32" : dtype, values, wide);
    copy(dtype, "f32", "f32", values, wide);
  });
});

list.about("values with no elementwise rule", () => {
  const index = (buffer: number, strides: number[], offset = 0): AccessSpec => ({
    dtype: "i32",
    buffer,
    strides,
    offset,
  });
  const walks = [
    [[5, 1], 3],
    [[1, -5], 100],
    [[0, 0], 7],
    [[7, 3], -2],
  ] as const;
  list.each(walks, "index", ([strides, offset]) => {
    const body: Value[] = [{ op: "index", dtype: "i32", access: 0 }];
    const call = makeCall([4], [23], [index(-1, [...strides], offset), index(0, [23, 1])], body, [
      { access: 1, value: 0 },
    ]);
    const buffers = [new Int32Array(92)];
    list.check(call, buffers);
  });
  // Rows that begin with an even element and with an odd one, which share no counters.
  const counters = [
    [0, 37, 1],
    [9, 37, -2],
    [3, 111, 3],
  ] as const;
  list.each(counters, "random bits", ([offset, row, stride]) => {
    const key = (at: number): AccessSpec => ({ dtype: "i32", buffer: 0, offset: at, strides: [0, 0] });
    const body: Value[] = [
      { op: "load", dtype: "i32", access: 0 },
      { op: "load", dtype: "i32", access: 1 },
      { op: "index", dtype: "i32", access: 2 },
      { op: "random", dtype: "i32", args: [0, 1, 2] },
    ];
    const specs = [key(0), key(1), index(-1, [row, stride], offset), index(1, [37, 1])];
    const call = makeCall([3], [37], specs, body, [{ access: 3, value: 3 }]);
    const buffers = [Int32Array.of(123, -456), new Int32Array(111)];
    list.check(call, buffers);
  });
  const indices = Int32Array.from({ length: 50 }, (_, i) => (i * 7) % 10);
  list.each(["f32", "f64", "bf16", "u8"] as const, "gather of rows, columns, elements", (dtype) => {
    const table = allocate(dtype, 10 * 13);
    for (let i = 0; i < table.length; i++) writeElement(dtype, table, i, i);
    const value = dtype === "bf16" ? "f32" : dtype;
    const body: Value[] = [
      { op: "load", dtype: "i32", access: 0 },
      { op: "gather", dtype: value, access: 1, args: [0] },
    ];
    const cases: [AccessSpec, AccessSpec, number][] = [
      // An embedding: an index per row, elements along it.
      [index(0, [1, 0]), { dtype, buffer: 1, strides: [0, 1], axisStride: 13 }, 13],
      // A column per index.
      [index(0, [0, 3]), { dtype, buffer: 1, strides: [13, 0], axisStride: 1 }, 13],
      // Elements of a row per index, the row strided.
      [index(0, [1, 1]), { dtype, buffer: 1, offset: 9, strides: [0, -3], axisStride: 13 }, 4],
      [index(0, [1, 1]), { dtype, buffer: 1, strides: [0, 1], axisStride: 13 }, 11],
    ];
    for (const [at, data, n] of cases) {
      const call = makeCall([9], [n], [at, data, { dtype, buffer: 2, strides: [n, 1] }], body, [
        { access: 2, value: 1 },
      ]);
      const buffers = [indices, table, allocate(dtype, 9 * n)];
      list.check(call, buffers);
    }
  });
});
