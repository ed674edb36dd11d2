import { roundTo } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { count, type KernelBuilder, ops, param } from "../lowered/build.ts";
import type { Expr, Place } from "../lowered/ir.ts";
import type { ContractKernel, LoopKernel, Value } from "../plan/kernel.ts";
import { argsOf, bodiesOf, uniformValues, valuesOf } from "./body.ts";
import { cellOf, decode, encode, number } from "./cells.ts";
import { lowerElementwise, type Vectors } from "./elementwise.ts";
import { threefry, threefryOfTwo, type Words } from "./threefry.ts";

/** Indices have 31 bits, which is all that a kernel knows of the extent that a gather picks from. */
const gatherable = count(2 ** 31);
/** Lanes that a vector has at most. */
const mostLanes = 64;
const checked = "a check has looked at the indices";

/** How the accesses of a loop or a product reach memory. */
export interface Reach {
  /** The kernel's dimensions. */
  readonly extents: readonly Expr[];
  /** Whether an access's stride along a dimension may be other than 0. */
  varies(access: number, dim: number): boolean;
  /** The dimension that the vectors of an access run along. */
  along(access: number): number;
}

/** The accesses of a loop or a product, declared. One that a `gather` goes through has a dimension more, which it picks from. */
export class KernelAccesses {
  readonly #kernel: LoopKernel | ContractKernel;
  readonly #reach: Reach;
  readonly #picked: ReadonlySet<number>;

  constructor(b: KernelBuilder, kernel: LoopKernel | ContractKernel, reach: Reach) {
    this.#kernel = kernel;
    this.#reach = reach;
    const through = (op: Value["op"]) =>
      new Set(
        bodiesOf(kernel).flatMap((body) =>
          body.flatMap((v) => ("access" in v && v.op === op ? v.access : [])),
        ),
      );
    this.#picked = through("gather");
    const indices = through("index");
    const written = new Set(kernel.stores.map((s) => s.access));
    const dims = [...reach.extents.keys()];
    for (const [a, { dtype }] of kernel.accesses.entries()) {
      const picks = this.#picked.has(a);
      b.access({
        // What has no memory counts in elements of one byte.
        cell: indices.has(a) ? "u8" : cellOf(dtype),
        memory: { argument: a, alias: a },
        extents: [
          ...dims.map((d) => {
            if (!this.#reaches(a, d)) return count(1);
            // Without a stride all coordinates are one element: lanes that each pick their own reach no further, whether
            // or not the kernel has as many elements.
            const stride = this.stride(a, d);
            const isOne = stride.op === "const" && stride.value === 0;
            return isOne ? ops.max(reach.extents[d]!, count(mostLanes)) : reach.extents[d]!;
          }),
          ...(picks ? [gatherable] : []),
        ],
        strides: [
          ...dims.map((d) => this.stride(a, d)),
          ...(picks ? [param({ kind: "stride", access: a, dim: dims.length })] : []),
        ],
        written: written.has(a),
      });
    }
  }

  get list(): LoopKernel["accesses"] {
    return this.#kernel.accesses;
  }

  along(access: number): number {
    return this.#reach.along(access);
  }

  /** Elements from one index along a dimension to the next. */
  stride(access: number, dim: number): Expr {
    const { vector } = this.#kernel.accesses[access]!;
    if (this.#reach.along(access) === dim && vector !== "strided") return count(vector === "unit" ? 1 : 0);
    return this.#reach.varies(access, dim) ? param({ kind: "stride", access, dim }) : count(0);
  }

  /** Whether coordinates along a dimension are told apart: by a stride, or by lanes that each pick an element. */
  #reaches(access: number, dim: number): boolean {
    if (this.#reach.along(access) !== dim) return this.#reach.varies(access, dim);
    return this.#kernel.accesses[access]!.vector !== "uniform" || this.#picked.has(access);
  }

  /** The coordinates of an access where the kernel's are `at`; `picked`: along the dimension of a gather. */
  coordinates(access: number, at: readonly Expr[], picked: Expr = count(0)): Expr[] {
    const own = this.#reach.extents.map((_, d) => (this.#reaches(access, d) ? at[d]! : count(0)));
    return this.#picked.has(access) ? [...own, picked] : own;
  }

  /** The dimension that a gather picks from. */
  get pickedDim(): number {
    return this.#reach.extents.length;
  }
}

/** What the lowering of values needs to know of its surroundings. */
export interface ValueContext extends Vectors {
  readonly accesses: KernelAccesses;
  /**
   * The kernel's coordinates of the first lane. Those along dimensions that none of the values vary along are never looked
   * at.
   */
  readonly at: readonly Expr[];
  /** What an access without memory is at the first lane, as `index`; left out: it is computed of `at` here. */
  index?(access: number): Expr;
  /** Left out where the vector is by itself. */
  readonly pair?: Pair;
}

/** A vector that is the first or the second of two that follow each other. */
export interface Pair {
  readonly isFirst: boolean;
  /** Random words of the second, which are drawn with those of the first. */
  readonly words: Map<Value, Expr>;
}

/** Two vectors that follow each other. */
export function pairOf(): readonly [Pair, Pair] {
  const words = new Map<Value, Expr>();
  return [
    { isFirst: true, words },
    { isFirst: false, words },
  ];
}

/** Whether the random words of two vectors that follow each other are drawn together: their elements follow each other too. */
const isPaired = (value: Value, body: readonly Value[], { list }: KernelAccesses): boolean => {
  if (value.op !== "random") return false;
  const element = body[value.args[2]]!;
  if (element.op !== "index" || list[element.access]!.vector !== "unit") return false;
  const uniform = uniformValues(body, list);
  return uniform[value.args[0]]! && uniform[value.args[1]]!;
};

/** Whether it takes less to lower values of a body for two vectors at a time. */
export const gainsByPairs = (body: readonly Value[], accesses: KernelAccesses): boolean =>
  body.some((value) => isPaired(value, body, accesses));

/**
 * Lowers each wanted value to a vector of the registers' lanes, a name or a constant, and before it, each once, what it is
 * computed from. `known` has values that are there already, which are taken as they are. f32 and f64 are themselves, integers
 * i32 (u8 from 0 to 255), bool a mask.
 */
export function lowerValues(
  ctx: ValueContext,
  body: readonly Value[],
  wanted: readonly number[],
  known: ReadonlyMap<number, Expr>,
): Expr[] {
  const values = new Map(known);
  const uniform = uniformValues(body, ctx.accesses.list);
  const need = (i: number): Expr => {
    const there = values.get(i);
    if (there !== undefined) return there;
    const value = body[i]!;
    const lowered = lowerValue(ctx, body, value, argsOf(value).map(need), uniform);
    const named = lowered.op === "const" || lowered.op === "ref" ? lowered : ctx.b.let("t", lowered);
    values.set(i, named);
    return named;
  };
  return wanted.map(need);
}

/**
 * The values that some roots need and that are the same everywhere: to be lowered before any loop, and known from there on.
 */
export function scalarValues(
  { list }: KernelAccesses,
  body: readonly Value[],
  roots: readonly number[],
): readonly number[] {
  const same = valuesOf(body, list, ({ level }) => level === "scalar");
  const found = new Set<number>();
  const seen = new Set<number>();
  const visit = (i: number): void => {
    if (seen.has(i)) return;
    seen.add(i);
    if (same[i]!) found.add(i);
    else for (const a of argsOf(body[i]!)) visit(a);
  };
  for (const root of roots) visit(root);
  return [...found];
}

function lowerValue(
  ctx: ValueContext,
  body: readonly Value[],
  value: Value,
  args: readonly Expr[],
  uniform: readonly boolean[],
): Expr {
  const { lanes } = ctx.registers;
  switch (value.op) {
    case "load":
      return loadValue(ctx, value.access);
    case "constant":
      return number(value.dtype, lanes, roundTo(value.dtype, value.value));
    case "index":
      return indices(ctx, value.access);
    case "gather":
      return gather(ctx, value.access, args[0]!, uniform[value.args[0]]!);
    case "random":
      return random(ctx, value, args as [Expr, Expr, Expr], isPaired(value, body, ctx.accesses));
    case "reduce":
    case "accumulator":
      throw new InternalError(`the value of ${value.op} must be known before the values that use it`);
    default: {
      const second = value.args[1];
      const from = body[value.args[0]!]!.dtype;
      return lowerElementwise(
        ctx,
        value.op,
        from,
        value.dtype,
        args,
        second !== undefined && uniform[second]!,
      );
    }
  }
}

type Along = NonNullable<Place["along"]>;

/** How the lanes of an access lie: none of its own where they are all the same element. */
function along(ctx: ValueContext, access: number, each?: Along["each"]): Along | undefined {
  const { vector } = ctx.accesses.list[access]!;
  if (vector === "uniform" && each === undefined) return undefined;
  const { live } = ctx;
  const dim = ctx.accesses.along(access);
  return {
    dim,
    packed: vector === "unit" && each === undefined,
    ...(live && { live }),
    ...(each && { each }),
  };
}

/** The vector of elements at an access. */
function load(ctx: ValueContext, access: number, at: readonly Expr[], each?: Along["each"]): Expr {
  const { b, registers } = ctx;
  const lanes = along(ctx, access, each);
  const loaded =
    lanes === undefined
      ? ops.splat(b.load({ access, at }), registers.lanes)
      : b.load({ access, at, along: lanes }, registers.lanes);
  const { dtype } = ctx.accesses.list[access]!;
  const isPlain = dtype === "f32" || dtype === "f64" || dtype === "i32" || dtype === "u8";
  return isPlain ? loaded : decode(b, dtype, b.let("loaded", loaded));
}

/** What memory holds at an access, as `storeValue` would store it. */
export const loadValue = (ctx: ValueContext, access: number): Expr =>
  load(ctx, access, ctx.accesses.coordinates(access, ctx.at));

/** The elements that an index picks; `uniform`: the same in all lanes. */
function gather(ctx: ValueContext, access: number, index: Expr, uniform: boolean): Expr {
  const { accesses, at } = ctx;
  if (!uniform)
    return load(ctx, access, accesses.coordinates(access, at), {
      dim: accesses.pickedDim,
      index,
      why: checked,
    });
  const picked = ctx.b.let("picked", ops.convert(ops.lane(index, 0), "index"));
  return load(ctx, access, accesses.coordinates(access, at, ops.within(picked, gatherable, checked)));
}

/** The indices at an access that has no memory. */
function indices(ctx: ValueContext, access: number): Expr {
  const { lanes } = ctx.registers;
  const { accesses, at } = ctx;
  const first =
    ctx.index?.(access) ??
    at.reduce(
      (sum, x, d) => {
        const stride = accesses.stride(access, d);
        return stride.op === "const" && stride.value === 0 ? sum : ops.add(sum, ops.mul(x, stride));
      },
      param({ kind: "offset", access }),
    );
  const splat = (e: Expr) => ops.splat(ops.convert(e, "i32"), lanes);
  const { vector } = accesses.list[access]!;
  if (vector === "uniform") return splat(first);
  const iota = ops.iota(lanes);
  const step = accesses.stride(access, accesses.along(access));
  return ops.add(splat(first), vector === "unit" ? iota : ops.mul(iota, splat(step)));
}

/** The random words of some elements: word e & 1 of counter (e >>> 1, 0). */
function random(
  { b, pair }: ValueContext,
  value: Value,
  [key0, key1, element]: readonly [Expr, Expr, Expr],
  isPaired: boolean,
): Expr {
  const known = pair?.isFirst === false ? pair.words.get(value) : undefined;
  if (known !== undefined) return known;
  const low = b.let("e", ops.bits(element, "u32"));
  const number: Words = [low, { op: "const", type: low.type, value: 0 }];
  const key: Words = [ops.bits(key0, "u32"), ops.bits(key1, "u32")];
  if (!isPaired || pair?.isFirst !== true) return threefry(b, key, number);
  const [own, next] = threefryOfTwo(b, key, number);
  pair.words.set(value, next);
  return own;
}

/** Writes a value, a name or a constant, through an access, narrowed to its dtype. */
export function storeValue(ctx: ValueContext, access: number, value: Expr): void {
  const { b, accesses } = ctx;
  const { dtype } = accesses.list[access]!;
  const encoded = encode(b, dtype, value);
  const named = encoded.op === "ref" ? encoded : b.let("stored", encoded);
  const at = accesses.coordinates(access, ctx.at);
  const lanes = along(ctx, access);
  if (lanes === undefined) b.store({ access, at }, ops.lane(named, 0));
  else b.store({ access, at, along: lanes }, named);
}
