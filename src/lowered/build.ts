import { InternalError } from "../base/errors.ts";
import type {
  Access,
  Binary,
  Comparison,
  Expr,
  LibraryFunction,
  Lowered,
  Name,
  Operand,
  Param,
  Place,
  Scalar,
  Step,
  Stmt,
  Tile,
  Type,
  Unary,
} from "./ir.ts";
import { scalarOf } from "./ir.ts";

/** A scalar type, or a vector of so many lanes. */
export const typeOf = (scalar: Scalar, lanes = 1): Type => ({ scalar, lanes });

const sameType = (a: Type, b: Type): boolean => a.scalar === b.scalar && a.lanes === b.lanes;

/** A number in all lanes. */
export const constant = (type: Type, value: number): Expr => ({ op: "const", type, value });
/** A number of elements. */
export const count = (value: number): Expr => constant(typeOf("index"), value);
/** What a call brings. */
export const param = (p: Param): Expr => ({ op: "param", type: typeOf("index"), param: p });

const isConst = (e: Expr, value: number): boolean =>
  e.op === "const" && e.value === value && e.type.scalar === "index";

/** Sums and products of numbers that are known. */
const folded: { readonly [O in Binary]?: (a: number, b: number) => number } = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
};

const comparisons: ReadonlySet<string> = new Set<Comparison>(["eq", "ne", "lt", "le"]);

/** An operation on two values of one type; sums and products of indices with 0 and 1 are what is left. */
function binary(op: Binary, a: Expr, b: Expr): Expr {
  if (!sameType(a.type, b.type))
    throw new InternalError(
      `${op} of ${a.type.scalar} × ${a.type.lanes} and ${b.type.scalar} × ${b.type.lanes}`,
    );
  if ((op === "add" || op === "sub") && isConst(b, 0)) return a;
  if (op === "add" && isConst(a, 0)) return b;
  if ((op === "mul" || op === "div") && isConst(b, 1)) return a;
  if (op === "mul" && isConst(a, 1)) return b;
  if (op === "mul" && (isConst(a, 0) || isConst(b, 0))) return count(0);
  const fold = folded[op];
  if (fold !== undefined && a.op === "const" && b.op === "const" && a.type.scalar === "index")
    return count(fold(a.value, b.value));
  const type = comparisons.has(op) ? typeOf("bool", a.type.lanes) : a.type;
  return { op, type, args: [a, b] };
}

const of =
  (op: Binary) =>
  (a: Expr, b: Expr): Expr =>
    binary(op, a, b);

/** Expressions by what they do; operands of two have one type. */
export const ops = {
  add: of("add"),
  sub: of("sub"),
  mul: of("mul"),
  div: of("div"),
  rem: of("rem"),
  min: of("min"),
  max: of("max"),
  atMost: of("atMost"),
  atLeast: of("atLeast"),
  and: of("and"),
  or: of("or"),
  xor: of("xor"),
  shl: of("shl"),
  shr: of("shr"),
  eq: of("eq"),
  ne: of("ne"),
  lt: of("lt"),
  le: of("le"),
  not: (a: Expr): Expr => ({ op: "not", type: a.type, args: [a] }),
  unary: (op: Unary, a: Expr): Expr => ({ op, type: a.type, args: [a] }),
  /** A function of the target's library; `live`: of how many lanes, if not of all. */
  library: (op: LibraryFunction, args: readonly [Expr, ...Expr[]], live?: Expr): Expr => ({
    op,
    type: args[0].type,
    args,
    ...(live && { live }),
  }),
  /** a · b + c, rounded once. */
  fma: (a: Expr, b: Expr, c: Expr): Expr => ({ op: "fma", type: a.type, args: [a, b, c] }),
  /** `a` where the test holds, `b` elsewhere. */
  select: (test: Expr, a: Expr, b: Expr): Expr => ({ op: "select", type: a.type, args: [test, a, b] }),
  /** As another scalar. */
  convert: (a: Expr, scalar: Scalar): Expr =>
    a.type.scalar === scalar ? a : { op: "convert", type: typeOf(scalar, a.type.lanes), args: [a] },
  /** The same bits as another scalar. */
  bits: (a: Expr, scalar: Scalar): Expr => ({ op: "bits", type: typeOf(scalar, a.type.lanes), args: [a] }),
  /** A scalar in all lanes. */
  splat: (a: Expr, lanes: number): Expr =>
    lanes === 1 ? a : { op: "splat", type: typeOf(a.type.scalar, lanes), args: [a] },
  /** One lane of a vector. */
  lane: (a: Expr, which: number): Expr => ({
    op: "lane",
    type: typeOf(a.type.scalar),
    args: [a],
    lane: which,
  }),
  /** Lane i is lane i + by, around. */
  rotate: (a: Expr, by: number): Expr => ({ op: "rotate", type: a.type, args: [a], by }),
  /** Lanes of two vectors, numbered through. */
  shuffle: (a: Expr, b: Expr, from: readonly number[]): Expr => ({
    op: "shuffle",
    type: a.type,
    args: [a, b],
    from,
  }),
  /** The numbers of the lanes. */
  iota: (lanes: number): Expr => ({ op: "iota", type: typeOf("i32", lanes) }),
  /** So many lanes of a vector as f64, the `part`th of them. */
  widen: (a: Expr, part: number, lanes: number): Expr => ({
    op: "widen",
    type: typeOf("f64", lanes),
    args: [a],
    part,
  }),
  /** Parts as one vector of 32-bit lanes. */
  narrow: (parts: readonly Expr[], scalar: "f32" | "i32"): Expr => ({
    op: "narrow",
    type: typeOf(
      scalar,
      parts.reduce((n, part) => n + part.type.lanes, 0),
    ),
    args: parts,
  }),
  /** Whether any lane of a mask is set. */
  any: (a: Expr): Expr => ({ op: "any", type: typeOf("bool"), args: [a] }),
  /** Whether 0 ≤ a < limit. */
  inside: (a: Expr, limit: Expr): Expr => ({ op: "inside", type: typeOf("bool"), args: [a, limit] }),
  /** `a`, of which it is known that 0 ≤ a < limit. */
  within: (a: Expr, limit: Expr, why: string): Expr => ({
    op: "within",
    type: a.type,
    args: [a, limit],
    why,
  }),
};

/** What a name stands for. */
export const ref = (name: Name): Expr => ({ op: "ref", type: name.type, name });

/** How a `for` goes: see the statement. */
export interface LoopOptions {
  readonly from?: Expr;
  readonly hint?: string;
  readonly parallel?: "tasks" | "threads";
  readonly unroll?: boolean;
  /** Writes a step: what comes before and after its turns, where it has any, and between these, by `turns`, those. */
  around?(by: number, turns: () => void): void;
}

/** Builds a kernel: methods append statements where the innermost body that is being written ends. */
export class KernelBuilder {
  readonly #accesses: Access[] = [];
  #body: Stmt[] = [];

  /** An argument, or a buffer of the kernel's own; gives its number. */
  access(access: Access): number {
    return this.#accesses.push(access) - 1;
  }
  /** A buffer that a group shares, in rows. */
  local(cell: Access["cell"], extents: readonly number[]): number {
    const product = (list: readonly number[]) => list.reduce((a, b) => a * b, 1);
    const strides = extents.map((_, d) => count(product(extents.slice(d + 1))));
    return this.buffer(cell, product(extents), extents, strides);
  }
  /** A buffer of so many elements, of which those that coordinates lead to may overlap. */
  buffer(cell: Access["cell"], size: number, extents: readonly number[], strides: readonly Expr[]): number {
    return this.access({
      cell,
      memory: { local: size },
      extents: extents.map(count),
      strides,
      written: true,
    });
  }
  /** What an element holds, or a vector of them. */
  load(place: Place, lanes = 1): Expr {
    return { op: "load", type: typeOf(scalarOf(this.#accesses[place.access]!.cell), lanes), place };
  }
  /** Computes once; gives what may be used any number of times. */
  let(hint: string, value: Expr): Expr {
    const name = { hint, type: value.type };
    this.#body.push({ op: "let", name, value });
    return ref(name);
  }
  /** A variable; an index's bounds hold whenever it is read. */
  var(hint: string, value: Expr, bounds?: { readonly least: Expr; readonly below: Expr }): Name {
    const name = { hint, type: value.type };
    this.#body.push({ op: "var", name, value, ...(bounds && { bounds }) });
    return name;
  }
  set(name: Name, value: Expr): void {
    if (!sameType(name.type, value.type)) throw new InternalError(`${name.hint} is set to another type`);
    this.#body.push({ op: "set", name, value });
  }
  store(place: Place, value: Expr): void {
    this.#body.push({ op: "store", place, value });
  }
  copy(to: Place, from: Place, elements: Expr): void {
    this.#body.push({ op: "copy", to, from, count: elements });
  }
  prefetch(place: Place): void {
    this.#body.push({ op: "prefetch", place });
  }
  barrier(): void {
    this.#body.push({ op: "barrier" });
  }
  break(): void {
    this.#body.push({ op: "break" });
  }
  call(tile: Tile, operands: readonly Operand[]): void {
    this.#body.push({ op: "call", tile, operands });
  }

  /** The statements that `write` appends. */
  #inner(write: () => void): Stmt[] {
    const outer = this.#body;
    this.#body = [];
    write();
    const inner = this.#body;
    this.#body = outer;
    return inner;
  }
  /** Indices from 0 (or `from`) to below `to`, one by one. */
  for(to: Expr, body: (index: Expr) => void, options: LoopOptions = {}): void {
    this.steps(to, [1], (index) => body(index), undefined, options);
  }
  /** The same in steps, larger before smaller; `rest` does what is left, `live` of them. */
  steps(
    to: Expr,
    steps: readonly number[],
    body: (index: Expr, by: number) => void,
    rest?: (index: Expr, live: Expr) => void,
    { from = count(0), hint = "i", parallel, unroll, around }: LoopOptions = {},
  ): void {
    const index = { hint, type: typeOf("index") };
    const live = { hint: "live", type: typeOf("index") };
    const step = (by: number): Step => {
      const turn = () => this.#inner(() => body(ref(index), by));
      if (around === undefined) return { by, body: turn() };
      let turns: Stmt[] = [];
      let enter: Stmt[] = [];
      const leave = this.#inner(() =>
        around(by, () => {
          turns = turn();
          enter = this.#body;
          this.#body = [];
        }),
      );
      return { by, body: turns, enter, leave };
    };
    this.#body.push({
      op: "for",
      index,
      from,
      to,
      steps: steps.map(step),
      ...(rest && { rest: { live, body: this.#inner(() => rest(ref(index), ref(live))) } }),
      ...(parallel && { parallel }),
      ...(unroll && { unroll }),
    });
  }
  while(test: Expr, body: () => void): void {
    this.#body.push({ op: "while", test, body: this.#inner(body) });
  }
  if(test: Expr, body: () => void, otherwise: () => void = () => {}): void {
    this.#body.push({ op: "if", test, body: this.#inner(body), otherwise: this.#inner(otherwise) });
  }

  /** The kernel. */
  kernel(name: string, options: { readonly status?: number; readonly threads?: number } = {}): Lowered {
    const { status = null, threads = 1 } = options;
    return { name, accesses: this.#accesses, status, threads, body: this.#body };
  }
}
