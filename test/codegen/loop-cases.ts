import { allocate, type DType, type TypedArray, writeElement } from "../../src/base/dtype.ts";
import type { Value } from "../../src/plan/kernel.ts";
import { CaseList, type LoopCase } from "./case-list.ts";
import { makeCall } from "./loop-call.ts";

const list = new CaseList();
/** Calls of every structure that a loop kernel has, on rows that are shorter and longer than vectors. */
export const loopCases: readonly LoopCase[] = list.cases;

const sizes = [1, 3, 4, 5, 17, 64, 100];

/** Small integers with signs: sums of them are exact, so that order does not matter. */
function data(dtype: DType, length: number, seed = 1): TypedArray {
  const out = allocate(dtype, length);
  const low = dtype === "u8" ? 0 : -9;
  for (let i = 0; i < length; i++) writeElement(dtype, out, i, ((i * 37 * seed + 11) % 19) + low);
  return out;
}

const f32 = (length: number, seed = 1) => data("f32", length, seed);
const load = (access: number, dtype: DType = "f32"): Value => ({ op: "load", dtype, access });
const op = (name: "add" | "mul" | "sub" | "exp" | "div", ...args: number[]): Value => ({
  op: name,
  dtype: "f32",
  args,
});
const reduce = (kind: "sum" | "max" | "min" | "prod", arg: number, dtype: DType = "f32"): Value => ({
  op: "reduce",
  kind,
  dtype,
  args: [arg],
});

list.about("maps", () => {
  const body = [load(0), load(1), op("add", 0, 1), op("mul", 2, 0)];
  list.each(sizes, "a row", (n) => {
    const access = (buffer: number) => ({ dtype: "f32" as const, buffer, strides: [1] });
    list.check(makeCall([], [n], [access(0), access(1), access(2)], body, [{ access: 2, value: 3 }]), [
      f32(n),
      f32(n, 2),
      f32(n + 8),
    ]);
  });
  list.each(sizes, "strides of every kind, rows", (n) => {
    const specs = [
      { dtype: "f32" as const, buffer: 0, offset: 2 * n, strides: [1, 0, -2] },
      { dtype: "f32" as const, buffer: 1, offset: n - 1, strides: [0, 0, -1] },
      { dtype: "f32" as const, buffer: 2, strides: [4 * n, n, 1] },
    ];
    list.check(makeCall([3, 4], [n], specs, body, [{ access: 2, value: 3 }]), [
      f32(2 * n + 3),
      f32(n, 2),
      f32(12 * n),
    ]);
    const columns = [
      { dtype: "f32" as const, buffer: 0, strides: [1, 3] },
      { dtype: "f32" as const, buffer: 1, strides: [1, 0] },
      { dtype: "f32" as const, buffer: 2, strides: [1, 3] },
    ];
    list.check(makeCall([3], [n], columns, body, [{ access: 2, value: 3 }]), [
      f32(3 * n),
      f32(3),
      f32(3 * n),
    ]);
  });
  list.each([0], "five outer dimensions, several inner ones", () => {
    const strides = [324, 162, 54, 18, 6, 3, 1];
    const backwards = [1, 2, 4, 12, 36, 108, 216];
    const specs = [
      { dtype: "f32" as const, buffer: 0, strides: backwards },
      { dtype: "f32" as const, buffer: 1, strides: [0, 0, 0, 6, 0, 0, 1] },
      { dtype: "f32" as const, buffer: 2, strides },
    ];
    list.check(makeCall([2, 2, 3, 3, 3], [2, 3], specs, body, [{ access: 2, value: 3 }]), [
      f32(648),
      f32(18),
      f32(648),
    ]);
  });
  list.each([0], "in place, and a fill of a scalar's value", () => {
    const specs = [
      { dtype: "f32" as const, buffer: 0, strides: [1] },
      { dtype: "f32" as const, buffer: 1, strides: [0] },
      { dtype: "f32" as const, buffer: 0, strides: [1] },
    ];
    list.check(makeCall([], [37], specs, body, [{ access: 2, value: 3 }]), [f32(37), f32(1, 5)]);
    list.check(makeCall([], [37], specs, body, [{ access: 2, value: 1 }]), [f32(37), f32(1, 5)]);
  });
  list.each([0], "nothing at all", () => {
    const specs = [
      { dtype: "f32" as const, buffer: 0, strides: [0] },
      { dtype: "f32" as const, buffer: 1, strides: [0] },
      { dtype: "f32" as const, buffer: 2, strides: [0] },
    ];
    list.check(makeCall([], [1], specs, body, [{ access: 2, value: 3 }]), [f32(1), f32(1, 2), f32(1)]);
    list.check(makeCall([], [0], specs, body, [{ access: 2, value: 3 }]), [f32(1), f32(1, 2), f32(1)]);
  });
});

list.about("sums along lines of a row", () => {
  list.each(
    sizes,
    "beside one of the row, of what is read and of what is made, over one dimension and two",
    (n) => {
      for (const dtype of ["f32", "f64", "i32"] as const)
        for (const along of [[n], [3, n]]) {
          const line = along.reduce((a, b) => a * b, 1);
          const within = along.length === 1 ? [1] : [n, 1];
          const specs = [
            { dtype, buffer: 0, strides: [4 * line, line, ...within] },
            { dtype, buffer: 1, strides: [4 * line, line, ...within] },
            { dtype, buffer: 2, strides: [4, 1, ...along.map(() => 0)] },
            { dtype, buffer: 3, strides: [4, 1, ...along.map(() => 0)] },
          ];
          const body: Value[] = [
            load(0, dtype),
            reduce("sum", 0, dtype),
            { op: "add", dtype, args: [0, 1] },
            reduce("max", 0, dtype),
          ];
          const stores = [
            { access: 1, value: 2 },
            { access: 2, value: 2, adds: "line" as const },
            { access: 3, value: 0, adds: "line" as const },
          ];
          list.check(makeCall([5], [4, ...along], specs, body, stores, "inner", { lines: 1 }), [
            data(dtype, 20 * line),
            data(dtype, 20 * line),
            data(dtype, 20, 3),
            data(dtype, 20, 5),
          ]);
        }
    },
  );
});

list.about("sums over the rows of blocks", () => {
  list.each(sizes, "beside a softmax of rows, of what is read and of what is made", (n) => {
    for (const [blocks, rows] of [
      [[3], [4]],
      [[1], [1]],
      [
        [2, 2],
        [3, 2],
      ],
    ] as const) {
      const outer = [...blocks, ...rows];
      const strides = outer.map((_, d) => outer.slice(d + 1).reduce((a, b) => a * b, n));
      const each = blocks.map((_, d) => blocks.slice(d + 1).reduce((a, b) => a * b, n));
      const columns = [...each, ...rows.map(() => 0), 1];
      const specs = [
        { dtype: "f32" as const, buffer: 0, strides: [...strides, 1] },
        { dtype: "f32" as const, buffer: 1, strides: [...strides, 1] },
        { dtype: "f32" as const, buffer: 2, strides: columns },
        { dtype: "f32" as const, buffer: 3, strides: columns },
      ];
      const body = [load(0), reduce("sum", 0), op("mul", 0, 1), op("add", 2, 2)];
      const stores = [
        { access: 1, value: 2 },
        { access: 2, value: 3, adds: "rows" as const },
        { access: 3, value: 0, adds: "rows" as const },
      ];
      const [all, own] = [outer.reduce((a, b) => a * b, n), blocks.reduce((a, b) => a * b, n)];
      list.check(makeCall(outer, [n], specs, body, stores, "inner", { blocks: blocks.length }), [
        f32(all),
        f32(all),
        f32(own, 3),
        f32(own, 5),
      ]);
    }
  });
  list.each(sizes, "of every dtype that is computed with, over several dimensions of a row", (n) => {
    for (const dtype of ["f32", "f64", "i32"] as const) {
      const specs = [
        { dtype, buffer: 0, strides: [10 * n, 2 * n, n, 1] },
        { dtype, buffer: 1, strides: [2 * n, 0, n, 1] },
      ];
      list.check(
        makeCall([3, 5], [2, n], specs, [load(0, dtype)], [{ access: 1, value: 0, adds: "rows" }], "inner", {
          blocks: 1,
        }),
        [data(dtype, 30 * n), data(dtype, 6 * n, 3)],
      );
    }
  });
  list.each([5, 64], "that are all -0", (n) => {
    const specs = [
      { dtype: "f32" as const, buffer: 0, strides: [2 * n, n, 1] },
      { dtype: "f32" as const, buffer: 1, strides: [n, 0, 1] },
    ];
    list.check(
      makeCall([2, 2], [n], specs, [load(0)], [{ access: 1, value: 0, adds: "rows" }], "inner", {
        blocks: 1,
      }),
      [new Float32Array(4 * n).fill(-0), f32(2 * n)],
    );
  });
});

for (const vector of ["inner", "outer"] as const)
  list.about(`reductions, vector ${vector}`, () => {
    list.each([0, ...sizes], "every kind along elements", (n) => {
      for (const dtype of ["f32", "f64", "i32", "u8"] as const) {
        const kinds = (["sum", "prod", "max", "min"] as const).slice(0, n === 0 ? 2 : 4);
        for (const rows of [1, 3, 7, 21]) {
          const specs = [
            { dtype, buffer: 0, strides: vector === "inner" ? [n, 1] : [1, rows] },
            ...kinds.map((_, i) => ({ dtype, buffer: i + 1, strides: [1, 0] })),
          ];
          const body = [load(0, dtype), ...kinds.map((k) => reduce(k, 0, dtype))];
          const stores = kinds.map((_, i) => ({ access: i + 1, value: i + 1 }));
          // ±1 keeps products exact.
          const input = data(dtype, n * rows).map((x) => (n > 5 ? Math.sign(x) : x));
          list.check(makeCall([rows], [n], specs, body, stores, vector), [
            input,
            ...kinds.map(() => data(dtype, rows)),
          ]);
        }
      }
    });
    list.each(sizes, "whether any or all of bools are true", (n) => {
      const rows = 7;
      const strides = vector === "inner" ? [n, 1] : [1, rows];
      const row = (buffer: number) => ({ dtype: "bool" as const, buffer, strides: [1, 0] });
      const body = [load(0, "bool"), reduce("max", 0, "bool"), reduce("min", 0, "bool")];
      const call = makeCall(
        [rows],
        [n],
        [{ dtype: "bool", buffer: 0, strides }, row(1), row(2)],
        body,
        [
          { access: 1, value: 1 },
          { access: 2, value: 2 },
        ],
        vector,
      );
      for (const one of [0, 1]) {
        // All but one are the same, and that one anywhere.
        for (const at of [0, n * rows - 1, (n * rows) >> 1]) {
          const input = allocate("bool", n * rows).fill(1 - one);
          input[at] = one;
          list.check(call, [input, data("bool", rows), data("bool", rows)]);
        }
      }
    });
    list.each(sizes, "a NaN among elements", (n) => {
      const rows = 5;
      const strides = vector === "inner" ? [n, 1] : [1, rows];
      const kinds = ["sum", "prod", "max", "min"] as const;
      for (const dtype of ["f32", "f64"] as const) {
        const specs = [
          { dtype, buffer: 0, strides },
          ...kinds.map((_, i) => ({ dtype, buffer: i + 1, strides: [1, 0] })),
        ];
        const body = [load(0, dtype), ...kinds.map((k) => reduce(k, 0, dtype))];
        const stores = kinds.map((_, i) => ({ access: i + 1, value: i + 1 }));
        const input = data(dtype, n * rows).map(Math.sign);
        input[(n * rows) >> 1] = Number.NaN;
        list.check(makeCall([rows], [n], specs, body, stores, vector), [
          input,
          ...kinds.map(() => data(dtype, rows)),
        ]);
      }
    });
    list.each([0], "over several inner dimensions, with rows of other strides", () => {
      const specs = [
        { dtype: "f32" as const, buffer: 0, offset: 3, strides: [20, 1, 140, 1] },
        { dtype: "f32" as const, buffer: 1, strides: [0, 2, 0, 0] },
        { dtype: "f32" as const, buffer: 2, strides: [19, 1, 0, 0] },
      ];
      const body = [load(0), load(1), op("mul", 0, 1), reduce("sum", 2), op("add", 3, 1)];
      list.check(makeCall([2, 19], [3, 5], specs, body, [{ access: 2, value: 4 }], vector), [
        f32(600),
        f32(40),
        f32(38),
      ]);
    });
    list.each(sizes, "softmax of rows", (n) => {
      const specs = [
        { dtype: "f32" as const, buffer: 0, strides: vector === "inner" ? [n, 1] : [1, 9] },
        { dtype: "f32" as const, buffer: 1, strides: vector === "inner" ? [n, 1] : [1, 9] },
        { dtype: "f32" as const, buffer: 2, strides: [1, 0] },
      ];
      const body = [
        load(0),
        reduce("max", 0),
        op("sub", 0, 1),
        op("exp", 2),
        reduce("sum", 3),
        op("div", 3, 4),
      ];
      list.check(
        makeCall(
          [9],
          [n],
          specs,
          body,
          [
            { access: 1, value: 5 },
            { access: 2, value: 4 },
          ],
          vector,
        ),
        [f32(9 * n), f32(9 * n), f32(9)],
        5,
      );
    });
    list.each([0], "a negative zero keeps its sign, and no elements sum to zero", () => {
      for (const n of [0, 1, 9]) {
        const specs = [
          { dtype: "f32" as const, buffer: 0, strides: vector === "inner" ? [n, 1] : [1, 5] },
          { dtype: "f32" as const, buffer: 1, strides: [1, 0] },
        ];
        list.check(
          makeCall([5], [n], specs, [load(0), reduce("sum", 0)], [{ access: 1, value: 1 }], vector),
          [new Float32Array(5 * n).fill(-0), f32(5)],
        );
      }
    });
  });

list.each(sizes, "all of elements, and a NaN among them", (n) => {
  const specs = [
    { dtype: "f32" as const, buffer: 0, strides: [1] },
    ...[1, 2, 3].map((buffer) => ({ dtype: "f32" as const, buffer, strides: [0] })),
  ];
  const body = [load(0), reduce("sum", 0), reduce("max", 0), reduce("min", 0)];
  const stores = [1, 2, 3].map((i) => ({ access: i, value: i }));
  const call = makeCall([], [n], specs, body, stores);
  list.check(call, [f32(n), f32(1), f32(1), f32(1)]);
  for (let at = 0; at < n; at += 3) {
    const input = f32(n);
    input[at] = Number.NaN;
    list.check(call, [input, f32(1), f32(1), f32(1)]);
  }
});

/** Kernels of random structure: dimensions, strides and levels of every combination. */
list.each([0], "fuzz: any dimensions, strides and stages", () => {
  let state = 7;
  const random = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % n;
  };
  for (let round = 0; round < 80; round++) {
    const outer = Array.from({ length: random(4) }, () => 1 + random(4));
    const inner = Array.from({ length: 1 + random(3) }, () => 1 + random(5));
    const reducing = random(3) > 0;
    const vector = reducing && outer.length > 0 && random(2) === 1 ? "outer" : "inner";
    const all = [...outer, ...inner];
    const at = vector === "inner" ? all.length - 1 : outer.length - 1;
    const input = (buffer: number) => {
      const strides = all.map((_, d) => (d === at ? [0, 1, 1, 1, 2, -1][random(6)]! : random(4) - 1));
      if (random(3) === 0) strides.fill(0, outer.length);
      const offset = strides.reduce((sum, s, d) => sum + Math.max(0, -s * (all[d]! - 1)), 0);
      return {
        dtype: (["f32", "f32", "bf16", "i8", "f64"] as const)[random(round % 5 === 0 ? 5 : 4)]!,
        buffer,
        strides,
        offset,
      };
    };
    const strideOver = (extents: readonly number[]) =>
      extents.map((_, d) => extents.slice(d + 1).reduce((a, b) => a * b, 1));
    // Results may lie along the vector, whichever dimension that is.
    const order = all.map((_, d) => d).filter((d) => d !== at);
    if (at >= 0) order.splice(random(2) === 1 ? order.length : at, 0, at);
    const packed = strideOver(order.map((d) => all[d]!));
    const full = { dtype: "f32" as const, buffer: 3, strides: all.map((_, d) => packed[order.indexOf(d)]!) };
    const row = { dtype: "f32" as const, buffer: 4, strides: [...strideOver(outer), ...inner.map(() => 0)] };
    const inputs = [input(0), input(1), input(2)];
    const values = inputs.flatMap(({ dtype }, access): Value[] => [
      load(access, dtype === "bf16" ? "f32" : dtype === "i8" ? "i32" : dtype),
    ]);
    const asFloat = inputs.map(
      ({ dtype }, i): Value =>
        dtype === "i8" || dtype === "f64"
          ? { op: "cast", dtype: "f32", args: [i] }
          : { op: "max", dtype: "f32", args: [i, i] },
    );
    const kind = () => (["sum", "max", "min"] as const)[random(3)]!;
    const body: Value[] = reducing
      ? [
          ...values,
          ...asFloat,
          op("mul", 3, 4),
          reduce(kind(), 6),
          op("sub", 6, 7),
          op("add", 8, 5),
          reduce(kind(), 9),
          op("add", 10, 7),
          op("add", 9, 11),
        ]
      : [...values, ...asFloat, op("mul", 3, 4), op("add", 6, 5)];
    const stores = reducing
      ? [
          { access: 3, value: 12 },
          { access: 4, value: 11 },
        ]
      : [{ access: 3, value: 7 }];
    const buffers = [
      ...inputs.map(({ dtype }, k) => data(dtype, 100, k + 1)),
      f32(all.reduce((a, b) => a * b, 1)),
      f32(64),
    ];
    list.check(makeCall(outer, inner, [...inputs, full, row], body, stores, vector), buffers);
  }
});
