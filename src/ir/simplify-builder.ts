import { type DType, dtypes, roundTo } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import { sameShape } from "../base/shape.ts";
import { attributeNames } from "./attributes.ts";
import { isOp, type Node, node, nodeLike } from "./node.ts";
import { type Op, type OpAttrs, ops } from "./op.ts";

/** A cheaper node for an operation on simplified operands, or null where there is none. */
export type SimplifyRule<K extends Op> = (src: readonly Node[], attrs: OpAttrs[K], b: Builder) => Node | null;

/** A rule for every primitive; null: nothing to simplify. */
export type SimplifyRules = { readonly [K in Op]: SimplifyRule<K> | null };

const codeOf = Object.fromEntries(Object.keys(ops).map((op, i) => [op, i + 1])) as {
  readonly [K in Op]: number;
};
const dtypeCode = Object.fromEntries(Object.keys(dtypes).map((d, i) => [d, i])) as {
  readonly [D in DType]: number;
};

/** Makes simplified, untracked nodes, each only once: equal operations on equal operands are one node. */
export class Builder {
  readonly #rules: SimplifyRules;
  /** What was made, each at the place of its hash or the next one that was free: at most half of it is in use. */
  #table: (Node | undefined)[];
  #count = 0;
  readonly #reuses: boolean;

  /** `reuses`: whether nodes that there are may be part of what is made, which are some `expected` ones. */
  constructor(rules: SimplifyRules, reuses: boolean, expected: number) {
    this.#rules = rules;
    this.#reuses = reuses;
    this.#table = emptyTable(2 * expected);
  }

  /** The simplified result of an operation: that of the node `like` itself, on its simplified operands, if it is given. */
  make<K extends Op>(op: K, src: readonly Node[], attrs: OpAttrs[K], like?: Node): Node {
    const rule = this.#rules[op] as SimplifyRule<K> | null;
    return (rule !== null ? rule(src, attrs, this) : null) ?? this.#intern(op, src, attrs, like);
  }

  /** A tensor with one value everywhere, in the form in which constants are kept: expand(reshape(constant)). */
  filled(value: number, shape: Shape, dtype: DType): Node {
    let n = this.#intern("constant", [], { value, dtype });
    if (shape.length === 0) return n;
    const ones = shape.map(() => 1);
    n = this.#intern("reshape", [n], { shape: ones });
    return sameShape(ones, shape) ? n : this.#intern("expand", [n], { shape });
  }

  /**
   * A leaf as a tensor of some shape, with the one number that it is everywhere. Host scalars are never one node, even
   * where two have one function: each is a number of its own.
   */
  everywhere(leaf: Node, shape: Shape): Node {
    const n = leaf.op === "hostScalar" ? leaf : this.make(leaf.op, leaf.src, leaf.attrs, leaf);
    if (sameShape(leaf.shape, shape)) return n;
    return this.make("expand", [this.make("reshape", [n], { shape: shape.map(() => 1) })], { shape });
  }

  #intern<K extends Op>(op: K, src: readonly Node[], attrs: OpAttrs[K], like?: Node): Node {
    const table = this.#table;
    for (
      let place = hashOf(op, src, attrs) & (table.length - 1);
      ;
      place = (place + 1) & (table.length - 1)
    ) {
      const found = table[place];
      if (found === undefined) {
        // What takes the place of a node has its shape and dtype.
        const made =
          like === undefined
            ? node(op, src, attrs, false)
            : this.#reuses && !like.tracked && sameNodes(like.src, src)
              ? like
              : nodeLike(like, src);
        table[place] = made;
        if (2 * ++this.#count > table.length) this.#grow();
        return made;
      }
      if (found.op === op && sameNodes(found.src, src) && sameAttrs(op, found.attrs, attrs)) return found;
    }
  }

  #grow(): void {
    const longer = emptyTable(2 * this.#table.length);
    for (const n of this.#table) {
      if (n === undefined) continue;
      let place = hashOf(n.op, n.src, n.attrs) & (longer.length - 1);
      while (longer[place] !== undefined) place = (place + 1) & (longer.length - 1);
      longer[place] = n;
    }
    this.#table = longer;
  }
}

/** The one value of a tensor that is the same constant everywhere, as its dtype holds it; null if it is not. */
export function constantOf(n: Node): number | null {
  let at = n;
  while (at.op === "reshape" || at.op === "expand") at = at.src[0]!;
  return isOp(at, "constant") ? roundTo(at.dtype, at.attrs.value) : null;
}

/** A table of so many places, or a few more: a power of two. */
const emptyTable = (places: number): (Node | undefined)[] =>
  new Array<Node | undefined>(2 ** Math.ceil(Math.log2(Math.max(16, places))));

function hashOf(op: Op, src: readonly Node[], attrs: OpAttrs[Op]): number {
  let hash = codeOf[op];
  for (let i = 0; i < src.length; i++) hash = Math.imul(hash, 31) + src[i]!.id;
  const names = attributeNames[op];
  for (let i = 0; i < names.length; i++)
    hash = Math.imul(hash, 31) + hashValue((attrs as Record<string, unknown>)[names[i]!]);
  // Ids follow each other, and so would hashes: long runs of places that are taken, each to be walked to its end.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d);
  return hash ^ (hash >>> 13);
}

function hashValue(value: unknown): number {
  if (typeof value === "number") return Number.isInteger(value) ? value | 0 : (value * 65537) | 0;
  if (typeof value === "string") return dtypeCode[value as DType];
  if (typeof value === "boolean") return value ? 1 : 0;
  if (Array.isArray(value)) {
    let hash = value.length;
    for (let i = 0; i < value.length; i++) hash = Math.imul(hash, 31) + (value[i] as number);
    return hash | 0;
  }
  // A source; a function (hostScalar's) is told apart by comparison only.
  return typeof value === "object" ? (value as { id: number }).id : 0;
}

function sameNodes(a: readonly Node[], b: readonly Node[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function sameAttrs(op: Op, a: OpAttrs[Op], b: OpAttrs[Op]): boolean {
  if (a === b) return true;
  for (const name of attributeNames[op]) {
    const x = (a as Record<string, unknown>)[name];
    const y = (b as Record<string, unknown>)[name];
    if (Array.isArray(x) ? !sameShape(x as number[], y as number[]) : !Object.is(x, y)) return false;
  }
  return true;
}
