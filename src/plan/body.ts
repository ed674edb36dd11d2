import { type DType, isFloat, roundTo } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { contiguousStrides, sameShape } from "../base/shape.ts";
import type { ElementwiseOp } from "../ir/evaluate-elementwise.ts";
import { isOp, type Node } from "../ir/node.ts";
import type { View } from "../ir/op.ts";
import { ops } from "../ir/op.ts";
import { squeezeStrides } from "./cluster.ts";
import type { Access, AccessArgs, Store, Value } from "./kernel.ts";
import { viewOf } from "./view.ts";

/** Where a base's memory is: a buffer of the plan. */
export type Locate = (base: Node) => number;

/** An access while its kernel is put together: strides over the dimensions of the kernel, as they first are. */
export interface OpenAccess {
  readonly dtype: DType;
  readonly buffer: number;
  readonly offset: number;
  readonly strides: readonly number[];
  readonly axisStride?: number;
}

/** The dtype in registers of what memory holds as `dtype`. */
export const valueDType = (dtype: DType): DType =>
  dtype === "bf16" || dtype === "f16" ? "f32" : dtype === "i8" ? "i32" : dtype;

/**
 * Whether a constant is part of the code. Other floats (an epsilon, one over the size of a batch) are arguments, so
 * that another batch does not make other kernels.
 */
export const isInline = (dtype: DType, value: number): boolean =>
  !isFloat(dtype) || !Number.isFinite(value) || [0, 0.5, 1, 2].includes(Math.abs(value));

/**
 * Puts together the values of one kernel's body. `strides` everywhere are over the kernel's dimensions; `place`
 * says how the axes of a node map to them.
 */
export class Body {
  readonly values: Value[] = [];
  readonly stores: Store[] = [];
  readonly accesses: OpenAccess[];
  readonly #locate: Locate;
  readonly #of = new Map<Node, number>();
  /** Accesses before this one are another body's: the vector runs along another dimension there. */
  readonly #first: number;

  constructor(locate: Locate, accesses: OpenAccess[] = []) {
    this.#locate = locate;
    this.accesses = accesses;
    this.#first = accesses.length;
  }

  // Bodies are short: looking through what there is costs less than a text to look it up by.
  #push(value: Value): number {
    for (let i = 0; i < this.values.length; i++) if (sameValue(this.values[i]!, value)) return i;
    return this.values.push(value) - 1;
  }

  #access(access: OpenAccess): number {
    for (let i = this.#first; i < this.accesses.length; i++)
      if (sameAccess(this.accesses[i]!, access)) return i;
    return this.accesses.push(access) - 1;
  }

  constant(dtype: DType, value: number): number {
    return this.#push({ op: "constant", dtype, value });
  }

  /** The value at a strided place of a leaf or of another kernel's result. */
  load(base: Node, offset: number, strides: readonly number[]): number {
    const dtype = valueDType(base.dtype);
    // As its own dtype holds it: 300 is 44 in i8, which is computed with as an i32.
    if (isOp(base, "constant") && isInline(base.dtype, base.attrs.value))
      return this.constant(dtype, roundTo(base.dtype, base.attrs.value));
    if (isOp(base, "iota")) {
      const index = this.index(offset, strides);
      return dtype === "i32" ? index : this.element("cast", dtype, [index]);
    }
    const access = this.#access({ dtype: base.dtype, buffer: this.#locate(base), offset, strides });
    return this.#push({ op: "load", dtype, access });
  }

  /** offset + Σ stride · index, as an i32. */
  index(offset: number, strides: readonly number[]): number {
    const access = this.#access({ dtype: "i32", buffer: -1, offset, strides });
    return this.#push({ op: "index", dtype: "i32", access });
  }

  /** An index out of range reads the nearest element, as in the definition: a check may come only later. */
  gather(data: View, extent: number, strides: readonly number[], axisStride: number, index: number): number {
    const { base, offset } = data;
    const last = this.index(
      extent - 1,
      strides.map(() => 0),
    );
    const below = this.element("min", "i32", [index, last]);
    const within = this.element("max", "i32", [below, this.constant("i32", 0)]);
    const access = this.#access({
      dtype: base.dtype,
      buffer: this.#locate(base),
      offset,
      strides,
      axisStride,
    });
    return this.#push({ op: "gather", dtype: valueDType(base.dtype), access, args: [within] });
  }

  element(op: ElementwiseOp, dtype: DType, args: readonly number[]): number {
    return this.#push({ op, dtype, args });
  }

  random(args: readonly [number, number, number]): number {
    return this.#push({ op: "random", dtype: "i32", args });
  }

  add(value: Value): number {
    return this.values.push(value) - 1;
  }

  /** Says that a node's value is a value of the body. */
  define(n: Node, value: number): void {
    this.#of.set(n, value);
  }

  valueOf(n: Node): number | undefined {
    return this.#of.get(n);
  }

  /**
   * The value of operand `s` of a node: a member's own, or loaded; `place` maps strides over the axes of `s` (those
   * of size 1 left out) to strides over the kernel's dimensions.
   */
  operand(s: Node, place: (strides: readonly number[]) => readonly number[]): number {
    const view = viewOf(s);
    const own = this.#of.get(view.base);
    if (own !== undefined) return own;
    return this.load(view.base, view.offset, place(squeezeStrides(s.shape, view.strides)));
  }

  /** Computes an elementwise node (or gather, or random bits) from its operands. */
  compute(n: Node, place: (strides: readonly number[]) => readonly number[]): number {
    if (isOp(n, "gather")) {
      const index = this.operand(n.src[1]!, place);
      const view = viewOf(n.src[0]!);
      const { axis } = n.attrs;
      const strides = view.strides.map((s, i) => (i === axis ? 0 : s));
      const extent = n.src[0]!.shape[axis]!;
      return this.gather(view, extent, place(squeezeStrides(n.shape, strides)), view.strides[axis]!, index);
    }
    if (isOp(n, "randomBits")) {
      const key = viewOf(n.src[0]!);
      const none = place(n.shape.filter((d) => d !== 1).map(() => 0));
      const word = (i: number) => this.load(key.base, key.offset + i * key.strides[0]!, none);
      return this.random([
        word(0),
        word(1),
        this.index(0, place(squeezeStrides(n.shape, contiguousStrides(n.shape)))),
      ]);
    }
    if (ops[n.op].kind !== "elementwise") throw new InternalError(`${n.op} is not elementwise`);
    const args = n.src.map((s) => this.operand(s, place));
    const dtype = valueDType(n.dtype);
    if (isOp(n, "cast") && this.values[args[0]!]!.dtype === dtype) return args[0]!;
    return this.element(n.op as ElementwiseOp, dtype, args);
  }

  store(value: number, access: OpenAccess, how: Pick<Store, "adds"> = {}): void {
    this.stores.push({ access: this.accesses.push(access) - 1, value, ...how });
  }
}

const none: readonly number[] = [];

function sameValue(a: Value, b: Value): boolean {
  if (a.op !== b.op || a.dtype !== b.dtype) return false;
  if ("access" in a && a.access !== (b as typeof a).access) return false;
  if ("value" in a && !Object.is(a.value, (b as typeof a).value)) return false;
  return !("args" in a) || sameShape(a.args, "args" in b ? b.args : none);
}

const sameAccess = (a: OpenAccess, b: OpenAccess): boolean =>
  a.buffer === b.buffer &&
  a.offset === b.offset &&
  a.dtype === b.dtype &&
  a.axisStride === b.axisStride &&
  sameShape(a.strides, b.strides);

/** Adjacent dimensions that every access walks as one. Gives, per remaining dimension, those it is made of. */
export function collapse(
  dims: readonly number[],
  extents: readonly number[],
  accesses: readonly OpenAccess[],
): number[][] {
  const groups: number[][] = [];
  for (const d of dims) {
    const last = groups.at(-1)?.at(-1);
    if (last !== undefined && accesses.every((a) => a.strides[last] === a.strides[d]! * extents[d]!))
      groups.at(-1)!.push(d);
    else groups.push([d]);
  }
  return groups;
}

/** Structure and arguments of accesses over collapsed dimensions; `outer` of them are outer, `vector` is one. */
export function closeAccesses(
  open: readonly OpenAccess[],
  groups: readonly (readonly number[])[],
  outer: number,
  vector: (a: OpenAccess, strides: readonly number[]) => number,
): { accesses: Access[]; args: AccessArgs[] } {
  const args = open.map((a) => ({
    buffer: a.buffer,
    offset: a.offset,
    strides: groups.map((g) => (g.length === 0 ? 0 : a.strides[g.at(-1)!]!)),
    ...(a.axisStride === undefined ? {} : { axisStride: a.axisStride }),
  }));
  const accesses = open.map((a, i): Access => {
    const { strides } = args[i]!;
    const along = vector(a, strides);
    return {
      dtype: a.dtype,
      level: strides.slice(outer).some((s) => s !== 0)
        ? "full"
        : strides.some((s) => s !== 0)
          ? "row"
          : "scalar",
      vector: along === 1 ? "unit" : along === 0 ? "uniform" : "strided",
    };
  });
  return { accesses, args };
}
