import { InternalError } from "../../base/errors.ts";
import type { Expr, LibraryFunction, Scalar, Type } from "../../lowered/ir.ts";
import { libraryFunctions, type Operation } from "../../lowered/walk.ts";
import type { FunctionBuilder, WasmType } from "./emitter.ts";

/** The wasm type of one lane, and of vectors of them. */
const laneType = (scalar: Scalar): "f32" | "f64" | "i32" =>
  scalar === "f32" || scalar === "f64" ? scalar : "i32";
const shapeOf = (scalar: Scalar): "f32x4" | "f64x2" | "i32x4" =>
  scalar === "f64" ? "f64x2" : scalar === "f32" ? "f32x4" : "i32x4";
/** The type of a value's local. */
export const localType = ({ scalar, lanes }: Type): WasmType => (lanes > 1 ? "v128" : laneType(scalar));

/** Instructions of floats by the names of operations, and of integers. */
const floatNames: { readonly [op: string]: string } = { round: "nearest" };
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
    else f[shapeOf(scalar)](scalar === "u32" ? value | 0 : value);
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
      case "select":
        this.#values.push(e.args[1]);
        this.#values.push(e.args[2]);
        this.#values.push(e.args[0]);
        if (lanes > 1 && scalar === "f64") f.op("i64x2.extend_low_i32x4_s");
        f.op(lanes > 1 ? "v128.bitselect" : "select");
        return;
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
    const names = from.scalar === "u32" ? unsignedNames : integerNames;
    if (from.lanes > 1 && (e.op === "shl" || e.op === "shr")) {
      // Lanes are shifted alike, by a number that is the same in all of them.
      if (b.op !== "const" && b.op !== "splat")
        throw new InternalError("wasm: vectors are shifted by one number");
      this.#values.push(a);
      if (b.op === "const") f.i32(b.value);
      else this.#values.push(b.args[0]);
      f.op(`${type}.${names[e.op] ?? e.op}`);
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
    const args = e.args.map((a) => this.#values.kept(localType(a.type), () => this.#values.push(a)));
    if (from.lanes > 1) f.get(args[0]!);
    for (let lane = 0; lane < from.lanes; lane++) {
      for (const arg of args) {
        f.get(arg);
        if (from.lanes > 1) f.lane(`${type}.extract_lane`, lane);
        if (from.scalar === "f32") f.op("f64.promote_f32");
      }
      f.call(this.#functions.get(e.op as LibraryFunction)!);
      if (from.scalar === "f32") f.op("f32.demote_f64");
      if (from.lanes > 1) f.lane(`${type}.replace_lane`, lane);
    }
  }
}
