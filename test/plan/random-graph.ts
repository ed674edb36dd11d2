import fc from "fast-check";
import { allocate, type DType, type TypedArray } from "../../src/base/dtype.ts";
import { type Shape, sizeOf } from "../../src/base/shape.ts";
import { type Node, node } from "../../src/ir/node.ts";
import type { PlanRequest } from "../../src/plan/build.ts";

let nextSource = 1;

/** A leaf of a source of its own. */
export const input = (shape: Shape, dtype: DType = "f32"): Node<"input"> =>
  node("input", [], { source: { id: nextSource++ }, version: 0, shape, dtype });
export const sum = (x: Node, axes: number[]) => node("sum", [x], { axes });
export const expand = (x: Node, shape: Shape) => node("expand", [x], { shape });
export const reshape = (x: Node, shape: Shape) => node("reshape", [x], { shape });
export const permute = (x: Node, axes: number[]) => node("permute", [x], { axes });
export const constant = (value: number, shape: Shape) =>
  expand(
    reshape(
      node("constant", [], { value, dtype: "f32" }),
      shape.map(() => 1),
    ),
    shape,
  );
export const matmul = (a: Node, b: Node) =>
  node("dot", [a, b], { leftBatch: [], rightBatch: [], leftContract: [1], rightContract: [0] });

/** Values for a leaf, the same for the same seed. */
export function fill(n: Node, seed: number): TypedArray {
  const data = allocate(n.dtype, sizeOf(n.shape));
  let state = seed * 7919 + 17;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    data[i] = n.dtype === "i32" ? state % 3 : state / 0x40000000 - 1;
  }
  return data;
}

/** What a random graph asks for. */
export type GraphRequest = Pick<PlanRequest, "outputs" | "writes">;

/** Random graphs over a few inputs, some of them overwritten; null where nothing came of it. */
export const randomRequest: fc.Arbitrary<() => GraphRequest | null> = fc
  .tuple(randomSteps(14), fc.nat(1000))
  .map(
    ([steps, seed]) =>
      () =>
        requestOf(steps, seed, [3, 4]),
  );

/** The steps of a random graph, for any sizes of its inputs. */
export type RandomSteps = readonly {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly k: number;
}[];

/** Up to so many steps. */
export function randomSteps(maxLength: number): fc.Arbitrary<RandomSteps> {
  const step = fc.record({ kind: fc.nat(16), a: fc.nat(1000), b: fc.nat(1000), k: fc.nat(1000) });
  return fc.array(step, { minLength: 1, maxLength });
}

/** The graph of some steps over inputs of so many rows and columns; null where nothing came of it. */
export function requestOf(
  steps: RandomSteps,
  seed: number,
  [rows, columns]: readonly [number, number],
): GraphRequest | null {
  const params = [input([rows, columns]), input([columns, rows]), input([columns])];
  const pool: Node[] = [...params, input([2, rows, columns]), input([1, rows])];
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
  return outputs.length > 0 ? { outputs, writes } : null;
}

function build(kind: number, x: Node, y: Node, k: number, pool: Node[]): Node | null {
  const rank = x.shape.length;
  const axis = rank === 0 ? 0 : k % rank;
  const twin = pool.find((p) => p !== x && p.shape.join() === x.shape.join()) ?? x;
  switch (kind) {
    case 0:
      return node("add", [x, twin], {});
    case 1:
      return node("mul", [x, twin], {});
    case 2:
      return node("tanh", [x], {});
    case 3:
      return rank > 0 ? sum(x, [axis]) : null;
    case 4:
      return rank > 1
        ? permute(
            x,
            x.shape.map((_, i) => (i + 1) % rank),
          )
        : null;
    case 5:
      return reshape(x, [sizeOf(x.shape)]);
    case 6:
      return sizeOf(x.shape) === 12 ? reshape(x, k % 2 ? [3, 4] : [2, 6]) : null;
    case 7: {
      if (rank === 0) return null;
      const start = x.shape.map((d, i) => (i === axis && d > 1 ? (k % 2 ? d - 1 : 1) : 0));
      const step = x.shape.map((d, i) => (i === axis && d > 1 && k % 2 ? -1 : 1));
      return node("slice", [x], {
        start,
        size: x.shape.map((d, i) => (i === axis && d > 1 ? d - 1 : d)),
        step,
      });
    }
    case 8:
      return rank === 0
        ? null
        : node("pad", [x], {
            low: x.shape.map(() => k % 2),
            high: x.shape.map((_, i) => (i === axis ? 1 : 0)),
            value: k % 3,
          });
    case 9:
      return rank === 0 ? null : node("concat", [x, twin], { axis });
    case 10:
      return rank < 3 && sizeOf(x.shape) < 200 ? expand(reshape(x, [1, ...x.shape]), [3, ...x.shape]) : null;
    case 11:
      return x.shape.length === 2 && y.shape.length === 2 && x.shape[1] === y.shape[0] ? matmul(x, y) : null;
    case 12:
      return rank > 0
        ? expand(
            reshape(
              node("maxReduce", [x], { axes: [axis] }),
              x.shape.map((d, i) => (i === axis ? 1 : d)),
            ),
            x.shape,
          )
        : null;
    case 13:
      return rank > 0 ? node("cumsum", [x], { axis }) : null;
    case 14:
      return rank > 0
        ? node("gather", [x, node("argsort", [x], { axis, descending: k % 2 === 0 })], { axis })
        : null;
    case 15:
      return rank > 0
        ? node("scatterAdd", [x, node("argsort", [x], { axis, descending: false }), twin], { axis })
        : null;
    default: {
      if (rank === 0) return null;
      const some = (n: Node) =>
        node("slice", [n], {
          start: n.shape.map(() => 0),
          size: n.shape.map((d, i) => (i === axis ? Math.ceil(d / 2) : d)),
          step: n.shape.map(() => 1),
        });
      const order = node("argsort", [x], { axis, descending: false });
      return node("scatter", [x, some(order), some(twin)], { axis });
    }
  }
}

/** Elements of `x` at a vector of indices along an axis. */
export const take = (x: Node, indices: Node, axis: number): Node =>
  node("gather", [x, lines(x, indices, axis)], { axis });

/** `x` with elements at a vector of indices along an axis replaced. */
export const put = (x: Node, indices: Node, axis: number, part: Node): Node =>
  node("scatter", [x, lines(x, indices, axis), part], { axis });

function lines(x: Node, indices: Node, axis: number): Node {
  const [count] = indices.shape;
  const column = reshape(
    indices,
    x.shape.map((_, i) => (i === axis ? count! : 1)),
  );
  return expand(
    column,
    x.shape.map((d, i) => (i === axis ? count! : d)),
  );
}

/** Writes of some elements of an input, once or several times over, among readers of the values before and after. */
export const randomPartWrites: fc.Arbitrary<() => GraphRequest> = fc
  .tuple(
    fc.array(
      fc.record({ axis: fc.nat(2), count: fc.integer({ min: 1, max: 3 }), from: fc.nat(6), read: fc.nat(7) }),
      { minLength: 1, maxLength: 3 },
    ),
    fc.nat(7),
    fc.boolean(),
  )
  .map(([stages, first, both]) => () => {
    const table = input([4, 6]);
    const other = input([4, 6]);
    const outputs: Node[] = [];
    let value: Node = table;
    const read = (n: Node, how: number): void => {
      if (how === 0) outputs.push(n);
      if (how === 1) outputs.push(sum(node("tanh", [n], {}), [0]));
      if (how === 2) outputs.push(node("mul", [n, other], {}));
      if (how === 3) outputs.push(node("mul", [n, table], {}));
    };
    read(table, first);
    for (const { axis, count, from, read: how } of stages) {
      const flat = (n: Node): Node => (axis === 2 ? reshape(n, [24]) : n);
      const along = axis === 2 ? 0 : axis;
      const indices = input([count], "i32");
      const part = (n: Node): Node => take(flat(n), indices, along);
      const leading = (n: Node): Node =>
        node("slice", [flat(n)], {
          start: flat(n).shape.map(() => 0),
          size: flat(n).shape.map((d, i) => (i === along ? count : d)),
          step: flat(n).shape.map(() => 1),
        });
      const updates = [
        () => node("neg", [part(table)], {}),
        () => node("mul", [part(value), part(other)], {}),
        () => node("sub", [part(value), leading(table)], {}),
        () => leading(other),
        () => leading(table),
        () => leading(value),
        () => node("add", [part(table), part(table)], {}),
      ][from]!();
      value = reshape(put(flat(value), indices, along, updates), [4, 6]);
      read(value, how);
    }
    const writes = [{ target: table, value }];
    // Another input that is overwritten, by what still needs the old table.
    if (both) writes.push({ target: other, value: node("add", [other, table], {}) });
    return { outputs, writes };
  });
