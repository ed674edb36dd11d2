import { dtypes } from "../base/dtype.ts";
import { numberText } from "../base/exact-text.ts";
import { NumberList } from "../base/number-list.ts";
import { contiguousStrides, type Shape, sameShape, sizeOf } from "../base/shape.ts";
import { pushAttributes } from "../ir/attributes.ts";
import { isOp, type Node } from "../ir/node.ts";
import { type Op, ops } from "../ir/op.ts";
import { isInline } from "./body.ts";
import type { Differences, Pairs } from "./compare.ts";
import type { Prepared } from "./prepare.ts";
import { viewOf } from "./view.ts";

const opCode = new Map(Object.keys(ops).map((op, code) => [op as Op, code]));
const dtypeCode = new Map(Object.keys(dtypes).map((dtype, code) => [dtype, code]));

const written = new NumberList();

/**
 * All of a graph but its sizes and constants, as numbers that graphs of one form share; `scalars` has the place of each host
 * scalar. Null where decisions are not to be taken over. It is one list, which the next graph takes.
 */
export function describe(asked: Prepared, scalars: ReadonlyMap<Node, number>): NumberList | null {
  const { order, outputs, writes, checks, partial, slot, slots } = asked;
  const list = written;
  list.clear();
  list.push(slots);
  for (let place = 0; place < order.length; place++) {
    const n = order[place]!;
    const { op, src } = n;
    // Which nodes are computed once more, behind barriers, is told by more than is compared here.
    if (op === "barrier") return null;
    const { kind } = ops[op];
    list.push(opCode.get(op)!);
    list.push(dtypeCode.get(n.dtype)!);
    list.push(viewOf(n).base.index);
    list.push(src.length);
    for (let i = 0; i < src.length; i++) list.push(src[i]!.index);
    if (isOp(n, "sum")) list.push(partial.has(n) ? 1 : 0);
    if (isOp(n, "input")) list.push(slot(n));
    else if (isOp(n, "hostScalar")) list.push(scalars.get(n)!);
    // Of others the attributes are sizes and constants, or follow from the dtype; movement is told by views.
    else if (kind === "reduce" || kind === "contraction" || (kind === "special" && !isOp(n, "randomBits")))
      pushAttributes(list, n);
  }
  list.pushAll(outputs.map((n) => n.index));
  list.pushAll(writes.map((write) => write.slot));
  list.pushAll(writes.map((write) => write.value.index));
  list.pushAll(checks.map((n) => n.index));
  return list;
}

interface Constant {
  readonly text: string;
  readonly isInline: boolean;
}

/** The numbers that are alike everywhere in some node: a constant's, or what a padding is filled with. */
function constantsOf(order: readonly Node[]): Constant[] {
  const found: Constant[] = [];
  for (let place = 0; place < order.length; place++) {
    const n = order[place]!;
    if (!isOp(n, "constant") && !isOp(n, "pad")) continue;
    const { value } = n.attrs;
    found.push({ text: numberText(value), isInline: isInline(n.dtype, value) });
  }
  return found;
}

/** A prepared graph as numbers: what another must have too, and sizes and constants that may be others. */
export class Form {
  readonly nodes: number;
  /** What is not size, node by node, and then what is asked. */
  readonly #numbers: Float64Array;
  // By the places of nodes: lists of sizes, of which equal ones are one, by their places among all.
  readonly #shapeOf: Int32Array;
  readonly #shapes: readonly Shape[];
  readonly #stridesOf: Int32Array;
  readonly #strides: readonly (readonly number[])[];
  readonly #offsets: Float64Array;
  readonly #constants: readonly Constant[];
  readonly #differences: Differences;

  /** `description`: of the graph; `differences`: what the decisions about it found to be different. */
  constructor({ order }: Prepared, description: NumberList, differences: Differences) {
    const [shapes, strides] = [new Lists(), new Lists()];
    this.nodes = order.length;
    this.#numbers = description.copy();
    this.#shapeOf = new Int32Array(order.length);
    this.#stridesOf = new Int32Array(order.length);
    this.#offsets = new Float64Array(order.length);
    for (let place = 0; place < order.length; place++) {
      const n = order[place]!;
      const view = viewOf(n);
      // Most nodes have the very lists of their first operand.
      const first = n.src[0];
      const sharesShape = first !== undefined && first.shape === n.shape;
      this.#shapeOf[place] = sharesShape ? this.#shapeOf[first.index]! : shapes.place(n.shape);
      const sharesStrides = first !== undefined && viewOf(first).strides === view.strides;
      this.#stridesOf[place] = sharesStrides ? this.#stridesOf[first.index]! : strides.place(view.strides);
      this.#offsets[place] = view.offset;
    }
    this.#shapes = shapes.all;
    this.#strides = strides.all;
    this.#constants = constantsOf(order);
    this.#differences = {
      extents: onceEach(differences.extents),
      strides: onceEach(differences.strides),
      counts: onceEach(differences.counts),
    };
  }

  /**
   * Whether the decisions about this graph are those about another one: it is this one but for other numbers in the place
   * of each size. 0 and 1 are themselves, two that are equal here are equal there, and two that are different here are
   * different there, but for those that no decision has compared, as a further length may well be as large as something
   * else. Extents are compared with extents, strides with strides, those of a shape's own memory included, and counts of
   * elements with such. Constants too have others in their place, and stay in the code or outside.
   */
  fits({ order }: Prepared, description: NumberList): boolean {
    if (!description.equals(this.#numbers)) return false;
    const shapes = new Array<Shape | undefined>(this.#shapes.length).fill(undefined);
    const strides = new Array<readonly number[] | undefined>(this.#strides.length).fill(undefined);
    const offsets = new Renaming([0]);
    for (let place = 0; place < order.length; place++) {
      const n = order[place]!;
      const view = viewOf(n);
      if (!isFirst(shapes, this.#shapeOf[place]!, n.shape)) return false;
      if (!isFirst(strides, this.#stridesOf[place]!, view.strides)) return false;
      const offset = this.#offsets[place]!;
      if ((offset !== 0 || view.offset !== 0) && !offsets.fits(offset, view.offset)) return false;
    }
    return this.#areRenamed(shapes as Shape[], strides as (readonly number[])[]) && this.#hasLike(order);
  }

  /** Whether lists of sizes may be in the place of its own. */
  #areRenamed(shapes: readonly Shape[], strides: readonly (readonly number[])[]): boolean {
    const [extents, steps, counts] = [new Renaming([0, 1]), new Renaming([0, 1]), new Renaming([0, 1])];
    for (const [i, from] of this.#shapes.entries()) {
      const to = shapes[i]!;
      if (!extents.fitsAll(from, to) || !counts.fits(sizeOf(from), sizeOf(to))) return false;
      if (!steps.fitsAll(contiguousStrides(from), contiguousStrides(to))) return false;
    }
    if (!this.#strides.every((from, i) => steps.fitsAll(from, strides[i]!))) return false;
    const { extents: shapesApart, strides: stridesApart, counts: countsApart } = this.#differences;
    return (
      extents.keepsApart(shapesApart) && steps.keepsApart(stridesApart) && counts.keepsApart(countsApart)
    );
  }

  /** Whether a graph's constants may be in the place of its own. */
  #hasLike(order: readonly Node[]): boolean {
    const constants = new Renaming<string>([]);
    return constantsOf(order).every(({ text, isInline }, i) => {
      const from = this.#constants[i]!;
      return from.isInline === isInline && constants.fits(from.text, text) && constants.isOneToOne;
    });
  }
}

/** Lists of numbers, equal ones once. */
class Lists {
  readonly all: (readonly number[])[] = [];
  readonly #places = new Map<number, number[]>();

  place(list: readonly number[]): number {
    let hash = list.length;
    for (let i = 0; i < list.length; i++) hash = (Math.imul(hash, 31) + list[i]!) | 0;
    const places = this.#places.get(hash);
    if (places === undefined) {
      this.#places.set(hash, [this.all.length]);
      return this.all.push(list) - 1;
    }
    for (const place of places) if (sameShape(this.all[place]!, list)) return place;
    places.push(this.all.length);
    return this.all.push(list) - 1;
  }
}

/** Whether a list is that in a place of others, or the first to be there. */
function isFirst(lists: (readonly number[] | undefined)[], place: number, list: readonly number[]): boolean {
  const first = lists[place];
  if (first === list) return true;
  if (first !== undefined) return sameShape(first, list);
  lists[place] = list;
  return true;
}

/** Pairs of lists, equal ones once. */
function onceEach(pairs: Pairs): Pairs {
  const lists = new Lists();
  const seen = new Set<string>();
  const found: Pairs = [];
  for (let i = 0; i < pairs.length; i += 2) {
    const [a, b] = [pairs[i]!, pairs[i + 1]!];
    const pair = `${lists.place(a)} ${lists.place(b)}`;
    if (seen.has(pair)) continue;
    seen.add(pair);
    found.push(a, b);
  }
  return found;
}

/** Things in the place of others: in that of one always the same, and some, which are fixed, only in their own. */
class Renaming<T> {
  /** Whether each is in the place of one alone. */
  isOneToOne = true;
  readonly #fixed: readonly T[];
  readonly #to = new Map<T, T>();
  readonly #taken = new Set<T>();

  constructor(fixed: readonly T[]) {
    for (const x of fixed) this.fits(x, x);
    this.#fixed = fixed;
  }

  /** Whether one thing may be in the place of another; if none has been so far, it is from now on. */
  fits(from: T, to: T): boolean {
    const known = this.#to.get(from);
    if (known !== undefined) return known === to;
    if (this.#taken.has(to)) {
      if (this.#fixed.includes(to)) return false;
      this.isOneToOne = false;
    }
    this.#to.set(from, to);
    this.#taken.add(to);
    return true;
  }

  /** Whether lists that are different still are with what is in the place of each thing in them. */
  keepsApart(pairs: readonly (readonly T[])[]): boolean {
    for (let i = 0; i < pairs.length; i += 2) if (!this.#differ(pairs[i]!, pairs[i + 1]!)) return false;
    return true;
  }

  #differ(a: readonly T[], b: readonly T[]): boolean {
    for (let i = 0; i < a.length; i++) {
      const [x, y] = [this.#to.get(a[i]!), this.#to.get(b[i]!)];
      // Of what has nothing in its place nothing is known.
      if (x !== undefined && y !== undefined && x !== y) return true;
    }
    return false;
  }

  fitsAll(from: readonly T[], to: readonly T[]): boolean {
    return from.length === to.length && from.every((x, i) => this.fits(x, to[i]!));
  }
}
