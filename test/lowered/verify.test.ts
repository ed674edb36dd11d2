import { expect, test } from "vitest";
import { lowerAxis } from "../../src/codegen/axis.ts";
import { constant, count, KernelBuilder, ops, param, ref, typeOf } from "../../src/lowered/build.ts";
import type { Expr } from "../../src/lowered/ir.ts";
import { verify } from "../../src/lowered/verify.ts";
import { axisCases } from "../codegen/axis-cases.ts";

const { add, and, convert, div, eq, inside, le, lt, min, rem, sub, within } = ops;

const n = param({ kind: "extent", dim: 0 });
const stride = param({ kind: "stride", access: 0, dim: 0 });

/** Verifies a kernel over one line of f32 that is read and written, and one of i32 that is read. */
function check(write: (b: KernelBuilder, at: (index: Expr) => { access: number; at: Expr[] }) => void): void {
  const b = new KernelBuilder();
  const of = (argument: number) => ({
    memory: { argument, alias: argument },
    extents: [n],
    strides: [param({ kind: "stride", access: argument, dim: 0 })],
  });
  b.access({ cell: "f32", ...of(0), written: true });
  b.access({ cell: "i32", ...of(1), written: false });
  write(b, (index) => ({ access: 0, at: [index] }));
  verify(b.kernel("test"));
}

const half = constant(typeOf("f32"), 0.5);

test("every kernel along an axis stays inside its buffers", () => {
  const kernels = new Map(axisCases.map((c) => [JSON.stringify(c.call.kernel), c.call.kernel]));
  for (const kernel of kernels.values()) verify(lowerAxis(kernel, 16));
});

test("what follows from a loop's ends", () => {
  check((b, at) => b.for(n, (i) => b.store(at(i), half)));
  check((b, at) => b.for(sub(n, count(3)), (i) => b.store(at(add(i, count(3))), half)));
  check((b, at) => b.for(n, (i) => b.store(at(sub(sub(n, i), count(1))), half)));
  const bad = [
    [add(n, count(1)), (i: Expr) => i],
    [n, (i: Expr) => add(i, count(1))],
    [n, (i: Expr) => sub(i, count(1))],
    [n, (i: Expr) => sub(n, i)],
  ] as const;
  for (const [to, index] of bad)
    expect(() => check((b, at) => b.for(to, (i) => b.store(at(index(i)), half)))).toThrow(/cannot show/);
});

test("what follows from a guard, and what no longer does when a variable has changed", () => {
  const index = (b: KernelBuilder, i: Expr) => b.let("j", convert(b.load({ access: 1, at: [i] }), "index"));
  check((b, at) =>
    b.for(n, (i) => {
      const j = index(b, i);
      b.if(inside(j, n), () => b.store(at(j), half));
    }),
  );
  check((b, at) =>
    b.for(n, (i) => {
      const j = index(b, i);
      b.if(and(le(count(0), j), lt(j, n)), () => b.store(at(j), half));
    }),
  );
  expect(() => check((b, at) => b.for(n, (i) => b.store(at(index(b, i)), half)))).toThrow(
    "kernel test: cannot show that coordinate 0 of access 0, j, is not negative",
  );
  expect(() =>
    check((b, at) => {
      const j = b.var("j", n);
      b.if(and(le(count(0), ref(j)), lt(ref(j), n)), () => {
        b.set(j, add(ref(j), count(1)));
        b.store(at(ref(j)), half);
      });
    }),
  ).toThrow("coordinate 0 of access 0, j, is not negative");
});

test("what a variable's bounds say must hold at each assignment, and then does at each use", () => {
  const bounds = { least: count(0), below: add(n, count(1)) };
  check((b, at) => {
    const last = b.var("last", n, bounds);
    b.while(lt(count(0), ref(last)), () => {
      b.set(last, sub(ref(last), count(1)));
      b.if(lt(ref(last), n), () => b.store(at(ref(last)), half));
    });
  });
  expect(() =>
    check((b) => {
      const last = b.var("last", n, bounds);
      b.while(lt(count(0), ref(last)), () => b.set(last, sub(ref(last), count(2))));
    }),
  ).toThrow("last = (last - 2) is at least 0");
});

test("ends that memory holds are limited by an extent", () => {
  check((b, at) => {
    b.if(lt(count(0), n), () => {
      const length = convert(b.load({ access: 1, at: [count(0)] }), "index");
      b.for(min(length, n), (i) => b.store(at(i), half));
    });
  });
  expect(() =>
    check((b, at) => {
      b.if(lt(count(0), n), () =>
        b.for(convert(b.load({ access: 1, at: [count(0)] }), "index"), (i) => b.store(at(i), half)),
      );
    }),
  ).toThrow(/cannot show/);
});

test("vectors are whole, or as long as what is left, and packed where the stride is known to be 1", () => {
  const vector = (i: Expr, live?: Expr, packed = true) => ({
    access: 0,
    at: [i],
    along: { dim: 0, packed, ...(live && { live }) },
  });
  const halves = constant(typeOf("f32", 8), 0.5);
  const write = (b: KernelBuilder) =>
    b.steps(
      n,
      [32, 8],
      (i, by) => {
        for (let copy = 0; copy < by; copy += 8) b.store(vector(add(i, count(copy))), halves);
      },
      (i, live) => b.store(vector(i, live), halves),
    );
  check((b) => b.if(eq(stride, count(1)), () => write(b)));
  expect(() => check(write)).toThrow(
    "cannot show that elements of access 0 follow each other along dimension 0",
  );
  expect(() => check((b) => b.steps(n, [8, 1], (i) => b.store(vector(i, undefined, false), halves)))).toThrow(
    "with the 8 from there on, is below its extent n0",
  );
  expect(() => check((b) => b.steps(n, [8], (i) => b.store(vector(i, undefined, false), halves)))).toThrow(
    "leaves out what its steps of 8 do not reach",
  );
});

test("what is only read is not written, names are known where they are used, threads wait together", () => {
  expect(() =>
    check((b) => b.for(n, (i) => b.store({ access: 1, at: [i] }, constant(typeOf("i32"), 1)))),
  ).toThrow("a store through access 1, which is only read");
  expect(() =>
    check((b, at) => {
      let inner = count(0);
      b.for(n, (i) => {
        inner = i;
      });
      b.store(at(inner), half);
    }),
  ).toThrow("i is read where it is not known");
  expect(() => check((b) => b.for(n, () => b.barrier(), { parallel: "threads" }))).toThrow(
    "a barrier where threads are apart",
  );
  expect(() => check((b) => b.for(n, () => b.for(n, () => {}, { parallel: "tasks" })))).toThrow(
    "the loop over tasks is outermost",
  );
  expect(() => check((b) => b.break())).toThrow("a break outside of a while");
});

test("quotients, remainders and what is said to be known", () => {
  check((b, at) =>
    b.for(n, (i) => {
      b.store(at(div(i, count(3))), half);
      b.store(at(rem(i, n)), half);
      b.store(at(within(sub(i, count(7)), n, "the caller knows")), half);
    }),
  );
});
