import { sizeOf } from "../base/shape.ts";
import { copied } from "../ir/copied.ts";
import { isOp, type Node, node, topological } from "../ir/node.ts";
import { ops } from "../ir/op.ts";
import { constantOf } from "../ir/simplify-builder.ts";

/** A value that is computed twice. */
export interface OnceMore {
  /** Which of the sources it is made of. */
  readonly source: Node;
  /** The same value, computed when all else has been. */
  readonly again: Node;
}

/** Elements from which on a value is computed twice: of smaller ones a copy takes less than another kernel. */
const large = 4096;

/**
 * Of values that are to be written, those that are large and made of `sources` element by element, once more behind
 * barriers. A plan can look at the first of the two and keep nothing of it, and then compute the second over what it
 * replaces: a check of a value that comes before its write needs no memory for it.
 */
export function onceMore(values: readonly Node[], sources: ReadonlySet<Node>): ReadonlyMap<Node, OnceMore> {
  const order = topological(values);
  /** What each is made of, element by element. */
  const sourceOf = new Map<Node, Node>();
  let phase = 0;
  for (const n of order) {
    if (isOp(n, "barrier")) phase = Math.max(phase, n.attrs.phase);
    const source = sources.has(n) ? n : isElementwise(n) ? n.src.find((s) => sourceOf.has(s)) : undefined;
    if (source !== undefined) sourceOf.set(n, sourceOf.get(source) ?? source);
  }
  const stands = (n: Node): Node | null => {
    if (constantOf(n) !== null || isOp(n, "hostScalar")) return n;
    const isRepeated = sizeOf(n.shape) > 1 && isElementwise(n) && !sources.has(n);
    return isRepeated ? null : node("barrier", [n], { phase: phase + 1 });
  };
  const copies = new Map<Node, Node>();
  return new Map(
    values.flatMap((value) => {
      const source = sourceOf.get(value);
      if (source === undefined || sources.has(value) || sizeOf(value.shape) < large) return [];
      return [[value, { source, again: copied(value, copies, stands) }]];
    }),
  );
}

/** Whether each element is made of one of each operand. */
function isElementwise(n: Node): boolean {
  if (isOp(n, "pad") || isOp(n, "concat") || isOp(n, "barrier")) return false;
  return ops[n.op].kind === "elementwise" || ops[n.op].kind === "movement";
}
