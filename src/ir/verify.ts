import { dtypes } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { type Inferred, infer } from "./infer.ts";
import type { Node } from "./node.ts";
import { type Op, ops } from "./op.ts";

/** What ranks do with elements: a sum of a storage dtype over them is made of sums of a wider one. */
const amongRanks: readonly Op[] = ["allReduce", "exchange", "received"];

/** Whether an op only stores, moves or converts elements, which storage dtypes allow. */
const movesOnly = (op: Op): boolean => {
  const { kind } = ops[op];
  if (kind === "leaf" || kind === "identity" || kind === "movement") return true;
  return op === "cast" || op === "gather" || op === "scatter" || amongRanks.includes(op);
};

/**
 * Checks that a graph keeps the rules that every pass relies on: operands before users, shapes and dtypes as
 * inferred, nothing computed in a storage dtype. Throws `InternalError` naming the first node that breaks one.
 */
export function verify(order: readonly Node[]): void {
  const position = new Map<Node, number>();
  order.forEach((n, i) => {
    const where = `verify: node %${i} (${n.op})`;
    for (const s of n.src)
      if (!position.has(s)) throw new InternalError(`${where} comes before its operand ${s.op}`);
    if (position.has(n)) throw new InternalError(`${where} is listed twice`);
    position.set(n, i);

    const { shape, dtype } = inferred(n, where);
    if (dtype !== n.dtype) throw new InternalError(`${where} is ${n.dtype}, its operands make it ${dtype}`);
    if (!sameShape(shape, n.shape))
      throw new InternalError(
        `${where} has shape ${shapeText(n.shape)}, its operands make it ${shapeText(shape)}`,
      );
    if (shape.some((d) => !Number.isInteger(d) || d < 0))
      throw new InternalError(`${where} has shape ${shapeText(shape)}; sizes are whole and not negative`);

    if (movesOnly(n.op)) return;
    const stored = [n, ...n.src].find((s) => !dtypes[s.dtype].compute);
    if (stored)
      throw new InternalError(
        `${where} computes in ${stored.dtype}, a storage dtype; cast to f32 or i32 first`,
      );
  });
}

function inferred(n: Node, where: string): Inferred {
  try {
    return infer(n.op, n.src, n.attrs);
  } catch (error) {
    throw new InternalError(`${where} cannot be: ${error instanceof Error ? error.message : error}`);
  }
}
