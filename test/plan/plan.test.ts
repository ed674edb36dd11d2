import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { TypedArray } from "../../src/base/dtype.ts";
import { evaluate } from "../../src/ir/evaluate.ts";
import { type Node, node, topological } from "../../src/ir/node.ts";
import { buildPlan, type PlanRequest } from "../../src/plan/build.ts";
import { accessesOf } from "../../src/plan/kernel.ts";
import { withoutGraph } from "../../src/plan/plan.ts";
import { interpret } from "./interpret.ts";
import {
  constant,
  expand,
  fill,
  input,
  matmul,
  permute,
  put,
  randomPartWrites,
  randomRequest,
  reshape,
  sum,
  take,
} from "./random-graph.ts";

interface Request {
  outputs?: readonly Node[];
  writes?: readonly { target: Node<"input">; value: Node }[];
  checks?: Node[];
}

/** Plans, interprets, and compares with the reference evaluator. */
function agree({ outputs = [], writes = [], checks = [] }: Request) {
  const plan = buildPlan({
    outputs,
    writes,
    checks,
    resident: (leaf) => writes.some((w) => w.target === leaf),
  });
  const order = topological([...outputs, ...writes.map((w) => w.value), ...checks]);
  const data = new Map<number, TypedArray>();
  for (const n of [...order, ...writes.map((w) => w.target)])
    if (n.op === "input") {
      const { id } = (n as Node<"input">).attrs.source;
      if (!data.has(id)) data.set(id, fill(n, id));
    }
  const expected = evaluate(order, (leaf) => data.get((leaf as Node<"input">).attrs.source.id)!);
  const run = interpret(
    plan,
    plan.graph.leaves.map((l) => data.get(l.attrs.source.id)!),
    [],
  );
  if (run.failed >= 0) return { plan, run };
  for (const [i, o] of outputs.entries()) close(run.outputs[i]!, expected.get(o)!);
  for (const w of writes)
    close(
      run.inputs[plan.graph.leaves.findIndex((l) => l.attrs.source === w.target.attrs.source)]!,
      expected.get(w.value)!,
    );
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
  it("adds up columns where a kernel goes over the rows anyway, of what it reads and of what it makes", () => {
    const [x, g] = [input([256, 64]), input([256, 64])];
    const mean = expand(reshape(sum(x, [1]), [256, 1]), [256, 64]);
    const y = node("mul", [node("sub", [x, mean], {}), g], {});
    const { plan } = agree({ outputs: [node("neg", [y], {}), sum(y, [0]), sum(g, [0])] });
    const [rows, ...rest] = plan.calls;
    expect(rows!.kernel).toMatchObject({ kind: "loop", outer: 2, blocks: 1 });
    expect(rows!.extents).toEqual([16, 16, 64]);
    // What is left is to add up the blocks.
    expect(rest.map(({ extents }) => extents)).toEqual([
      [64, 16],
      [64, 16],
    ]);
  });

  it("adds up columns of what it then overwrites", () => {
    const [w, x] = [input([256, 64]), input([256, 64])];
    const { plan } = agree({
      outputs: [sum(w, [0]), sum(x, [1])],
      writes: [{ target: w, value: node("neg", [w], {}) }],
    });
    expect(plan.calls.map(({ extents }) => extents).sort()).toEqual([
      [16, 16, 64],
      [256, 64],
      [64, 16],
    ]);
  });

  it("adds up columns by themselves where their elements are of no kernel that goes over rows, or come later", () => {
    const [x, w] = [input([256, 64]), input([64, 64])];
    const total = expand(reshape(sum(x, [0]), [1, 64]), [256, 64]);
    // The rows' kernel reads x, but needs the sums of its columns first.
    const y = node("sub", [x, total], {});
    const { plan } = agree({ outputs: [y, sum(y, [1]), sum(matmul(x, w), [0])] });
    for (const { kernel } of plan.calls) expect("blocks" in kernel).toBe(false);
  });

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
    const { plan } = agree({
      writes: [
        { target: w, value: node("sub", [w, moment], {}) },
        { target: m, value: moment },
      ],
    });
    expect(kinds(plan)).toEqual(["contract"]);
    expect(plan.arenaBytes).toBeLessThan(64 * 40 * 4 + 64 * 30 * 4 + 256);
  });

  it("looks at each value of a product's epilogue once, however many ways lead to it", () => {
    let x: Node = matmul(input([40, 30]), input([30, 50]));
    for (let i = 0; i < 40; i++) x = node("mul", [x, x], {});
    const { kernel } = buildPlan({ outputs: [x], writes: [], checks: [], resident: () => false }).calls[0]!;
    if (kernel.kind !== "contract") throw new Error(kernel.kind);
    expect(accessesOf(kernel.epilogue, [kernel.stores[0]!.value])).toEqual([]);
  });

  it("joins nothing that a kernel in between is made of", () => {
    const doubled = node("mul", [input([8]), constant(2, [8])], {});
    const between = node("cumsum", [node("neg", [doubled], {})], { axis: 0 });
    const other = node("exp", [input([8])], {});
    const condition = node("lt", [constant(0, [8]), doubled], {});
    agree({ outputs: [node("where", [condition, between, other], {})] });
    agree({ outputs: [node("fma", [doubled, between, other], {})] });
  });

  it("keeps f64 out of a product's kernel, whichever way it would come in", () => {
    const product = matmul(input([40, 30]), input([30, 50]));
    const precise = node("exp", [input([40, 50], "f64")], {});
    const { plan } = agree({
      outputs: [node("add", [product, node("cast", [precise], { dtype: "f32" })], {})],
    });
    for (const { kernel } of plan.calls)
      if (kernel.kind === "contract") expect(kernel.key).not.toContain("f64");
    expect(kinds(plan)).toContain("contract");
  });
});

it("grows with the graph: a block of a chain costs as many walks over edges however many blocks there are", () => {
  const walks = (blocks: number): number => {
    let x: Node = input([4, 4]);
    for (let i = 0; i < blocks; i++)
      x = node("add", [x, node("cumsum", [node("tanh", [x], {})], { axis: 0 })], {});
    // The edges of a kernel are sets, and each search for what lies between two kernels iterates those on its way.
    const spy = vi.spyOn(Set.prototype, Symbol.iterator);
    buildPlan({ outputs: [x], writes: [], checks: [], resident: () => false });
    const count = spy.mock.calls.length;
    spy.mockRestore();
    return count;
  };
  const few = walks(150);
  expect(few).toBeGreaterThan(150);
  expect(walks(1500)).toBeLessThan(11 * few);
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
    agree({
      writes: [
        { target: a, value: b },
        { target: b, value: a },
      ],
    });
  });
});

describe("writes of some rows", () => {
  const rows = [100_000, 64];
  /** The named rows of a table, halved. */
  const halved = (table: Node, indices: Node) =>
    node("mul", [take(table, indices, 0), constant(0.5, [10, 64])], {});
  const planOf = (request: Partial<PlanRequest>) =>
    buildPlan({ outputs: [], writes: [], checks: [], resident: () => true, ...request });

  it("touch nothing else: no scratch and no traffic of the table's size", () => {
    const table = input(rows);
    const first = input([10], "i32");
    const second = input([10], "i32");
    const once = put(table, first, 0, halved(table, first));
    const plan = planOf({ writes: [{ target: table, value: put(once, second, 0, halved(table, second)) }] });
    expect(kinds(plan)).toEqual(["loop", "loop", "scatter", "scatter"]);
    expect(plan.arenaBytes).toBe(2 * 10 * 64 * 4);
    expect(plan.explain().bytes).toBeLessThan(2 * 10 * 64 * 4 * 6);
  });

  it("of single elements too, and of columns", () => {
    const table = input(rows);
    const few = input([10], "i32");
    const flat = reshape(table, [6_400_000]);
    const elements = node("neg", [take(flat, few, 0)], {});
    const plan = planOf({ writes: [{ target: table, value: reshape(put(flat, few, 0, elements), rows) }] });
    expect(kinds(plan)).toEqual(["loop", "scatter"]);
    expect(plan.arenaBytes).toBe(64);

    const wide = input([64, 1000]);
    const columns = node("neg", [take(wide, few, 1)], {});
    const across = planOf({ writes: [{ target: wide, value: put(wide, few, 1, columns) }] });
    expect(kinds(across)).toEqual(["loop", "scatter"]);
    expect(across.arenaBytes).toBe(64 * 10 * 4);
  });

  it("follow every reader of the old rows, and the checks", () => {
    const table = input([6, 4]);
    const indices = input([2], "i32");
    const below = node("cast", [node("lt", [table, constant(-9, [6, 4])], {})], { dtype: "i32" });
    const status = sum(below, [0, 1]);
    const value = put(table, indices, 0, constant(7, [2, 4]));
    const total = sum(table, [0, 1]);
    const { plan } = agree({ outputs: [total], writes: [{ target: table, value }], checks: [status] });
    expect(kinds(plan).at(-1)).toBe("scatter");
    expect(kinds(plan).filter((kind) => kind === "scatter")).toHaveLength(1);
  });

  it("leave everything as it was where a check fails", () => {
    const table = input([6, 4]);
    const indices = input([2], "i32");
    const status = node("constant", [], { value: 1, dtype: "i32" });
    const value = put(table, indices, 0, constant(7, [2, 4]));
    const { plan, run } = agree({ writes: [{ target: table, value }], checks: [status] });
    expect(run.failed).toBe(0);
    expect(run.inputs[plan.graph.leaves.indexOf(table)]).toEqual(fill(table, table.attrs.source.id));
  });

  it("go through a copy where what is put there lies in the table itself", () => {
    const table = input([6, 4]);
    const indices = input([2], "i32");
    const leading = node("slice", [table], { start: [0, 0], size: [2, 4], step: [1, 1] });
    const { plan } = agree({ writes: [{ target: table, value: put(table, indices, 0, leading) }] });
    expect(kinds(plan)).toEqual(["loop", "scatter", "loop"]);
  });

  it("are added in place too, to what is there and to what is filled in", () => {
    const table = input([6, 4]);
    const indices = input([2, 4], "i32");
    const add = (data: Node, updates: Node) => node("scatterAdd", [data, indices, updates], { axis: 0 });
    const added = agree({ writes: [{ target: table, value: add(table, input([2, 4])) }] }).plan;
    expect(kinds(added)).toEqual(["scatterAdd"]);
    const zeros = constant(0, [6, 4]);
    const filled = agree({ writes: [{ target: table, value: add(zeros, input([2, 4])) }] }).plan;
    expect(kinds(filled)).toEqual(["loop", "scatterAdd"]);
    expect(filled.arenaBytes).toBe(2 * 64);
    // What is asked for besides is in memory of its own, and so is what lies in the table.
    const asked = add(zeros, input([2, 4]));
    agree({ outputs: [asked], writes: [{ target: table, value: asked }] });
    const own = node("slice", [table], { start: [1, 0], size: [2, 4], step: [1, 1] });
    for (const data of [zeros, table])
      expect(kinds(agree({ writes: [{ target: table, value: add(data, own) }] }).plan).at(-1)).toBe("loop");
  });

  it("are of a whole that is put together where it goes, unless of parts of what was there", () => {
    const table = input([6, 4]);
    const half = (start: number) => node("slice", [table], { start: [start, 0], size: [3, 4], step: [1, 1] });
    const joined = (a: Node, b: Node) => node("concat", [a, b], { axis: 0 });
    const fresh = agree({ writes: [{ target: table, value: joined(input([3, 4]), input([3, 4])) }] });
    expect(fresh.plan.calls).toHaveLength(2);
    expect(agree({ writes: [{ target: table, value: joined(half(3), half(0)) }] }).plan.calls).toHaveLength(
      3,
    );
    const padded = node("pad", [input([3, 4])], { low: [1, 0], high: [2, 0], value: 5 });
    expect(agree({ writes: [{ target: table, value: padded }] }).plan.calls).toHaveLength(2);
  });

  it("mean the same among any readers and other writes", () => {
    fc.assert(
      fc.property(randomPartWrites, (make) => {
        agree(make());
      }),
      { numRuns: 400 },
    );
  });
});

it("stops at a failed check before anything is written", () => {
  const w = input([4]);
  const status = node(
    "add",
    [node("constant", [], { value: 1, dtype: "i32" }), node("constant", [], { value: 2, dtype: "i32" })],
    {},
  );
  const fine = node("constant", [], { value: 0, dtype: "i32" });
  const { plan, run } = agree({
    writes: [{ target: w, value: node("neg", [w], {}) }],
    checks: [fine, status],
  });
  expect(run.failed).toBe(1);
  expect(run.inputs[plan.graph.leaves.indexOf(w)]).toEqual(fill(w, w.attrs.source.id));
});

describe("any graph", () => {
  it("is planned alike whether or not somebody has put its nodes in order already", () => {
    fc.assert(
      fc.property(randomRequest, (make) => {
        const request = make();
        if (request === null) return;
        const { outputs, writes = [] } = request;
        const asked = { outputs, writes, checks: [], resident: () => false };
        const roots = [...outputs, ...writes.map((w) => w.value), ...writes.map((w) => w.target)];
        const plan = (order?: readonly Node[]) => ({
          ...withoutGraph(buildPlan({ ...asked, order })),
          id: 0,
          explain: null,
        });
        expect(plan(topological(roots))).toEqual(plan());
      }),
      { numRuns: 100 },
    );
  });

  it("means the same as kernels as it does node by node", () => {
    fc.assert(
      fc.property(randomRequest, (make) => {
        const request = make();
        if (request !== null) agree(request);
      }),
      { numRuns: 400 },
    );
  });
});
