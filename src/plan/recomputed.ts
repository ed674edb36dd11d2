import { isFloat } from "../base/dtype.ts";
import { exactText } from "../base/exact-text.ts";
import { sizeOf } from "../base/shape.ts";
import { attributeNames } from "../ir/attributes.ts";
import { isOp, type Node } from "../ir/node.ts";
import { ops } from "../ir/op.ts";

/**
 * The nodes of a graph that compute once more, behind barriers, what one of a lower phase computes too; `phases` are the
 * highest that each is behind, by place in the order.
 */
export function recomputedIn(order: readonly Node[], phases: Int32Array): ReadonlySet<Node> {
  // Nodes that are the same but for barriers have one number.
  const numbers = new Map<string, number>();
  const numberOf = new Int32Array(order.length);
  const first: number[] = [];
  for (const [place, n] of order.entries()) {
    const src = n.src.map((s) => numberOf[s.index]!);
    let number = isOp(n, "barrier") ? src[0] : undefined;
    if (number === undefined) {
      const key = keyOf(n, src);
      number = numbers.get(key);
      if (number === undefined) numbers.set(key, (number = numbers.size));
    }
    numberOf[place] = number;
    first[number] = Math.min(first[number] ?? phases[place]!, phases[place]!);
  }
  return new Set(
    order.filter((n, place) => ops[n.op].kind !== "leaf" && phases[place]! > first[numberOf[place]!]!),
  );
}

function keyOf(n: Node, src: readonly number[]): string {
  if (isOp(n, "hostScalar")) return `number ${n.id}`;
  const attrs = attributeNames[n.op].map((name) => {
    const value = (n.attrs as Record<string, unknown>)[name];
    return isOp(n, "input") && name === "source" ? (value as { id: number }).id : value;
  });
  return `${n.op} ${src.join()} ${exactText(attrs)}`;
}

/** The operations on floats that a node takes by itself, counted as `costOf` counts those of kernels. */
export function flopsOf(n: Node): number {
  if (!isFloat(n.dtype) && !n.src.some((s) => isFloat(s.dtype))) return 0;
  const { kind } = ops[n.op];
  if (kind === "reduce") return sizeOf(n.src[0]!.shape);
  if (kind === "elementwise") return n.op === "cast" ? 0 : sizeOf(n.shape);
  if (!isOp(n, "dot")) return 0;
  return (
    2 * sizeOf(n.shape) * n.attrs.leftContract.reduce((depth, axis) => depth * n.src[0]!.shape[axis]!, 1)
  );
}
