import { InternalError } from "../../base/errors.ts";
import { type ArgsLayout, strideWord } from "../../codegen/args.ts";
import { Cursors, type Term } from "../../lowered/cursors.ts";
import {
  bodiesOf,
  type Expr,
  type Lowered,
  type Name,
  type Param,
  type Place,
  partsOf,
  type Scalar,
  type Stmt,
  type Type,
} from "../../lowered/ir.ts";
import {
  cellBytes,
  eachExpr,
  eachPart,
  indexKey,
  infix,
  isInvariant,
  libraryFunctions,
  localBytes,
  type Operation,
} from "../../lowered/walk.ts";
import { literal } from "./literal.ts";
import { loadApart, loadRow, storeVector } from "./memory.ts";
import { preludeC } from "./prelude.ts";
import { type CTarget, vectorsOf } from "./target.ts";
import { type CVectors, isFloat, scalars } from "./types.ts";
import type { CUnit } from "./unit.ts";
import { CVectorPrinter } from "./vectors.ts";
import { CWriter } from "./writer.ts";

/** An operand of a leaf: a `char *`, and along each dimension a stride in bytes and a size. */
export interface COperand {
  readonly pointer: string;
  readonly strides: readonly string[];
  readonly sizes: readonly string[];
}

/** Has a function before the kernel's, once by its name. */
export type Define = (name: string, text: string) => void;

/** The leaves that are written by hand, by their names. */
export type CTiles = {
  readonly [name: string]: (w: CWriter, operands: readonly COperand[], define: Define) => void;
};

/** A lowered kernel as a unit of C; `layout` says where its arguments are, `wide` whether it has vectors of f64 in memory. */
export function printC(
  kernel: Lowered,
  layout: ArgsLayout,
  target: CTarget,
  wide: boolean,
  tiles: CTiles = {},
): CUnit {
  const printer = new CPrinter(kernel, layout, vectorsOf(target, wide), tiles);
  const body = printer.print();
  return { prelude: preludeC(target, wide), functions: [...printer.functions.values()], body };
}

class CPrinter {
  readonly #kernel: Lowered;
  readonly #layout: ArgsLayout;
  readonly #unit: CVectors;
  readonly #tiles: CTiles;
  readonly #w = new CWriter();
  /** What leaves have before the kernel's own function, by name. */
  readonly functions = new Map<string, string>();
  readonly #vectors: CVectorPrinter;
  readonly #names = new Map<Name, string>();
  readonly #words = new Map<number, string>();
  readonly #invariants = new Map<string, string>();
  readonly #keys = new Map<Expr, string | null>();
  readonly #pointers: string[] = [];
  readonly #cursors = new Cursors(this.#pointers, this.#names, true);

  constructor(kernel: Lowered, layout: ArgsLayout, unit: CVectors, tiles: CTiles) {
    if (kernel.threads !== 1) throw new InternalError(`C: kernel ${kernel.name} is for groups of threads`);
    this.#kernel = kernel;
    this.#layout = layout;
    this.#unit = unit;
    this.#tiles = tiles;
    this.#vectors = new CVectorPrinter(this.#w, unit, (e) => this.#expr(e));
  }

  print(): string {
    const w = this.#w;
    w.block("void run(const i64 *args, i64 begin, i64 end, char *scratch)", () => {
      w.line("(void)scratch;");
      for (const at of [...this.#layout.extents, ...this.#layout.block])
        this.#words.set(at, w.define("i64", `args[${at}]`, "n"));
      const stride = (e: Expr) => {
        if (e.op !== "param" || e.param.kind !== "stride") return;
        const at = strideWord(this.#layout, e.param.access, e.param.dim);
        if (!this.#words.has(at)) this.#words.set(at, w.define("i64", `args[${at}]`, "s"));
      };
      for (const { strides } of this.#kernel.accesses) for (const e of strides) eachPart(e, stride);
      const indices: Expr[] = [];
      eachExpr(this.#kernel.body, (e) => {
        if (e.type.scalar !== "index" || e.op === "ref" || e.op === "const") return;
        stride(e);
        indices.push(e);
      });
      let local = 0;
      for (const access of this.#kernel.accesses) {
        const { memory } = access;
        const name = w.name("p");
        this.#pointers.push(name);
        if ("local" in memory) {
          w.line(`char *const ${name} = scratch + ${local};`);
          local += localBytes(access);
        } else
          w.line(`char *const ${name} = (char *)args[${this.#layout.accesses[memory.argument]!.pointer}];`);
      }
      // Compilers leave divisions where they are, in loops of one turn too.
      for (const e of indices) this.#keep(e);
      const { status } = this.#kernel;
      if (status !== null) w.line(`if (*(const i32_m *)${this.#pointers[status]}) return;`);
      this.#body(this.#kernel.body);
    });
    return w.toString();
  }

  /** Tells one expression that is the same throughout a call, and is more than a word or a number, from others. */
  #key(e: Expr): string | null {
    // Most expressions are values, and need not be looked up.
    if (e.type.scalar !== "index" || e.op === "ref" || e.op === "const") return null;
    let key = this.#keys.get(e);
    if (key === undefined) {
      const isMore =
        "args" in e || (e.op === "param" && (e.param.kind === "stride" || e.param.kind === "offset"));
      key = isMore && isInvariant(e) ? indexKey(e) : null;
      this.#keys.set(e, key);
    }
    return key;
  }

  /** Computes what is the same throughout a call, parts first. */
  #keep(e: Expr): void {
    const key = this.#key(e);
    if (key === null || this.#invariants.has(key)) return;
    for (const part of partsOf(e)) this.#keep(part);
    this.#invariants.set(key, this.#w.define("i64", this.#expr(e), "x"));
  }

  #name(name: Name): string {
    // Apart from what else there is: `i64` is a type.
    const text = this.#w.name(`${name.hint}_`);
    this.#names.set(name, text);
    return text;
  }

  #type({ scalar, lanes }: Type): string {
    return lanes === 1 ? scalars[scalar] : this.#vectors.type({ scalar, lanes });
  }

  #body(body: readonly Stmt[]): void {
    for (const s of body) this.#statement(s);
  }

  #statement(s: Stmt): void {
    const w = this.#w;
    switch (s.op) {
      case "let":
      case "var": {
        const value = this.#expr(s.value);
        const constant = s.op === "let" ? "const " : "";
        w.line(`${constant}${this.#type(s.name.type)} ${this.#name(s.name)} = ${value};`);
        if (s.op === "let") this.#cursors.keeps(s.name);
        break;
      }
      case "set":
        w.line(`${this.#names.get(s.name)} = ${this.#expr(s.value)};`);
        break;
      case "for":
        this.#loop(s);
        break;
      case "while":
        w.block(`while (${this.#expr(s.test)})`, () => this.#body(s.body));
        break;
      case "break":
        w.line("break;");
        break;
      case "if":
        w.block(`if (${this.#expr(s.test)})`, () => this.#body(s.body));
        if (s.otherwise.length > 0) w.block("else", () => this.#body(s.otherwise));
        break;
      case "store":
        this.#store(s.place, s.value);
        break;
      case "copy": {
        const count = this.#scaled(s.count, this.#bytes(s.to.access));
        w.line(`__builtin_memcpy(${this.#address(s.to)}, ${this.#address(s.from)}, ${count});`);
        break;
      }
      // One thread is a group.
      case "barrier":
        break;
      case "prefetch":
        w.line(`__builtin_prefetch(${this.#address(s.place)}, 0, 2);`);
        break;
      case "call": {
        const tile = this.#tiles[s.tile.name];
        if (tile === undefined) throw new InternalError(`C: no leaf is called ${s.tile.name}`);
        const operands = s.operands.map(({ place, sizes }) => ({
          pointer: this.#address(place),
          strides: place.at.map((_, d) => this.#stride(place.access, d)),
          sizes: sizes.map((e) => this.#expr(e)),
        }));
        tile(w, operands, (name, text) => this.functions.set(name, text));
      }
    }
  }

  #loop(loop: Extract<Stmt, { op: "for" }>): void {
    const { index, from, to, steps, rest, parallel, unroll } = loop;
    const w = this.#w;
    if (unroll && from.op === "const" && to.op === "const") {
      for (let i = from.value; i < to.value; i++)
        w.block("", () => {
          w.line(`const i64 ${this.#name(index)} = ${i};`);
          this.#body(steps[0]!.body);
        });
      return;
    }
    const tasks = parallel === "tasks";
    const simple = to.op === "const" || isInvariant(to);
    const end = tasks ? "end" : simple ? this.#expr(to) : w.define("i64", this.#expr(to), "end");
    const first = tasks ? "begin" : this.#expr(from);
    const i = this.#name(index);
    w.line(`i64 ${i} = ${first};`);
    const moving = this.#cursors.enter(index, bodiesOf(loop), (place, start, terms) => {
      const local = w.name("q");
      w.line(`char *${local} = ${this.#sum(place, start, terms)};`);
      return local;
    });
    for (const { by, body, enter = [], leave = [] } of steps) {
      const on = moving.map(({ local, place, dim }) => {
        const stride = this.#strideOf(place, dim);
        return `${local} += ${by === 1 ? stride : `${by} * ${stride}`}`;
      });
      const test = by === 1 ? `${i} < ${end}` : `${i} + ${by} <= ${end}`;
      const turns = () =>
        w.block(`for (; ${test}; ${[`${i} += ${by}`, ...on].join(", ")})`, () => this.#body(body));
      if (enter.length + leave.length === 0) turns();
      else
        w.block(`if (${test})`, () => {
          this.#body(enter);
          turns();
          this.#body(leave);
        });
    }
    if (rest === undefined) return;
    w.block(`if (${i} < ${end})`, () => {
      w.line(`const i64 ${this.#name(rest.live)} = ${end} - ${i};`);
      this.#cursors.keeps(rest.live);
      this.#body(rest.body);
    });
  }

  #bytes(access: number): number {
    return cellBytes[this.#kernel.accesses[access]!.cell];
  }

  /** The stride of an access along a dimension, in bytes. */
  #stride(access: number, d: number): string {
    return this.#scaled(this.#kernel.accesses[access]!.strides[d]!, this.#bytes(access));
  }

  /** A number of elements, in bytes: words have strides in bytes already. */
  #scaled(e: Expr, bytes: number): string {
    if (e.op === "param" && e.param.kind === "stride") return this.#word(e);
    return e.op === "const" ? `${e.value * bytes}` : `${this.#expr(e)} * ${bytes}`;
  }

  #word({ param }: { readonly param: Param }): string {
    const { extents, block, accesses } = this.#layout;
    if (param.kind === "offset") return `args[${accesses[param.access]!.pointer}]`;
    if (param.kind === "stride") return this.#words.get(strideWord(this.#layout, param.access, param.dim))!;
    return this.#words.get((param.kind === "extent" ? extents : block)[param.dim]!)!;
  }

  /** The stride of a place: packed elements follow each other. */
  #strideOf({ access, along }: Place, d: number): string {
    return along?.packed && along.dim === d ? `${this.#bytes(access)}` : this.#stride(access, d);
  }

  /** A `char *` expression. */
  #address(place: Place): string {
    const { local, left } = this.#cursors.of(place);
    return this.#sum(place, local, left);
  }

  #sum(place: Place, from: string, terms: readonly Term[]): string {
    const texts = terms.flatMap(({ dim, index }) => {
      const stride = this.#strideOf(place, dim);
      return (index.op === "const" && index.value === 0) || stride === "0"
        ? []
        : [`${this.#expr(index)} * ${stride}`];
    });
    return [from, ...texts].join(" + ");
  }

  /** How many lanes there are; null: all. */
  #live({ along }: Place): string | null {
    return along?.live === undefined ? null : `(int)${this.#expr(along.live)}`;
  }

  #store(place: Place, value: Expr): void {
    const { cell } = this.#kernel.accesses[place.access]!;
    const text = this.#expr(value);
    const address = this.#address(place);
    if (value.type.lanes === 1) {
      this.#w.line(`*(${cell}_m *)(${address}) = ${text};`);
      return;
    }
    const { along } = place;
    const named = /^\w+$/.test(text) ? text : this.#w.define(this.#type(value.type), text);
    const step = along === undefined || along.packed ? null : this.#stride(place.access, along.dim);
    storeVector(this.#w, this.#unit, cell, this.#live(place), address, step, named);
  }

  #load(place: Place, type: Type): string {
    const { cell } = this.#kernel.accesses[place.access]!;
    const { along } = place;
    const address = this.#address(place);
    if (type.lanes === 1) return `*(const ${cell}_m *)(${address})`;
    const live = this.#live(place);
    if (along?.packed) return loadRow(this.#w, cell, live, address);
    const pointer = /^\w+$/.test(address) ? address : this.#w.define("char *", address, "q");
    const step = along === undefined ? "0" : this.#stride(place.access, along.dim);
    const own = along?.each && {
      index: this.#expr(along.each.index),
      stride: this.#stride(place.access, along.each.dim),
    };
    return loadApart(this.#w, this.#unit, cell, live, (lane) => {
      const moved = step === "0" ? pointer : `${pointer} + ${lane} * ${step}`;
      return own === undefined ? moved : `${moved} + (i64)${own.index}[${lane}] * ${own.stride}`;
    });
  }

  #expr(e: Expr): string {
    const { scalar, lanes } = e.type;
    const key = this.#key(e);
    const known = key === null ? undefined : this.#invariants.get(key);
    if (known !== undefined) return known;
    switch (e.op) {
      case "const":
        return this.#constant(e.type, e.value);
      case "param":
        if (e.param.kind !== "stride") return this.#word(e);
        return `(${this.#word(e)} / ${this.#bytes(e.param.access)})`;
      case "ref":
        return this.#names.get(e.name)!;
      case "load":
        return this.#load(e.place, e.type);
      case "iota":
        return `(vi){${Array.from({ length: lanes }, (_, l) => l).join(", ")}}`;
      default:
        return lanes === 1 ? this.#scalar(e, scalar) : this.#vectors.operation(e);
    }
  }

  #constant(type: Type, value: number): string {
    const { scalar, lanes } = type;
    if (lanes > 1) return this.#vectors.constant(type, value);
    if (scalar === "index" || scalar === "i64" || scalar === "bool") return `${value}`;
    return scalar === "u32" ? `${value >>> 0}u` : literal(scalar, value);
  }

  #scalar(e: Operation, scalar: Scalar): string {
    const args = e.args.map((a) => this.#expr(a));
    const [a, b, c] = args as [string, string, string];
    const from = e.args[0]!.type;
    const suffix = from.scalar === "f32" ? "f" : "";
    /** Names for operands that are used more than once. */
    const named = (body: string) =>
      `({ const ${scalars[from.scalar]} x = ${a}${b === undefined ? "" : `, y = ${b}`}; ${body}; })`;
    const operator = infix[e.op];
    if (operator !== undefined) {
      if (from.scalar === "bool" && (e.op === "and" || e.op === "or"))
        return `(${a} ${operator}${operator} ${b})`;
      const wraps = from.scalar === "i32" && ["add", "sub", "mul", "shl"].includes(e.op);
      return wraps ? `(int)((unsigned)${a} ${operator} (unsigned)${b})` : `(${a} ${operator} ${b})`;
    }
    switch (e.op) {
      case "within":
        return a;
      case "inside":
        return `((__UINT64_TYPE__)${a} < (__UINT64_TYPE__)${b})`;
      case "any":
        return `any_vi(${a})`;
      case "lane":
        return from.scalar === "bool" ? `(${a}[${e.lane}] & 1)` : `${a}[${e.lane}]`;
      case "select":
        return `(${a} ? ${b} : ${c})`;
      case "fma":
        return `__builtin_fma${suffix}(${args.join(", ")})`;
      case "not":
        return scalar === "bool" ? `!${a}` : `~${a}`;
      case "neg":
        return isFloat(from)
          ? `-${a}`
          : `(${scalars[scalar]})-(${scalar === "index" ? "i64" : "unsigned"})${a}`;
      case "abs":
        return isFloat(from) ? `__builtin_fabs${suffix}(${a})` : named("x < 0 ? 0 - x : x");
      case "round":
        return `__builtin_roundeven${suffix}(${a})`;
      case "min":
      case "max": {
        const less = e.op === "min" ? "<" : ">";
        if (!isFloat(from)) return named(`x ${less} y ? x : y`);
        const zeros = `(__builtin_signbit(x) ? ${e.op === "min" ? "x : y" : "y : x"})`;
        return named(`x != x ? x : y != y ? y : x == y ? ${zeros} : x ${less} y ? x : y`);
      }
      case "convert":
        if (scalar === "bool") return `(${a} != 0)`;
        if (!isFloat(from) || isFloat(e.type)) return `(${scalars[scalar]})${a}`;
        return named(
          scalar === "u32"
            ? "x > 0 ? x < 4294967296.0 ? (unsigned)x : -1u : 0u"
            : "x != x ? 0 : x < -2147483648.0 ? -2147483647 - 1 : x < 2147483648.0 ? (int)x : 2147483647",
        );
      case "bits":
        return named(`${scalars[scalar]} r; __builtin_memcpy(&r, &x, 4); r`);
      default:
        // In f64 those of the library; beside them floor, ceil, trunc and sqrt.
        if (libraryFunctions.has(e.op)) return `(${scalars[scalar]})__builtin_${e.op}(${args.join(", ")})`;
        return `__builtin_${e.op}${suffix}(${args.join(", ")})`;
    }
  }
}
