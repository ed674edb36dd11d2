import { allocate, type DType, readElement, type TypedArray, writeElement } from "../../src/base/dtype.ts";
import { type Shape, sizeOf } from "../../src/base/shape.ts";
import { evaluate } from "../../src/ir/evaluate.ts";
import { isOp, type Node, node, topological } from "../../src/ir/node.ts";
import type { Source } from "../../src/ir/op.ts";

const stored = new Map<Source, TypedArray>();
let nextSource = 1;

/** An input node with a value. */
export function input(
  values: readonly number[],
  shape: Shape = [values.length],
  dtype: DType = "f64",
): Node<"input"> {
  if (values.length !== sizeOf(shape)) throw new Error(`${values.length} values for shape [${shape}]`);
  const data = allocate(dtype, values.length);
  for (let i = 0; i < values.length; i++) writeElement(dtype, data, i, values[i]!);
  const source = { id: nextSource++ };
  stored.set(source, data);
  return node("input", [], { source, version: 0, shape, dtype });
}

/** A variable on an input: what gradients are taken for. */
export function variable(
  values: readonly number[],
  shape?: Shape,
  dtype?: DType,
  owner: object = {},
): Node<"variable"> {
  return node("variable", [input(values, shape, dtype)], { owner }, true);
}

/** The stored array of an input node, which a test may change. */
export const dataOf = (n: Node): TypedArray => {
  const leaf = isOp(n, "variable") ? n.src[0]! : n;
  if (!isOp(leaf, "input")) throw new Error(`${n.op} has no data`);
  return stored.get(leaf.attrs.source)!;
};

/** The elements of nodes, by the reference evaluator. */
export function allElementsOf(roots: readonly Node[]): number[][] {
  const values = evaluate(topological(roots), (n) =>
    isOp(n, "hostScalar") ? Float64Array.of(n.attrs.compute()) : dataOf(n),
  );
  return roots.map((root) => {
    const data = values.get(root)!;
    return Array.from({ length: data.length }, (_, i) => readElement(root.dtype, data, i));
  });
}

/** The elements of one node. */
export const elementsOf = (root: Node): number[] => allElementsOf([root])[0]!;

/** A tensor with one value everywhere. */
export function filled(value: number, shape: Shape, dtype: DType = "f64"): Node {
  const scalar = node("constant", [], { value, dtype });
  if (shape.length === 0) return scalar;
  return node("expand", [node("reshape", [scalar], { shape: shape.map(() => 1) })], { shape });
}
