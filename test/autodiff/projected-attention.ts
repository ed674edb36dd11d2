import { backward } from "../../src/autodiff/backward.ts";
import { sizeOf } from "../../src/base/shape.ts";
import { filledLike, permute, reshape } from "../../src/ir/build.ts";
import { type Node, node, withGrad } from "../../src/ir/node.ts";
import { attention } from "../../src/tensor/operations/attention.ts";
import { input, variable } from "../ir/values.ts";
import { matmul, sum } from "../plan/random-graph.ts";

/** Sizes of attention with projections of its own, and what else it is told. */
export interface Projected {
  readonly batches: number;
  readonly length: number;
  /** Heads of keys, and how many heads of queries share one. */
  readonly heads: number;
  readonly group: number;
  /** The size of a head. */
  readonly size: number;
  readonly causal?: boolean;
  readonly mask?: "bools" | "numbers" | null;
  readonly dropout?: number;
  /** Whether gradients lie in memory by heads first, not by positions. */
  readonly byHead?: boolean;
}

const width = 6;
const numbers = (count: number, from: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.fround(Math.sin(i * 2.3 + from) / 2));

/**
 * The square of the output projection of attention of projections of one input, and its gradients by the weights of
 * query, key and value: heads · size rows each.
 */
export function projectedAttention(p: Projected): { loss: Node; gradients: readonly Node[] } {
  const { batches, length, heads, group, size, causal = false, mask = null, dropout = 0, byHead = false } = p;
  const all = heads * group;
  const x = input(numbers(batches * length * width, 0.2), [batches * length, width], "f32");
  const weights = [all, heads, heads].map((of, i) =>
    variable(numbers(of * size * width, i), [of * size, width], "f32"),
  );
  const [query, key, value] = weights.map((weight, i) => {
    const rows = matmul(x, permute(weight, [1, 0]));
    const inHeads = permute(reshape(rows, [batches, length, i === 0 ? all : heads, size]), [0, 2, 1, 3]);
    return byHead ? node("neg", [inHeads], {}) : inHeads;
  }) as [Node, Node, Node];
  const attended = attention(query, key, value, {
    mask: maskOf(mask, [batches, 1, length, length]),
    isCausal: causal,
    scale: 0.7,
    dropped: dropout > 0 ? { p: dropout, key: input([7, 11], [2], "i32") } : null,
    batch: [batches, all],
    group,
  });
  const joined = reshape(permute(attended, [0, 2, 1, 3]), [batches * length, all * size]);
  const output = matmul(joined, input(numbers(all * size * width, 5), [all * size, width], "f32"));
  const loss = sum(node("mul", [output, output], {}), [0, 1]);
  const byOwner = withGrad(false, () => backward(loss, filledLike(1, loss)));
  return { loss, gradients: weights.map(({ attrs }) => byOwner.get(attrs.owner)!) };
}

/** A mask that leaves some queries without a key. */
function maskOf(of: "bools" | "numbers" | null, shape: readonly number[]): Node | null {
  const places = Array.from({ length: sizeOf(shape) }, (_, i) => i);
  if (of === "bools")
    return input(
      places.map((i) => Number(i % 5 !== 1 && i >= shape.at(-1)!)),
      shape,
      "bool",
    );
  if (of === "numbers")
    return input(
      places.map((i) => (i % 5 === 1 ? Number.NEGATIVE_INFINITY : i % 3)),
      shape,
      "f32",
    );
  return null;
}
