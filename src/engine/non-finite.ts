import { allocate, dtypes, isFloat, readElement, type TypedArray } from "../base/dtype.ts";
import { indexAt, sizeOf } from "../base/shape.ts";
import { evaluateNode } from "../ir/evaluate.ts";
import { isOp, type Node, topological } from "../ir/node.ts";
import { ops } from "../ir/op.ts";
import type { Storage } from "./storage.ts";

/** A node whose value is not finite although those of its operands are, and what can be said of it. */
export interface NonFinite {
  readonly node: Node;
  /** The first element that is NaN, or else infinite. */
  readonly value: number;
  /** Where that is, one index a dimension. */
  readonly index: readonly number[];
  /** How many elements are not finite. */
  readonly count: number;
  /** What an elementwise operation made it of; null for other operations. */
  readonly operands: readonly number[] | null;
  /** Whether it was made of infinite values that were meant: masks are -Infinity. */
  readonly ofInfinite: boolean;
}

/**
 * What is not finite of a value. `meant`: it holds no NaN, and its infinities come from constants and from what the
 * host gave, as those of masks do; what else is infinite has overflowed.
 */
interface State {
  readonly nan: boolean;
  readonly infinite: boolean;
  readonly meant: boolean;
}

const allFinite: State = { nan: false, infinite: false, meant: false };

/** Computes one node, given the values of its operands. */
export type Compute = (n: Node, operands: readonly TypedArray[]) => TypedArray;

/** Multiplications of a product from which the reference evaluator takes too long: 10 ms. */
const largeProduct = 2 ** 20;

/** The value of a leaf; of a number that the host gave, what it was when it was asked for, where that is known. */
export function leafValue(leaf: Node, numbers: ReadonlyMap<Node, number>): TypedArray {
  if (isOp(leaf, "hostScalar"))
    return allocate(leaf.dtype, 1).fill(numbers.get(leaf) ?? leaf.attrs.compute());
  return ((leaf as Node<"input">).attrs.source as Storage).read();
}

/** Values of nodes, by the reference evaluator; a value is let go of once all that use it have been evaluated. */
export class NonFiniteSearch {
  readonly #numbers: ReadonlyMap<Node, number>;
  readonly #product: Compute;
  readonly #states = new Map<Node, State>();
  readonly #found = new Map<Node, NonFinite>();

  /** `numbers`: values of host scalars, those that are not in it are computed; `product`: what computes large ones. */
  constructor(numbers: ReadonlyMap<Node, number>, product: Compute) {
    this.#numbers = numbers;
    this.#product = product;
  }

  /** The first node in program order, of all that roots are made of, that makes what is not finite; null: none. */
  first(roots: readonly Node[]): NonFinite | null {
    for (const found of this.#evaluate(roots)) return found;
    return null;
  }

  /** The first node in program order that a value among `roots` is not finite because of; null: all are finite. */
  cause(roots: readonly Node[]): NonFinite | null {
    // All of it: what makes a value that is not finite need not matter to any of these.
    for (const _ of this.#evaluate(roots));
    const blamed = new Set<Node>();
    const stack = roots.filter((n) => this.#isBad(n));
    for (let n = stack.pop(); n !== undefined; n = stack.pop()) {
      if (blamed.has(n)) continue;
      blamed.add(n);
      stack.push(...this.#blameOf(n));
    }
    const causes = [...blamed].flatMap((n) => this.#found.get(n) ?? []);
    return causes.sort((a, b) => a.node.id - b.node.id)[0] ?? null;
  }

  /** What values that were evaluated are, where one of them is not finite. */
  valueOf(roots: readonly Node[]): string {
    return roots.some((n) => this.#states.get(n)!.nan) ? "NaN" : "infinite";
  }

  /** Whether a value that was evaluated is not finite. */
  #isBad(n: Node): boolean {
    const { nan, infinite } = this.#states.get(n)!;
    return nan || infinite;
  }

  /** The operands that a value is not finite because of: those with NaN, or else the infinite ones. */
  #blameOf(n: Node): Node[] {
    const nan = this.#states.get(n)!.nan ? n.src.filter((s) => this.#states.get(s)!.nan) : [];
    return nan.length > 0 ? nan : n.src.filter((s) => this.#states.get(s)!.infinite);
  }

  /** Evaluates what roots are made of in program order; gives what makes values that are not finite as it is found. */
  *#evaluate(roots: readonly Node[]): Generator<NonFinite> {
    const order = topological(roots).sort((a, b) => a.id - b.id);
    const users = new Map<Node, number>();
    for (const n of order) for (const s of n.src) users.set(s, (users.get(s) ?? 0) + 1);
    const values = new Map<Node, TypedArray>();
    for (const n of order) {
      const src = n.src.map((s) => values.get(s)!);
      const value =
        isOp(n, "dot") && multiplications(n) > largeProduct
          ? this.#product(n, src)
          : evaluateNode(n, src, (leaf) => leafValue(leaf, this.#numbers));
      if (users.has(n)) values.set(n, value);
      const found = this.#note(n, src, value);
      for (const s of n.src) {
        const left = users.get(s)! - 1;
        users.set(s, left);
        if (left === 0) values.delete(s);
      }
      if (found !== null) yield found;
    }
  }

  /** Notes whether a value is finite; gives what is wrong where this node makes it so. */
  #note(n: Node, src: readonly TypedArray[], value: TypedArray): NonFinite | null {
    const seen = isFloat(n.dtype) ? lookAt(n, value) : null;
    if (seen === null) {
      this.#states.set(n, allFinite);
      return null;
    }
    const operands = n.src.map((s) => this.#states.get(s)!);
    const infinite = operands.filter((state) => state.infinite);
    const meant =
      !seen.nan && (isSource(n) || (infinite.length > 0 && infinite.every((state) => state.meant)));
    this.#states.set(n, { nan: seen.nan, infinite: seen.infinite, meant });
    if (meant || operands.some((state) => state.nan) || infinite.some((state) => !state.meant)) return null;
    const { first, count } = seen;
    const found: NonFinite = {
      node: n,
      value: readElement(n.dtype, value, first),
      index: indexAt(first, n.shape),
      count,
      operands:
        ops[n.op].kind === "elementwise" ? src.map((x, i) => readElement(n.src[i]!.dtype, x, first)) : null,
      ofInfinite: infinite.length > 0,
    };
    this.#found.set(n, found);
    return found;
  }
}

const multiplications = (n: Node<"dot">): number =>
  n.attrs.leftContract.reduce((product, axis) => product * n.src[0]!.shape[axis]!, sizeOf(n.shape));

/** Whether infinities of a node are meant: a constant, what the host gave, and what is put around something. */
function isSource(n: Node): boolean {
  if (isOp(n, "pad")) return !Number.isFinite(n.attrs.value);
  return isOp(n, "constant") || (isOp(n, "input") && !(n.attrs.source as Storage).resident);
}

/** What of a value is not finite; null: all of it is. */
function lookAt(
  n: Node,
  value: TypedArray,
): { nan: boolean; infinite: boolean; first: number; count: number } | null {
  const raw = !dtypes[n.dtype].compute;
  let nan = -1;
  let infinite = -1;
  let count = 0;
  for (let i = 0; i < value.length; i++) {
    const x = raw ? readElement(n.dtype, value, i) : value[i]!;
    if (Number.isFinite(x)) continue;
    count++;
    if (Number.isNaN(x)) {
      if (nan < 0) nan = i;
    } else if (infinite < 0) infinite = i;
  }
  // Beside a NaN, an infinity says little.
  return count === 0
    ? null
    : { nan: nan >= 0, infinite: infinite >= 0, first: nan >= 0 ? nan : infinite, count };
}
