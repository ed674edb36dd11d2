import { describe, expect, test } from "vitest";
import { lowerAxis } from "../../src/codegen/axis.ts";
import { constant, count, KernelBuilder, ops, param, ref, typeOf } from "../../src/lowered/build.ts";
import type { Cell, Tile } from "../../src/lowered/ir.ts";
import { kernelText } from "../../src/lowered/print.ts";
import { verify } from "../../src/lowered/verify.ts";
import { axisCases, expectAxis } from "../codegen/axis-cases.ts";
import { runLowered } from "./run-lowered.ts";

const { add, bits, convert, lane, rotate, splat, within } = ops;

const n = param({ kind: "extent", dim: 0 });

/** An argument of one dimension. */
const argument = (number: number, cell: Cell, written = false) => ({
  cell,
  memory: { argument: number, alias: number },
  extents: [n],
  strides: [param({ kind: "stride", access: number, dim: 0 })],
  written,
});

const line = (buffer: number) => ({ buffer, offset: 0, strides: [1] });

// Each structure once at a small size, and the awkward ones among the rest.
const small = axisCases.filter(
  (c, i) => c.call.extents.reduce((a, b) => a * b, 1) <= 60 && (i % 7 === 0 || c.call.extents[2] > 7),
);

describe.each([...new Set(small.map((c) => c.title))])("%s", (title) => {
  test("gives what plain loops give", () => {
    for (const c of small.filter((c) => c.title === title))
      expect(runLowered(lowerAxis(c.call.kernel, 4), c.call, c.buffers)).toEqual(expectAxis(c));
  });
});

/** The sum of a row by a group: each thread adds up a share, and one of them the shares. */
function groupSum(threads: number, waits: boolean) {
  const b = new KernelBuilder();
  b.access(argument(0, "f32"));
  b.access(argument(1, "f32", true));
  const shares = b.local("f32", [threads]);
  b.for(count(threads), (t) => b.store({ access: shares, at: [t] }, constant(typeOf("f32"), 0)), {
    parallel: "threads",
  });
  if (waits) b.barrier();
  const own = b.var("own", constant(typeOf("f32"), 0));
  b.for(n, (i) => b.set(own, add(ref(own), b.load({ access: 0, at: [i] }))), { parallel: "threads" });
  b.for(
    count(threads),
    (t) => b.store({ access: shares, at: [t] }, add(b.load({ access: shares, at: [t] }), ref(own))),
    { parallel: "threads" },
  );
  if (waits) b.barrier();
  const sum = b.var("sum", constant(typeOf("f32"), 0));
  b.for(count(threads), (t) => b.set(sum, add(ref(sum), b.load({ access: shares, at: [t] }))), {
    unroll: true,
  });
  b.for(n, (i) => b.store({ access: 1, at: [i] }, ref(sum)), { parallel: "threads" });
  return b.kernel("group sum", { threads });
}

test("threads of a group share loops out and wait for each other", () => {
  const values = Float32Array.from({ length: 10 }, (_, i) => i + 1);
  const call = { extents: [10], accesses: [line(0), line(1)] };
  for (const threads of [1, 3, 4]) {
    const kernel = groupSum(threads, true);
    verify(kernel);
    const got = runLowered(kernel, call, [values, new Float32Array(10)]);
    expect(got[1]).toEqual(new Float32Array(10).fill(55));
  }
  const hasty = runLowered(groupSum(4, false), call, [values, new Float32Array(10)]);
  expect(hasty[1]).not.toEqual(new Float32Array(10).fill(55));
});

test("a status word that says stop keeps a kernel from storing", () => {
  const b = new KernelBuilder();
  b.access(argument(0, "f32", true));
  const status = b.access({ ...argument(1, "i32"), extents: [count(1)] });
  b.for(n, (i) => b.store({ access: 0, at: [i] }, constant(typeOf("f32"), 1)));
  const kernel = b.kernel("guarded", { status });
  const call = { extents: [2], accesses: [line(0), line(1)] };
  const run = (word: number) => runLowered(kernel, call, [new Float32Array(2), Int32Array.of(word)])[0];
  expect(run(0)).toEqual(Float32Array.of(1, 1));
  expect(run(7)).toEqual(Float32Array.of(0, 0));
});

test("vectors, their lanes and their bits", () => {
  const b = new KernelBuilder();
  b.access(argument(0, "f32"));
  b.access(argument(1, "i32", true));
  const along = { dim: 0, packed: true } as const;
  b.steps(
    n,
    [4],
    (i) => {
      const v = b.let("v", b.load({ access: 0, at: [i], along }, 4));
      const turned = add(rotate(v, 1), splat(lane(v, 0), 4));
      b.store({ access: 1, at: [i], along }, bits(turned, "i32"));
    },
    (i, live) => {
      const v = b.load({ access: 0, at: [i], along: { ...along, live } }, 4);
      b.store({ access: 1, at: [i], along: { ...along, live } }, convert(v, "i32"));
    },
  );
  const values = Float32Array.of(1, 2, 3, 4, -1.5, Number.NaN, 3e9);
  const got = runLowered(b.kernel("lanes"), { extents: [7], accesses: [line(0), line(1)] }, [
    values,
    new Int32Array(7),
  ]);
  expect(new Float32Array(got[1]!.buffer, 0, 4)).toEqual(Float32Array.of(3, 4, 5, 2));
  expect([...got[1]!.slice(4)]).toEqual([-1, 0, 2147483647]);
});

test("a leaf does what it means, on its operands alone", () => {
  const doubled: Tile = {
    name: "doubled",
    meaning: ([from, to]) => {
      for (let i = 0; i < from!.sizes[0]!; i++) to!.set(2 * from!.get(i), i);
    },
  };
  const b = new KernelBuilder();
  b.access(argument(0, "f32"));
  b.access(argument(1, "f32", true));
  const operand = (access: number) => ({ place: { access, at: [count(0)] }, sizes: [n] });
  b.call(doubled, [operand(0), operand(1)]);
  const kernel = b.kernel("leaf");
  verify(kernel);
  const call = { extents: [3], accesses: [line(0), { ...line(1), offset: 2, strides: [-1] }] };
  const got = runLowered(kernel, call, [Float32Array.of(1, 2, 3), new Float32Array(3)]);
  expect(got[1]).toEqual(Float32Array.of(6, 4, 2));
});

test("what is out of range, or not as it is said to be, is found", () => {
  const run = (write: (b: KernelBuilder) => void) => () => {
    const b = new KernelBuilder();
    b.access(argument(0, "f32", true));
    write(b);
    runLowered(b.kernel("wrong"), { extents: [3], accesses: [{ ...line(0), strides: [2] }] }, [
      new Float32Array(6),
    ]);
  };
  const one = constant(typeOf("f32"), 1);
  expect(run((b) => b.store({ access: 0, at: [n] }, one))).toThrow(
    "3 along dimension 0 of access 0, which has 3",
  );
  expect(run((b) => b.store({ access: 0, at: [within(n, n, "so it seems")] }, one))).toThrow(
    "3 is not within 3, though so it seems",
  );
  const ones = constant(typeOf("f32", 2), 1);
  expect(run((b) => b.store({ access: 0, at: [count(0)], along: { dim: 0, packed: true } }, ones))).toThrow(
    "access 0 is not packed along 0",
  );
});

test("the text that people read", () => {
  const kernel = lowerAxis(
    axisCases.find((c) => c.title === "scatterAdd of f32, an index for each row")!.call.kernel,
    8,
  );
  expect(kernelText(kernel)).toMatchInlineSnapshot(`
    "kernel scatterAdd
      a0: f32[n0, (s0.0 / s0.1), n2] by (s0.0, s0.1, s0.2), argument 0, written
      a1: i32[n0, n1, n2] by (s1.0, s1.1, s1.2), argument 1
      a2: f32[n0, n1, n2] by (s2.0, s2.1, s2.2), argument 2
    isRow = ((((s1.2 == 0) & (s2.2 == 1)) & (s0.2 == 1)) & (8 <= n2))
    for o from 0 to below n0, tasks:
      for i from 0 to below n1:
        if isRow:
          index = convert index (a1[o, i, 0])
          if inside(index, (s0.0 / s0.1)):
            for i2 from 0 to below n2 by 8:
              a0[o, index, i2 …] = (a0[o, index, i2 …] × 8 + a2[o, i, i2 …] × 8)
            then:
              a0[o, index, i2 …] = (a0[o, index, i2 …] + a2[o, i, i2 …])
        else:
          for i3 from 0 to below n2:
            index2 = convert index (a1[o, i, i3])
            if inside(index2, (s0.0 / s0.1)):
              a0[o, index2, i3] = (a0[o, index2, i3] + a2[o, i, i3])
    "
  `);
  expect(kernelText(groupSum(4, true))).toMatchInlineSnapshot(`
    "kernel group sum, 4 threads
      a0: f32[n0] by (s0.0), argument 0
      a1: f32[n0] by (s1.0), argument 1, written
      a2: f32[4] by (1), local of 4, written
    for i from 0 to below 4, threads:
      a2[i] = f32 0
    barrier
    var own = f32 0
    for i2 from 0 to below n0, threads:
      own := (own + a0[i2])
    for i3 from 0 to below 4, threads:
      a2[i3] = (a2[i3] + own)
    barrier
    var sum = f32 0
    for i4 from 0 to below 4, unrolled:
      sum := (sum + a2[i4])
    for i5 from 0 to below n0, threads:
      a1[i5] = sum
    "
  `);
});

test("what surrounds a step's turns is done where there are any, and names there are known to them", () => {
  const b = new KernelBuilder();
  b.access(argument(0, "f32"));
  b.access(argument(1, "f32", true));
  const one = constant(typeOf("f32"), 1);
  const sum = b.var("sum", constant(typeOf("f32"), 0));
  b.steps(
    n,
    [4, 1],
    (i, by) => {
      if (by === 1) b.set(sum, add(ref(sum), b.load({ access: 0, at: [i] })));
      else b.set(sum, add(ref(sum), constant(typeOf("f32"), 1000)));
    },
    undefined,
    {
      around: (by, turns) => {
        if (by === 1) turns();
        else {
          const before = b.let("before", one);
          turns();
          b.set(sum, add(ref(sum), before));
        }
      },
    },
  );
  b.store({ access: 1, at: [count(0)] }, ref(sum));
  const kernel = b.kernel("around");
  for (const [length, result] of [
    [3, 6],
    [9, 2001 + 9],
  ] as const) {
    const values = Float32Array.from({ length }, (_, i) => i + 1);
    const call = { extents: [length], accesses: [line(0), line(1)] };
    expect(runLowered(kernel, call, [values, new Float32Array(length)])[1]![0]).toBe(result);
  }
});

test("f64 in parts of f32, bits of 64, masks as a whole, and lanes with coordinates of their own", () => {
  const b = new KernelBuilder();
  b.access(argument(0, "f32"));
  b.access(argument(1, "f32", true));
  const at = (access: number, first: number) => ({
    access,
    at: [within(count(first), n, "there are eight elements")],
  });
  const apart = { dim: 0, packed: false } as const;
  const x = b.let("x", b.load({ ...at(0, 0), along: apart }, 4));
  // Twice each, by one more in the exponent of its f64.
  const doubled = [0, 1].map((part) => {
    const wide = b.let("wide", ops.widen(x, part, 2));
    const one = ops.shl(bits(constant(typeOf("f64", 2), 5e-324), "i64"), constant(typeOf("i64", 2), 52));
    return bits(add(bits(wide, "i64"), one), "f64");
  });
  b.store({ ...at(1, 0), along: apart }, ops.narrow(doubled, "f32"));
  const reversed = ops.sub(constant(typeOf("i32", 4), 3), ops.iota(4));
  const each = { dim: 0, index: reversed, why: "they are from 0 to 3" };
  const picked = b.load({ access: 0, at: [count(0)], along: { ...apart, each } }, 4);
  const large = ops.any(ops.lt(constant(typeOf("f32", 4), 6), x));
  b.store({ ...at(1, 4), along: apart }, ops.select(splat(large, 4), picked, x));
  const values = Float32Array.of(1, 3, 5, 7, 0, 0, 0, 0);
  const got = runLowered(b.kernel("parts"), { extents: [8], accesses: [line(0), line(1)] }, [
    values,
    new Float32Array(8),
  ]);
  expect([...got[1]!]).toEqual([2, 6, 10, 14, 7, 5, 3, 1]);
});
