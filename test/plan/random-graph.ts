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
  .tuple(
    fc.array(fc.record({ kind: fc.nat(15), a: fc.nat(1000), b: fc.nat(1000), k: fc.nat(1000) }), {
      minLength: 1,
      maxLength: 14,
    }),
    fc.nat(1000),
  )
  .map(([steps, seed]) => () => {
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
    return outputs.length > 0 ? { outputs, writes } : null;
  });

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
    default:
      return rank > 0
        ? node("scatterAdd", [x, node("argsort", [x], { axis, descending: false }), twin], { axis })
        : null;
  }
}
