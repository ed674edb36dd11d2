import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allocate, type DType, type TypedArray } from "../../src/base/dtype.ts";
import { type Shape, sizeOf } from "../../src/base/shape.ts";
import { evaluate } from "../../src/ir/evaluate.ts";
import { type Node, node, topological } from "../../src/ir/node.ts";
import { buildPlan } from "../../src/plan/build.ts";
import { interpret } from "./interpret.ts";

let nextSource = 1;
const input = (shape: Shape, dtype: DType = "f32"): Node<"input"> =>
  node("input", [], { source: { id: nextSource++ }, version: 0, shape, dtype });
const sum = (x: Node, axes: number[]) => node("sum", [x], { axes });
const expand = (x: Node, shape: Shape) => node("expand", [x], { shape });
const reshape = (x: Node, shape: Shape) => node("reshape", [x], { shape });
const permute = (x: Node, axes: number[]) => node("permute", [x], { axes });
const constant = (value: number, shape: Shape) => expand(reshape(node("constant", [], { value, dtype: "f32" }), shape.map(() => 1)), shape);
const matmul = (a: Node, b: Node) => node("dot", [a, b], { leftBatch: [], rightBatch: [], leftContract: [1], rightContract: [0] });

function fill(n: Node, seed: number): TypedArray {
  const data = allocate(n.dtype, sizeOf(n.shape));
  let state = seed * 7919 + 17;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    data[i] = n.dtype === "i32" ? state % 3 : state / 0x40000000 - 1;
  }
  return data;
}

interface Request {
  outputs?: Node[];
  writes?: { target: Node<"input">; value: Node }[];
  checks?: Node[];
}

/** Plans, interprets, and compares with the reference evaluator. */
function agree({ outputs = [], writes = [], checks = [] }: Request) {
  const plan = buildPlan({ outputs, writes, checks, resident: (leaf) => writes.some((w) => w.target === leaf) });
  const order = topological([...outputs, ...writes.map((w) => w.value), ...checks]);
  const data = new Map<number, TypedArray>();
  for (const n of [...order, ...writes.map((w) => w.target)])
    if (n.op === "input") {
      const { id } = (n as Node<"input">).attrs.source;
      if (!data.has(id)) data.set(id, fill(n, id));
    }
  const expected = evaluate(order, (leaf) => data.get((leaf as Node<"input">).attrs.source.id)!);
  const run = interpret(plan, plan.graph.leaves.map((l) => data.get(l.attrs.source.id)!), []);
  if (run.failed >= 0) return { plan, run };
  for (const [i, o] of outputs.entries()) close(run.outputs[i]!, expected.get(o)!);
  for (const w of writes) close(run.inputs[plan.graph.leaves.findIndex((l) => l.attrs.source === w.target.attrs.source)]!, expected.get(w.value)!);
  return { plan, run };
}

function close(got: TypedArray, want: TypedArray): void {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; i++) {
    const a = got[i]!;
    const b = want[i]!;
    if (Number.isNaN(b) ? !Number.isNaN(a) : a !== b && !(Math.abs(a - b) <= 1e-5 + 1e-4 * Math.abs(b)))
      expect.fail(`element ${i}: ${a}, not ${b}`);
  }
}

const kinds = (plan: ReturnType<typeof buildPlan>) => plan.calls.map((c) => c.kernel.kind);

describe("fusion", () => {
  it("makes one kernel of softmax over rows", () => {
    const x = input([5, 7]);
    const max = expand(reshape(node("maxReduce", [x], { axes: [1] }), [5, 1]), [5, 7]);
    const e = node("exp", [node("sub", [x, max], {})], {});
    const total = expand(reshape(sum(e, [1]), [5, 1]), [5, 7]);
    const { plan } = agree({ outputs: [node("div", [e, total], {})] });
    expect(kinds(plan)).toEqual(["loop"]);
  });

  it("puts bias and activation into the product's epilogue, and a scaled input into its packing", () => {
    const x = input([40, 30]);
    const w = input([30, 50]);
    const b = input([50]);
    const scaled = node("mul", [x, constant(0.25, [40, 30])], {});
    const h = node("relu", [node("add", [matmul(scaled, w), expand(reshape(b, [1, 50]), [40, 50])], {})], {});
    const { plan } = agree({ outputs: [h] });
    expect(kinds(plan)).toEqual(["contract"]);
  });

  it("updates a weight and its moment in the kernel that makes the gradient", () => {
    const x = input([64, 40]);
    const g = input([64, 30]);
    const w = input([40, 30]);
    const m = input([40, 30]);
    const grad = matmul(permute(x, [1, 0]), g);
    const half = constant(0.5, [40, 30]);
    const moment = node("add", [node("mul", [m, half], {}), node("mul", [grad, half], {})], {});
    const { plan } = agree({ writes: [{ target: w, value: node("sub", [w, moment], {}) }, { target: m, value: moment }] });
    expect(kinds(plan)).toEqual(["contract"]);
    expect(plan.arenaBytes).toBeLessThan(64 * 40 * 4 + 64 * 30 * 4 + 256);
  });
});

describe("writes in place", () => {
  it("runs every reader of the old value first", () => {
    const w = input([30, 40]);
    const x = input([50, 30]);
    const next = node("mul", [w, constant(2, [30, 40])], {});
    agree({ outputs: [matmul(x, w)], writes: [{ target: w, value: next }] });
  });

  it("goes through a copy where the new value needs the old one elsewhere", () => {
    const w = input([6, 6]);
    const flipped = permute(w, [1, 0]);
    const { plan } = agree({ writes: [{ target: w, value: node("add", [w, flipped], {}) }] });
    expect(plan.calls.length).toBe(2);
  });

  it("swaps two inputs", () => {
    const a = input([5]);
    const b = input([5]);
    agree({ writes: [{ target: a, value: b }, { target: b, value: a }] });
  });
});

it("stops at a failed check before anything is written", () => {
  const w = input([4]);
  const status = node("add", [node("constant", [], { value: 1, dtype: "i32" }), node("constant", [], { value: 2, dtype: "i32" })], {});
  const fine = node("constant", [], { value: 0, dtype: "i32" });
  const { plan, run } = agree({ writes: [{ target: w, value: node("neg", [w], {}) }], checks: [fine, status] });
  expect(run.failed).toBe(1);
  expect(run.inputs[plan.graph.leaves.findIndex((l) => l === w)]).toEqual(fill(w, w.attrs.source.id));
});

describe("any graph", () => {
  it("means the same as kernels as it does node by node", () => {
    const step = fc.record({ kind: fc.nat(15), a: fc.nat(1000), b: fc.nat(1000), k: fc.nat(1000) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 14 }), fc.nat(1000), (steps, seed) => {
        const params = [input([3, 4]), input([4, 3]), input([4])];
        const pool: Node[] = [...params, input([2, 3, 4]), input([1, 3])];
        const pick = (i: number) => pool[i % pool.length]!;
        for (const { kind, a, b, k } of steps) {
          const made = build(kind, pick(a), pick(b), k, pool);
          if (made !== null) pool.push(made);
        }
        const results = pool.slice(5);
        const outputs = results.filter((_, i) => (seed + i) % 3 === 0);
        const writes = params.flatMap((target) => {
          const value = results.find((r) => r.shape.join() === target.shape.join() && r.dtype === "f32");
          return value === undefined ? [] : [{ target, value }];
        });
        if (outputs.length > 0) agree({ outputs, writes });
      }),
      { numRuns: 400 },
    );
  });
});

function build(kind: number, x: Node, y: Node, k: number, pool: Node[]): Node | null {
  const rank = x.shape.length;
  const axis = rank === 0 ? 0 : k % rank;
  const twin = pool.find((p) => p !== x && p.shape.join() === x.shape.join()) ?? x;
  switch (kind) {
    case 0: return node("add", [x, twin], {});
    case 1: return node("mul", [x, twin], {});
    case 2: return node("tanh", [x], {});
    case 3: return rank > 0 ? sum(x, [axis]) : null;
    case 4: return rank > 1 ? permute(x, x.shape.map((_, i) => (i + 1) % rank)) : null;
    case 5: return reshape(x, [sizeOf(x.shape)]);
    case 6: return sizeOf(x.shape) === 12 ? reshape(x, k % 2 ? [3, 4] : [2, 6]) : null;
    case 7: {
      if (rank === 0) return null;
      const start = x.shape.map((d, i) => (i === axis && d > 1 ? (k % 2 ? d - 1 : 1) : 0));
      const step = x.shape.map((d, i) => (i === axis && d > 1 && k % 2 ? -1 : 1));
      return node("slice", [x], { start, size: x.shape.map((d, i) => (i === axis && d > 1 ? d - 1 : d)), step });
    }
    case 8: return rank === 0 ? null : node("pad", [x], { low: x.shape.map(() => k % 2), high: x.shape.map((_, i) => (i === axis ? 1 : 0)), value: k % 3 });
    case 9: return rank === 0 ? null : node("concat", [x, twin], { axis });
    case 10: return rank < 3 && sizeOf(x.shape) < 200 ? expand(reshape(x, [1, ...x.shape]), [3, ...x.shape]) : null;
    case 11: return x.shape.length === 2 && y.shape.length === 2 && x.shape[1] === y.shape[0] ? matmul(x, y) : null;
    case 12: return rank > 0 ? expand(reshape(node("maxReduce", [x], { axes: [axis] }), x.shape.map((d, i) => (i === axis ? 1 : d))), x.shape) : null;
    case 13: return rank > 0 ? node("cumsum", [x], { axis }) : null;
    case 14: return rank > 0 ? node("gather", [x, node("argsort", [x], { axis, descending: k % 2 === 0 })], { axis }) : null;
    default: return rank > 0 ? node("scatterAdd", [x, node("argsort", [x], { axis, descending: false }), twin], { axis }) : null;
  }
}
