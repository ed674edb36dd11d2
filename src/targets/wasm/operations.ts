import { InternalError } from "../../base/errors.ts";
import type { Expr, LibraryFunction, Scalar, Type } from "../../lowered/ir.ts";
import { libraryFunctions, type Operation } from "../../lowered/walk.ts";
import type { FunctionBuilder, WasmType } from "./emitter.ts";

/** The wasm type of one lane, and of vectors of them. */
const laneType = (scalar: Scalar): "f32" | "f64" | "i32" =>
  scalar === "f32" || scalar === "f64" ? scalar : "i32";
type Shape = "f32x4" | "f64x2" | "i32x4" | "i64x2";
const shapes: { readonly [S in Scalar]?: Shape } = { f32: "f32x4", f64: "f64x2", i64: "i64x2" };
const shapeOf = (scalar: Scalar): Shape => shapes[scalar] ?? "i32x4";
/** The type of a value's local. */
export const localType = ({ scalar, lanes }: Type): WasmType => (lanes > 1 ? "v128" : laneType(scalar));

/** Instructions of floats by the names of operations, and of integers. */
const floatNames: { readonly [op: string]: string } = { round: "nearest", atMost: "pmin", atLeast: "pmax" };
const integerNames: { readonly [op: string]: string } = {
  lt: "lt_s",
  le: "le_s",
  div: "div_s",
  rem: "rem_s",
  shr: "shr_s",
};
const unsignedNames: { readonly [op: string]: string } = {
  lt: "lt_u",
  le: "le_u",
  div: "div_u",
  rem: "rem_u",
  shr: "shr_u",
};

const isComparison = (op: string): boolean => op === "eq" || op === "ne" || op === "lt" || op === "le";
const isZero = (e: Expr): boolean => e.op === "const" && Object.is(e.value, 0);

/** Bytes of two vectors: of each lane of 64 bits the low half; of each vector the low half; of one the high half. */
const lowHalves = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
const joined = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const highHalf = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];

/** What a function of the library is called where it is imported, and what it takes beside its arguments. */
export const importOf = (op: LibraryFunction): { readonly name: string; readonly more: readonly number[] } =>
  op === "erf" || op === "erfc"
    ? { name: "errorFunction", more: [op === "erfc" ? 1 : 0] }
    : { name: op, more: [] };

/** How the parts of an expression come onto the stack, and into locals. */
export interface Values {
  readonly f: FunctionBuilder;
  push(e: Expr): void;
  /** The local of what `write` leaves on the stack. */
  kept(type: WasmType, write: () => void): number;
}

/** What expressions leave on the stack, but for those that reach memory. */
export class Operations {
  readonly #values: Values;
  readonly #f: FunctionBuilder;
  readonly #relaxed: boolean;
  readonly #functions: ReadonlyMap<LibraryFunction, number>;

  /** `relaxed`: whether `fma` of vectors may be a relaxed one; `functions`: numbers of those that are imported. */
  constructor(values: Values, relaxed: boolean, functions: ReadonlyMap<LibraryFunction, number>) {
    this.#values = values;
    this.#f = values.f;
    this.#relaxed = relaxed;
    this.#functions = functions;
  }

  constant({ scalar, lanes }: Type, value: number): void {
    const f = this.#f;
    if (lanes === 1) {
      if (scalar === "f32" || scalar === "f64") f[scalar](value);
      else f.i32(value | 0);
    } else if (scalar === "bool") f.i32x4(-value);
    else if (scalar === "f32" || scalar === "f64") f[shapeOf(scalar) as "f32x4" | "f64x2"](value);
    else f.i32x4(value | 0);
  }

  operation(e: Operation): void {
    const f = this.#f;
    const { scalar, lanes } = e.type;
    const from = e.args[0]!.type;
    const type = from.lanes > 1 ? shapeOf(from.scalar) : laneType(from.scalar);
    const isFloat = from.scalar === "f32" || from.scalar === "f64";
    const all = () => {
      for (const a of e.args) this.#values.push(a);
    };
    switch (e.op) {
      case "within":
        this.#values.push(e.args[0]);
        return;
      case "inside":
        all();
        // Unsigned, a negative index is a large one.
        f.op("i32.lt_u");
        return;
      case "select": {
        const [test, a, b] = e.args;
        // A zero on either side takes one instruction.
        const rest = lanes === 1 ? [a, b] : [a, b].filter((x) => !isZero(x));
        for (const x of rest.length === 0 ? [a] : rest) this.#values.push(x);
        if (lanes === 1) this.#values.push(test);
        else this.#mask(test, scalar === "f64");
        if (rest.length === 2) f.op(lanes > 1 ? "v128.bitselect" : "select");
        else f.op(rest[0] === b ? "v128.andnot" : "v128.and");
        return;
      }
      case "fma":
        if (this.#relaxed && lanes > 1) {
          all();
          f.op(`${type}.relaxed_madd`);
          return;
        }
        this.#values.push(e.args[0]);
        this.#values.push(e.args[1]);
        f.op(`${type}.mul`);
        this.#values.push(e.args[2]);
        f.op(`${type}.add`);
        return;
      case "splat":
        all();
        if (scalar === "bool") {
          f.op("i32x4.splat", "i32x4.neg");
        } else f.op(`${shapeOf(scalar)}.splat`);
        return;
      case "lane":
        all();
        f.lane(`${type}.extract_lane`, e.lane);
        if (scalar === "bool") {
          f.i32(1);
          f.op("i32.and");
        }
        return;
      case "rotate": {
        const bytes = scalar === "f64" ? 8 : 4;
        const width = bytes * lanes;
        const vector = this.#values.kept("v128", all);
        f.get(vector);
        f.get(vector);
        f.shuffle(Array.from({ length: 16 }, (_, i) => ((i % width) + e.by * bytes) % width));
        return;
      }
      case "shuffle": {
        all();
        const bytes = scalar === "f64" ? 8 : 4;
        // Lanes of the second operand are in its own register, of which a short vector fills half.
        const first = (l: number) => (l < lanes ? l * bytes : 16 + (l - lanes) * bytes);
        const chosen = e.from.flatMap((l) => Array.from({ length: bytes }, (_, i) => first(l) + i));
        f.shuffle(Array.from({ length: 16 }, (_, i) => chosen[i % chosen.length]!));
        return;
      }
      case "widen":
        all();
        if (e.part > 0) {
          const vector = this.#values.kept("v128", () => {});
          f.get(vector);
          f.get(vector);
          f.shuffle(highHalf);
        }
        f.op(from.scalar === "f32" ? "f64x2.promote_low_f32x4" : "f64x2.convert_low_i32x4_s");
        return;
      case "narrow": {
        const by: { readonly [S in Scalar]?: string } =
          scalar === "f32" ? { f64: "f32x4.demote_f64x2_zero" } : { f64: "i32x4.trunc_sat_f64x2_s_zero" };
        for (const part of e.args) {
          this.#values.push(part);
          const name = by[from.scalar];
          if (name !== undefined) f.op(name);
        }
        if (from.scalar === "i64") {
          if (e.args.length === 1) this.#values.push(e.args[0]!);
          f.shuffle(lowHalves);
        } else if (e.args.length > 1) f.shuffle(joined);
        return;
      }
      case "any":
        all();
        f.op("v128.any_true");
        return;
      case "convert":
        all();
        this.#convert(from, scalar);
        return;
      case "bits":
        all();
        if (lanes > 1 || laneType(from.scalar) === laneType(scalar)) return;
        f.op(scalar === "f32" ? "f32.reinterpret_i32" : "i32.reinterpret_f32");
        return;
      case "not":
        all();
        if (lanes > 1) f.op("v128.not");
        else if (scalar === "bool") f.op("i32.eqz");
        else {
          f.i32(-1);
          f.op("i32.xor");
        }
        return;
      case "and":
      case "or":
      case "xor":
        all();
        f.op(`${lanes > 1 ? "v128" : "i32"}.${e.op}`);
        return;
    }
    if (libraryFunctions.has(e.op)) this.#library(e, type, from);
    else if (isFloat) {
      all();
      f.op(`${type}.${floatNames[e.op] ?? e.op}`);
      if (scalar === "bool" && lanes > 1 && from.scalar === "f64") this.#narrowMask();
    } else this.#integer(e, type, from);
  }

  #integer(e: Operation, type: string, from: Type): void {
    const f = this.#f;
    const [a, b] = e.args as [Expr, Expr];
    const names = from.scalar === "u32" || from.scalar === "i64" ? unsignedNames : integerNames;
    if (from.lanes > 1 && (e.op === "shl" || e.op === "shr")) {
      const name = names[e.op] ?? e.op;
      const same = b.op === "bits" ? b.args[0] : b;
      if (same.op !== "const" && same.op !== "splat") this.#shiftLanes(a, b, name);
      else {
        this.#values.push(a);
        if (same.op === "const") f.i32(same.value);
        else this.#values.push(same.args[0]);
        f.op(`${type}.${name}`);
      }
      return;
    }
    if (from.lanes > 1 || (e.op !== "neg" && e.op !== "abs" && e.op !== "min" && e.op !== "max")) {
      this.#values.push(a);
      if (b !== undefined) this.#values.push(b);
      const extreme =
        e.op === "min" || e.op === "max" ? `${e.op}_${from.scalar === "u32" ? "u" : "s"}` : undefined;
      f.op(`${type}.${extreme ?? names[e.op] ?? e.op}`);
      return;
    }
    const x = this.#values.kept("i32", () => this.#values.push(a));
    const y = this.#values.kept("i32", () => (b === undefined ? f.i32(0) : this.#values.push(b)));
    if (e.op === "neg" || e.op === "abs") {
      f.get(y);
      f.get(x);
      f.op("i32.sub");
      if (e.op === "neg") return;
      f.get(x);
    } else {
      f.get(x);
      f.get(y);
    }
    f.get(x);
    f.get(y);
    f.op(`i32.${e.op === "max" ? "gt" : "lt"}_${from.scalar === "u32" ? "u" : "s"}`, "select");
  }

  /** Shifts each lane of 32 bits by a number of its own. */
  #shiftLanes(a: Expr, b: Expr, name: string): void {
    const f = this.#f;
    const [value, by] = [a, b].map((e) => this.#values.kept("v128", () => this.#values.push(e)));
    f.get(value!);
    for (let lane = 0; lane < a.type.lanes; lane++) {
      for (const local of [value!, by!]) {
        f.get(local);
        f.lane("i32x4.extract_lane", lane);
      }
      f.op(`i32.${name}`);
      f.lane("i32x4.replace_lane", lane);
    }
  }

  /** A mask whose lanes are as wide as those that it chooses. */
  #mask(test: Expr, wide: boolean): void {
    const f = this.#f;
    if (!isComparison(test.op) || !("args" in test)) {
      this.#values.push(test);
      if (wide) f.op("i64x2.extend_low_i32x4_s");
      return;
    }
    const { scalar } = test.args[0]!.type;
    for (const a of test.args) this.#values.push(a);
    const names: { readonly [op: string]: string } = scalar === "u32" ? unsignedNames : integerNames;
    const name = scalar === "f32" || scalar === "f64" ? test.op : (names[test.op] ?? test.op);
    f.op(`${shapeOf(scalar)}.${name}`);
    if (wide && scalar !== "f64") f.op("i64x2.extend_low_i32x4_s");
    if (!wide && scalar === "f64") this.#narrowMask();
  }

  /** The mask of f64 on the stack, in 32-bit lanes. */
  #narrowMask(): void {
    const mask = this.#values.kept("v128", () => {});
    this.#f.get(mask);
    this.#f.get(mask);
    this.#f.shuffle([0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11]);
  }

  /** Makes what is on the stack another scalar. */
  #convert(from: Type, to: Scalar): void {
    const f = this.#f;
    const floats = from.scalar === "f32" || from.scalar === "f64";
    if (from.lanes === 1) {
      const [source, target] = [laneType(from.scalar), laneType(to)];
      if (to === "bool") {
        if (floats) f[from.scalar as "f32"](0);
        else f.i32(0);
        f.op(`${source}.ne`);
      } else if (source === target) return;
      else if (target === "i32") f.op(`i32.trunc_sat_${source}_${to === "u32" ? "u" : "s"}`);
      else if (source === "i32") f.op(`${target}.convert_i32_${from.scalar === "u32" ? "u" : "s"}`);
      else f.op(target === "f64" ? "f64.promote_f32" : "f32.demote_f64");
      return;
    }
    if (from.scalar === "u32" || to === "u32")
      throw new InternalError("wasm: vectors of u32 are not converted");
    if (to === "bool") {
      if (floats) f[shapeOf(from.scalar) as "f32x4"](0);
      else f.i32x4(0);
      f.op(`${shapeOf(from.scalar)}.ne`);
      if (from.scalar === "f64") this.#narrowMask();
      return;
    }
    if (from.scalar === "bool") {
      f.i32x4(1);
      f.op("v128.and");
    }
    if (to === "f32") f.op(floats ? "f32x4.demote_f64x2_zero" : "f32x4.convert_i32x4_s");
    else if (to === "f64") f.op(floats ? "f64x2.promote_low_f32x4" : "f64x2.convert_low_i32x4_s");
    else if (floats) f.op(from.scalar === "f32" ? "i32x4.trunc_sat_f32x4_s" : "i32x4.trunc_sat_f64x2_s_zero");
  }

  /** Calls an imported function of f64, lane by lane. */
  #library(e: Operation, type: string, from: Type): void {
    const f = this.#f;
    const op = e.op as LibraryFunction;
    const args = e.args.map((a) => this.#values.kept(localType(a.type), () => this.#values.push(a)));
    const call = (lane?: number) => {
      for (const arg of args) {
        f.get(arg);
        if (lane !== undefined) f.lane(`${type}.extract_lane`, lane);
        if (from.scalar === "f32") f.op("f64.promote_f32");
      }
      for (const value of importOf(op).more) f.f64(value);
      f.call(this.#functions.get(op)!);
      if (from.scalar === "f32") f.op("f32.demote_f64");
    };
    if (from.lanes === 1) {
      call();
      return;
    }
    const result = this.#values.kept("v128", () => f.get(args[0]!));
    const live = "live" in e && e.live !== undefined ? e.live : null;
    for (let lane = 0; lane < from.lanes; lane++) {
      const replace = () => {
        f.get(result);
        call(lane);
        f.lane(`${type}.replace_lane`, lane);
        f.set(result);
      };
      if (live === null || lane === 0) replace();
      else {
        f.i32(lane);
        this.#values.push(live);
        f.op("i32.lt_s");
        f.if(replace);
      }
    }
    f.get(result);
  }
}
