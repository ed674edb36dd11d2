import { dtypes } from "../base/dtype.ts";
import { numberText } from "../base/exact-text.ts";
import type { NumberList } from "../base/number-list.ts";
import { contiguousStrides, type Shape, sameShape, sizeOf } from "../base/shape.ts";
import { pushAttributes } from "../ir/attributes.ts";
import { isOp, type Node } from "../ir/node.ts";
import { type Op, ops } from "../ir/op.ts";
import { isInline } from "./body.ts";
import type { Prepared } from "./prepare.ts";
import { viewOf } from "./view.ts";

const opCode = new Map(Object.keys(ops).map((op, code) => [op as Op, code]));
const dtypeCode = new Map(Object.keys(dtypes).map((dtype, code) => [dtype, code]));

/** Writes down all of a prepared graph but its sizes and constants; `scalars` has the place of each host scalar. */
export function pushForm(list: NumberList, asked: Prepared, scalars: ReadonlyMap<Node, number>): void {
  const { order, outputs, writes, checks, slot, slots } = asked;
  list.push(order.length);
  list.push(slots);
  for (let place = 0; place < order.length; place++) {
    const n = order[place]!;
    const { kind } = ops[n.op];
    list.push(opCode.get(n.op)!);
    list.push(dtypeCode.get(n.dtype)!);
    list.push(viewOf(n).base.index);
    list.push(n.src.length);
    for (let i = 0; i < n.src.length; i++) list.push(n.src[i]!.index);
    if (isOp(n, "input")) list.push(slot(n));
    else if (isOp(n, "hostScalar")) list.push(scalars.get(n)!);
    // Of others the attributes are sizes and constants, or follow from the dtype; movement is told by views.
    else if (kind === "reduce" || kind === "contraction" || (kind === "special" && !isOp(n, "randomBits")))
      pushAttributes(list, n);
  }
  list.pushAll(outputs.map((n) => n.index));
  for (const write of writes) {
    list.push(write.slot);
    list.push(write.value.index);
  }
  list.pushAll(checks.map((n) => n.index));
}

/** The sizes and constants of a prepared graph, by the places of its nodes. Lists that are equal are one. */
export interface Sizes {
  readonly shapeOf: Int32Array;
  readonly shapes: readonly Shape[];
  readonly stridesOf: Int32Array;
  readonly strides: readonly (readonly number[])[];
  readonly offsets: Float64Array;
  /** Numbers that may be buffers of a plan, in their order; whether they are. */
  readonly constants: readonly Constant[];
}

interface Constant {
  readonly text: string;
  readonly isInline: boolean;
}

/** The numbers that are alike everywhere in some node: a constant's, or what a padding is filled with. */
function constantsOf(order: readonly Node[]): Constant[] {
  const found: Constant[] = [];
  for (const n of order) {
    if (!isOp(n, "constant") && !isOp(n, "pad")) continue;
    const { value } = n.attrs;
    found.push({ text: numberText(value), isInline: isInline(n.dtype, value) });
  }
  return found;
}

/** The sizes and constants of a graph. */
export function sizesOf({ order }: Prepared): Sizes {
  const [shapes, strides] = [new Lists(), new Lists()];
  const shapeOf = new Int32Array(order.length);
  const stridesOf = new Int32Array(order.length);
  const offsets = new Float64Array(order.length);
  for (let place = 0; place < order.length; place++) {
    const n = order[place]!;
    const view = viewOf(n);
    // Most nodes have the very lists of their first operand.
    const first = n.src[0];
    const sharesShape = first !== undefined && first.shape === n.shape;
    shapeOf[place] = sharesShape ? shapeOf[first.index]! : shapes.place(n.shape);
    const sharesStrides = first !== undefined && viewOf(first).strides === view.strides;
    stridesOf[place] = sharesStrides ? stridesOf[first.index]! : strides.place(view.strides);
    offsets[place] = view.offset;
  }
  return {
    shapeOf,
    shapes: shapes.all,
    stridesOf,
    strides: strides.all,
    offsets,
    constants: constantsOf(order),
  };
}

/** Lists of numbers, equal ones once. */
class Lists {
  readonly all: (readonly number[])[] = [];
  // Most lists are one object for many nodes: a text is made once for each object.
  readonly #places = new Map<readonly number[], number>();
  readonly #byText = new Map<string, number>();

  place(list: readonly number[]): number {
    let place = this.#places.get(list);
    if (place !== undefined) return place;
    const text = list.join();
    place = this.#byText.get(text);
    if (place === undefined) this.#byText.set(text, (place = this.all.push(list) - 1));
    this.#places.set(list, place);
    return place;
  }
}

/**
 * Whether a graph of the same form has the sizes of another but for other numbers in the place of each: wherever two are
 * equal in one they are in the other, and 0 and 1 are themselves. Extents are compared with extents, strides with strides,
 * those of a shape's own memory included, and counts of elements with such. Constants too have others in their place, and
 * stay in the code or outside.
 */
export function areRenamed(known: Sizes, { order }: Prepared): boolean {
  const shapes = new Array<Shape | undefined>(known.shapes.length).fill(undefined);
  const strides = new Array<readonly number[] | undefined>(known.strides.length).fill(undefined);
  const [extents, steps, counts, offsets] = [
    new Renaming([0, 1]),
    new Renaming([0, 1]),
    new Renaming([0, 1]),
    new Renaming([0]),
  ];
  for (let place = 0; place < order.length; place++) {
    const n = order[place]!;
    const view = viewOf(n);
    if (!isFirst(shapes, known.shapeOf[place]!, n.shape)) return false;
    if (!isFirst(strides, known.stridesOf[place]!, view.strides)) return false;
    const offset = known.offsets[place]!;
    if ((offset !== 0 || view.offset !== 0) && !offsets.fits(offset, view.offset)) return false;
  }
  for (const [i, from] of known.shapes.entries()) {
    const to = shapes[i]!;
    if (!extents.fitsAll(from, to) || !counts.fits(sizeOf(from), sizeOf(to))) return false;
    if (!steps.fitsAll(contiguousStrides(from), contiguousStrides(to))) return false;
  }
  for (const [i, from] of known.strides.entries()) if (!steps.fitsAll(from, strides[i]!)) return false;
  const constants = new Renaming<string>([]);
  return constantsOf(order).every(({ text, isInline }, i) => {
    const from = known.constants[i]!;
    return from.isInline === isInline && constants.fits(from.text, text);
  });
}

/** Whether a list is that in a place of others, or the first to be there. */
function isFirst(lists: (readonly number[] | undefined)[], place: number, list: readonly number[]): boolean {
  const first = lists[place];
  if (first === list) return true;
  if (first !== undefined) return sameShape(first, list);
  lists[place] = list;
  return true;
}

/** Things in the place of others: each always in that of the same one. */
class Renaming<T> {
  readonly #to = new Map<T, T>();
  readonly #from = new Map<T, T>();

  constructor(fixed: readonly T[]) {
    for (const x of fixed) this.fits(x, x);
  }

  /** Whether one thing may be in the place of another; if none has been so far, it is from now on. */
  fits(from: T, to: T): boolean {
    if (!this.#to.has(from) && !this.#from.has(to)) {
      this.#to.set(from, to);
      this.#from.set(to, from);
    }
    return this.#to.get(from) === to && this.#from.get(to) === from;
  }

  fitsAll(from: readonly T[], to: readonly T[]): boolean {
    return from.length === to.length && from.every((x, i) => this.fits(x, to[i]!));
  }
}
