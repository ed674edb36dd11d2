import { pow, remainder, roundHalfToEven } from "../base/arithmetic.ts";
import type { TypedArray } from "../base/dtype.ts";
import { errorFunction } from "../base/erf.ts";
import { InternalError } from "../base/errors.ts";
import { count, ops } from "./build.ts";
import {
  type Access,
  type Cell,
  type Expr,
  type LibraryFunction,
  type Lowered,
  type Name,
  type Operand,
  type Place,
  type Scalar,
  type Stmt,
  scalarOf,
  type TileView,
  type Type,
  type Unary,
} from "./ir.ts";

/** What a call gives an argument: memory, and where its coordinates begin and lead, in elements. */
export interface Argument {
  readonly memory: TypedArray;
  readonly offset: number;
  readonly strides: readonly number[];
}

/**
 * Runs a kernel one operation at a time, on the memory of its arguments: the definition of what targets do. Every
 * coordinate, and all else that `within` and `packed` say is known, is looked at. `block`: of a product, rows and columns
 * of a task. Throws `InternalError` where something is
 * out of range, or a thread waits where others do not.
 */
export function interpret(
  kernel: Lowered,
  extents: readonly number[],
  args: readonly Argument[],
  block: readonly number[] = [],
): void {
  if (kernel.status !== null && args[kernel.status]!.memory[args[kernel.status]!.offset] !== 0) return;
  const locals = new Map<Access, TypedArray>();
  const threads = Array.from({ length: kernel.threads }, (_, thread) =>
    new Thread(kernel, [extents, block], args, locals, thread).run(kernel.body),
  );
  // Each goes to the next barrier, in turn.
  for (let running = threads.length > 0; running; ) {
    const ended = threads.map((thread) => thread.next().done);
    if (new Set(ended).size > 1)
      throw new InternalError(`kernel ${kernel.name}: a barrier that some threads do not reach`);
    running = ended[0] === false;
  }
}

/** A value: one number a lane, of bool 0 or 1. Of i64 it is a bigint, which only `sameBits`, `ofBits` and `lowWord` look at. */
type Value = readonly number[];

const asLane = (bits: bigint): number => bits as unknown as number;
const asBits = (lane: number): bigint => lane as unknown as bigint;

const cells = {
  f32: Float32Array,
  f64: Float64Array,
  i32: Int32Array,
  u8: Uint8Array,
  u16: Uint16Array,
} as const satisfies { readonly [C in Cell]: unknown };

const view = new DataView(new ArrayBuffer(8));

/** A number rounded, or wrapped, to what a scalar holds. */
function rounded(scalar: Scalar, x: number): number {
  if (scalar === "f32") return Math.fround(x);
  if (scalar === "i32") return x | 0;
  return scalar === "u32" ? x >>> 0 : x;
}

function sameBits(from: Scalar, to: Scalar, x: number): number {
  if (from === "i64") {
    view.setBigInt64(0, asBits(x));
    return view.getFloat64(0);
  }
  if (from === "f64") view.setFloat64(0, x);
  else if (from === "f32") view.setFloat32(0, x);
  // A mask has all bits of a lane.
  else view.setInt32(0, from === "bool" ? -x : x);
  if (to === "i64") return asLane(view.getBigInt64(0));
  if (to === "f32") return view.getFloat32(0);
  return to === "bool" ? Number(view.getInt32(0) !== 0) : to === "u32" ? view.getUint32(0) : view.getInt32(0);
}

function converted(from: Scalar, to: Scalar, x: number): number {
  if (to === "bool") return Number(x !== 0);
  if (from !== "f32" && from !== "f64") return rounded(to, x);
  if (to === "f32" || to === "f64") return rounded(to, x);
  const [low, high] = to === "u32" ? [0, 4294967295] : [-2147483648, 2147483647];
  return Number.isNaN(x) ? 0 : Math.min(high, Math.max(low, Math.trunc(x)));
}

const unary: { readonly [op: string]: (a: number, scalar: Scalar) => number } = {
  neg: (a) => -a,
  abs: Math.abs,
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  round: roundHalfToEven,
  sqrt: Math.sqrt,
  not: (a, scalar) => (scalar === "bool" ? 1 - a : ~a),
  exp: Math.exp,
  log: Math.log,
  expm1: Math.expm1,
  log1p: Math.log1p,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  erf: (a) => errorFunction(a, 0),
  erfc: (a) => errorFunction(a, 1),
} satisfies {
  [F in Unary | Exclude<LibraryFunction, "pow" | "fmod">]: (a: number, scalar: Scalar) => number;
};

/** An operation on the bits of two f64, as integers of 64 bits. */
function ofBits(op: string, x: number, y: number): number {
  const [a, b] = [asBits(x), asBits(y)];
  if (op === "shl") return asLane(BigInt.asIntN(64, a << b));
  if (op === "shr") return asLane(BigInt.asUintN(64, a) >> b);
  const results: { readonly [op: string]: bigint } = {
    add: a + b,
    sub: a - b,
    and: a & b,
    or: a | b,
    xor: a ^ b,
  };
  return asLane(BigInt.asIntN(64, results[op]!));
}

const lowWord = (x: number): number => Number(BigInt.asIntN(32, asBits(x)));

const isWhole = (scalar: Scalar): boolean => scalar !== "f32" && scalar !== "f64";

const binary: { readonly [op: string]: (a: number, b: number, scalar: Scalar) => number } = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b, scalar) => (scalar === "i32" || scalar === "u32" ? Math.imul(a, b) : a * b),
  div: (a, b, scalar) => (isWhole(scalar) ? Math.trunc(a / b) : a / b),
  rem: (a, b, scalar) => (isWhole(scalar) ? a % b : remainder(a, b)),
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  // A NaN on the left stays.
  atMost: (a, b) => (b < a ? b : a),
  atLeast: (a, b) => (a < b ? b : a),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shr: (a, b, scalar) => (scalar === "u32" ? a >>> b : a >> b),
  eq: (a, b) => Number(a === b),
  ne: (a, b) => Number(a !== b),
  lt: (a, b) => Number(a < b),
  le: (a, b) => Number(a <= b),
  inside: (a, b) => Number(a >= 0 && a < b),
  pow,
  fmod: (a, b) => a % b,
};

/** What a statement may do beside going on. */
type Flow = "break" | undefined;

class Thread {
  readonly #kernel: Lowered;
  readonly #sizes: readonly (readonly number[])[];
  readonly #args: readonly Argument[];
  readonly #locals: Map<Access, TypedArray>;
  readonly #thread: number;
  readonly #values = new Map<Name, Value>();
  readonly #shapes = new Map<
    Access,
    { readonly extents: readonly number[]; readonly strides: readonly number[] }
  >();

  constructor(
    kernel: Lowered,
    sizes: readonly (readonly number[])[],
    args: readonly Argument[],
    locals: Map<Access, TypedArray>,
    thread: number,
  ) {
    this.#kernel = kernel;
    this.#sizes = sizes;
    this.#args = args;
    this.#locals = locals;
    this.#thread = thread;
  }

  #fail(message: string): never {
    throw new InternalError(`kernel ${this.#kernel.name}: ${message}`);
  }

  #number(e: Expr): number {
    return this.#value(e)[0]!;
  }

  #value(e: Expr): Value {
    const { scalar, lanes } = e.type;
    switch (e.op) {
      case "const":
        return Array.from({ length: lanes }, () =>
          scalar === "i64" ? asLane(BigInt(e.value)) : rounded(scalar, e.value),
        );
      case "param":
        if (e.param.kind === "offset") return [this.#args[this.#argument(e.param.access)]!.offset];
        if (e.param.kind !== "stride") return [this.#sizes[e.param.kind === "extent" ? 0 : 1]![e.param.dim]!];
        return [this.#args[this.#argument(e.param.access)]!.strides[e.param.dim]!];
      case "ref":
        return this.#values.get(e.name)!;
      case "iota":
        return Array.from({ length: lanes }, (_, l) => l);
      case "load": {
        const there = this.#elements(e.place, lanes);
        const loaded = there.places.map((at) => there.memory[at]!);
        // Lanes beyond the live ones are there, and are 0.
        return Array.from({ length: lanes }, (_, l) => loaded[l] ?? 0);
      }
      default:
        return this.#operation(e);
    }
  }

  #operation(e: Extract<Expr, { args: readonly Expr[] }>): Value {
    const { scalar, lanes } = e.type;
    const args = e.args.map((a) => this.#value(a));
    const [a, b, c] = args as [Value, Value, Value];
    const from = e.args[0]!.type.scalar;
    const each = (of: (lane: number) => number) => Array.from({ length: lanes }, (_, l) => of(l));
    switch (e.op) {
      case "within":
        if (!(a[0]! >= 0 && a[0]! < b[0]!)) this.#fail(`${a[0]} is not within ${b[0]}, though ${e.why}`);
        return a;
      case "fma":
        return each((l) => rounded(scalar, a[l]! * b[l]! + c[l]!));
      case "select":
        return each((l) => (a[l] ? b[l]! : c[l]!));
      case "convert":
        return each((l) => converted(from, scalar, a[l]!));
      case "bits":
        return each((l) => sameBits(from, scalar, a[l]!));
      case "splat":
        return each(() => a[0]!);
      case "lane":
        return [a[e.lane]!];
      case "rotate":
        return each((l) => a[(l + e.by) % lanes]!);
      case "shuffle":
        return e.from.map((l) => [...a, ...b][l]!);
      case "any":
        return [Number(a.some((x) => x !== 0))];
      case "widen":
        return each((l) => a[e.part * lanes + l]!);
      case "narrow":
        return args.flat().map((x) => (from === "i64" ? lowWord(x) : rounded(scalar, x)));
      default: {
        if (from === "i64") return each((l) => ofBits(e.op, a[l]!, b[l]!));
        const one = unary[e.op];
        if (one !== undefined) return each((l) => rounded(scalar, one(a[l]!, from)));
        return each((l) => rounded(scalar, binary[e.op]!(a[l]!, b[l]!, from)));
      }
    }
  }

  /** The number of the argument that an access is. */
  #argument(access: number): number {
    const { memory } = this.#kernel.accesses[access]!;
    return "local" in memory ? this.#fail("a local buffer has no parameters") : memory.argument;
  }

  /** The extents and strides of an access, which are the same throughout a call. */
  #shape(access: Access): { readonly extents: readonly number[]; readonly strides: readonly number[] } {
    let shape = this.#shapes.get(access);
    if (shape === undefined) {
      const [extents, strides] = [access.extents, access.strides].map((es) => es.map((e) => this.#number(e)));
      this.#shapes.set(access, (shape = { extents: extents!, strides: strides! }));
    }
    return shape;
  }

  /** Memory, and where in it the elements of a place are. */
  #elements({ access, at, along }: Place, lanes: number): { memory: TypedArray; places: number[] } {
    const there = this.#kernel.accesses[access]!;
    const { extents, strides } = this.#shape(there);
    const first = at.map((e) => this.#number(e));
    const reach = along?.live === undefined ? lanes : this.#number(along.live);
    if (along?.packed && strides[along.dim] !== 1)
      this.#fail(`access ${access} is not packed along ${along.dim}`);
    const { memory, offset } = this.#memory(there);
    const each = along?.each === undefined ? [] : this.#value(along.each.index);
    const places: number[] = [];
    for (let l = 0; l < reach; l++) {
      let element = offset;
      for (const [d, extent] of extents.entries()) {
        const x = d === along?.each?.dim ? each[l]! : first[d]! + (along?.dim === d ? l : 0);
        if (!(x >= 0 && x < extent))
          this.#fail(`${x} along dimension ${d} of access ${access}, which has ${extent}`);
        element += x * strides[d]!;
      }
      if (!(element >= 0 && element < memory.length)) this.#fail(`element ${element} of ${memory.length}`);
      places.push(element);
    }
    return { memory, places };
  }

  #memory(access: Access): { memory: TypedArray; offset: number } {
    if (!("local" in access.memory)) return this.#args[access.memory.argument]!;
    let memory = this.#locals.get(access);
    if (memory === undefined) {
      memory = new cells[access.cell](access.memory.local);
      this.#locals.set(access, memory);
    }
    return { memory, offset: 0 };
  }

  #operand({ place, sizes }: Operand): TileView {
    const most = sizes.map((e) => this.#number(e));
    const there = this.#kernel.accesses[place.access]!;
    const { strides } = this.#shape(there);
    // What lies between its first element and its last is inside of the access, as these are.
    const corner = (far: 0 | 1) => {
      const at = place.at.map((e, d) => ops.add(e, count(far * Math.max(0, most[d]! - 1))));
      return this.#elements({ access: place.access, at }, 1);
    };
    const { memory } = this.#memory(there);
    const first = most.includes(0) ? 0 : corner(0).places[0]!;
    if (!most.includes(0)) corner(1);
    const { scalar } = typeOfCell(there.cell);
    const element = (at: readonly number[]): number => {
      let sum = first;
      for (const [d, stride] of strides.entries()) {
        if (!(at[d]! >= 0 && at[d]! < most[d]!))
          this.#fail(`${at} is outside of a tile's operand of ${most}`);
        sum += at[d]! * stride;
      }
      return sum;
    };
    return {
      sizes: most,
      get: (...at) => memory[element(at)]!,
      set: (value, ...at) => {
        memory[element(at)] = rounded(scalar, value);
      },
    };
  }

  /** Carries out statements; yields at barriers. */
  *run(body: readonly Stmt[]): Generator<undefined, Flow> {
    for (const s of body) {
      const flow = yield* this.#statement(s);
      if (flow !== undefined) return flow;
    }
    return undefined;
  }

  *#statement(s: Stmt): Generator<undefined, Flow> {
    switch (s.op) {
      case "let":
      case "var":
      case "set":
        this.#values.set(s.name, this.#value(s.value));
        return undefined;
      case "for":
        yield* this.#loop(s);
        return undefined;
      case "while":
        while (this.#number(s.test) !== 0) if ((yield* this.run(s.body)) === "break") break;
        return undefined;
      case "if":
        return yield* this.run(this.#number(s.test) !== 0 ? s.body : s.otherwise);
      case "store": {
        const value = this.#value(s.value);
        const { memory, places } = this.#elements(s.place, value.length);
        for (const [l, at] of places.entries()) memory[at] = value[l]!;
        return undefined;
      }
      case "copy": {
        const live = s.count;
        const [to, from] = [s.to, s.from].map((p) =>
          this.#elements({ ...p, along: { ...p.along!, live } }, 1),
        );
        for (const [l, at] of to!.places.entries()) to!.memory[at] = from!.memory[from!.places[l]!]!;
        return undefined;
      }
      case "call":
        if (this.#thread === 0) s.tile.meaning(s.operands.map((operand) => this.#operand(operand)));
        return undefined;
      case "prefetch":
        return undefined;
      case "barrier":
        yield;
        return undefined;
      case "break":
        return "break";
    }
  }

  *#loop(s: Extract<Stmt, { op: "for" }>): Generator<undefined, void> {
    const to = this.#number(s.to);
    let i = this.#number(s.from);
    let turn = 0;
    for (const { by, body, enter = [], leave = [] } of s.steps) {
      if (i + by > to) continue;
      yield* this.run(enter);
      for (; i + by <= to; i += by) {
        if (s.parallel === "threads" && turn++ % this.#kernel.threads !== this.#thread) continue;
        this.#values.set(s.index, [i]);
        yield* this.run(body);
      }
      yield* this.run(leave);
    }
    if (s.rest === undefined || i >= to) return;
    if (s.parallel === "threads" && turn % this.#kernel.threads !== this.#thread) return;
    this.#values.set(s.index, [i]);
    this.#values.set(s.rest.live, [to - i]);
    yield* this.run(s.rest.body);
  }
}

const typeOfCell = (cell: Cell): Type => ({ scalar: scalarOf(cell), lanes: 1 });
