import { attentionOperands } from "../ir/infer-attention.ts";
import type { Node } from "../ir/node.ts";
import { constantDim, type Dim, isOne } from "./dim.ts";
import type { Emitter, Value } from "./emitter.ts";
import { quantizedProduct } from "./quantize.ts";
import type { Stored } from "./stored.ts";

const product = (dims: readonly Dim[], like: Dim): Dim =>
  dims.reduce((a, b) => a.map((x, i) => x * b[i]!), constantDim(1, like));

/** A product of matrices, in batches, as MatMul has it: rows and columns are the last two dimensions of all operands. */
export function dot(e: Emitter, n: Node<"dot">): void {
  const [left, right] = n.src as [Node, Node];
  const { leftBatch, rightBatch, leftContract, rightContract } = n.attrs;
  const free = (x: Node, ...used: (readonly number[])[]): number[] =>
    x.shape.map((_, i) => i).filter((i) => !used.some((list) => list.includes(i)));
  const [rows, columns] = [free(left, leftBatch, leftContract), free(right, rightBatch, rightContract)];
  const weight = e.stored(right);
  if (weight !== null && rightBatch.length === 0 && leftContract.length === 1 && columns.length === 1) {
    const x = e.transpose(e.whole(left), [...rows, ...leftContract]);
    e.set(n, {
      name: withWeight(
        e,
        x.name,
        rightContract[0] === 1 ? { ...weight, isTransposed: !weight.isTransposed } : weight,
      ),
      dims: e.dims(n),
    });
    return;
  }
  const sizes = (x: Node, axes: readonly number[]): Dim[] => axes.map((a) => e.dims(x)[a]!);
  const like = e.dims(left)[leftContract[0]!]!;
  const [m, k, c] = [sizes(left, rows), sizes(left, leftContract), sizes(right, columns)].map((dims) =>
    product(dims, like),
  ) as [Dim, Dim, Dim];
  const batch = sizes(left, leftBatch);
  const operand = (x: Node, order: readonly number[], dims: readonly Dim[]): string =>
    e.reshape(e.transpose(e.whole(x), order), dims).name;
  const a = operand(left, [...leftBatch, ...rows, ...leftContract], [...batch, m, k]);
  const b = operand(right, [...rightBatch, ...rightContract, ...columns], [...batch, k, c]);
  e.set(n, e.reshape({ name: e.graph.node("MatMul", [a, b]), dims: [...batch, m, c] }, e.dims(n)));
}

/** x times a weight that the file has. */
function withWeight(e: Emitter, x: string, weight: Stored): string {
  if (e.quantized && weight.type === "f32") return quantizedProduct(e, x, weight);
  return e.graph.node("MatMul", [x, e.initializer(weight)]);
}

/** What keeps a pair of a query and a key out of a softmax: the exponential of the difference to any score is 0. */
const never = -3.4e38;

/**
 * softmax(query · keyᵀ · scale + mask) · value. Its result is what is first in the node's vector; the logarithms of sums
 * behind it are for gradients. A query that attends to nothing gives numbers here, and zeros in thaw.
 */
export function attention(e: Emitter, n: Node<"attention">): void {
  const { scale, causal, byHead } = n.attrs;
  const { query, key, value, mask } = attentionOperands(n.src, n.attrs);
  const [batch, heads, group, length, size] = e.dims(query) as [Dim, Dim, Dim, Dim, Dim];
  const keys = e.dims(key)[2]!;
  const width = e.dims(value)[3]!;
  // Heads of keys are repeated for the queries that share one; mostly each has its own.
  const isPlain = isOne(group);
  const four = (x: Value, ...dims: Dim[]): string => e.reshape(x, dims).name;
  const q = isPlain ? four(e.whole(query), batch, heads, length, size) : e.whole(query).name;
  const kept = e.whole(key);
  const k = isPlain
    ? e.transpose(kept, [0, 1, 3, 2]).name
    : e.reshape(e.transpose(kept, [0, 1, 3, 2]), [batch, heads, constantDim(1, group), size, keys]).name;
  const v = isPlain
    ? e.whole(value).name
    : e.reshape(e.whole(value), [batch, heads, constantDim(1, group), keys, width]).name;
  let scores = e.graph.node("MatMul", [e.graph.node("Mul", [q, e.number(scale, "f32")]), k]);
  if (mask !== null) {
    const own = e.ranked(mask);
    const told = isPlain ? e.reshape(own, own.dims.toSpliced(2, 1)).name : own.name;
    scores =
      mask.dtype === "bool"
        ? e.graph.node("Where", [told, scores, e.number(never, "f32")])
        : e.graph.node("Add", [scores, told]);
  }
  if (causal) {
    const last = e.reshape({ name: e.numbers(length), dims: [length] }, [
      length,
      constantDim(1, length),
    ]).name;
    const isBefore = e.graph.node("LessOrEqual", [e.numbers(keys), last]);
    scores = e.graph.node("Where", [isBefore, scores, e.number(never, "f32")]);
  }
  const weights = e.graph.node("Softmax", [scores], { axis: -1 });
  const result: Value = {
    name: e.graph.node("MatMul", [weights, v]),
    dims: [batch, heads, ...(isPlain ? [] : [group]), length, width],
  };
  const inOrder = byHead ? result : e.transpose(result, isPlain ? [0, 2, 1, 3] : [0, 3, 1, 2, 4]);
  e.set(n, inOrder);
}
