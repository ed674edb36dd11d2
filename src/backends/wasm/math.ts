import { integerPower, pow, remainder } from "../../base/arithmetic.ts";
import { type DType, isFloat } from "../../base/dtype.ts";
import { errorFunction } from "../../base/erf.ts";
import { InternalError } from "../../base/errors.ts";
import { polynomials } from "../../codegen/polynomials.ts";
import { largestAngle, power, sine } from "../../codegen/polynomials-wide.ts";
import type { Value } from "../../plan/kernel.ts";
import type { FunctionBuilder, ModuleBuilder } from "../../targets/wasm/emitter.ts";
import { WasmLanes } from "./lanes.ts";

/**
 * The functions that kernels may import, on f64. Workers get them as source text: each must need nothing but
 * the language's own globals.
 */
export const mathImports = {
  exp: Math.exp,
  log: Math.log,
  expm1: Math.expm1,
  log1p: Math.log1p,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  errorFunction,
  pow,
  fmod: (a: number, b: number) => a % b,
  remainder,
  integerPower,
};

/** A function that kernels may import. */
export type MathName = keyof typeof mathImports;

/** The imported functions' numbers in a module. */
export type MathImports = ReadonlyMap<MathName, number>;

/** What the code of math needs to know. */
export interface MathContext {
  readonly f: FunctionBuilder;
  readonly math: MathImports;
  readonly lanes: 4 | 2;
  readonly single: boolean;
}

const binaryNames: ReadonlySet<MathName> = new Set(["pow", "remainder", "integerPower", "errorFunction"]);

/** Functions that code inlines for f32 and imports for f64. */
export type UnaryMath =
  | "exp"
  | "log"
  | "expm1"
  | "log1p"
  | "sin"
  | "cos"
  | "tanh"
  | "sigmoid"
  | "erf"
  | "erfc";

/** The function that one value of a body needs imported. */
function importFor(value: Value, body: readonly Value[]): MathName | null {
  if (!("args" in value) || value.args.length === 0) return null;
  const { dtype } = body[value.args[0]!]!;
  if (value.op === "remainder") return isFloat(dtype) ? "remainder" : null;
  if (value.op === "pow" && !isFloat(dtype)) return "integerPower";
  if (dtype !== "f64") return value.op === "sin" || value.op === "cos" ? value.op : null;
  if (value.op === "sigmoid") return "exp";
  if (value.op === "erf" || value.op === "erfc") return "errorFunction";
  return value.op in mathImports ? (value.op as MathName) : null;
}

/** Imports what the values of some bodies need; imports come before a module's functions. */
export function declareMath(module: ModuleBuilder, bodies: readonly (readonly Value[])[]): MathImports {
  const imports = new Map<MathName, number>();
  for (const body of bodies)
    for (const value of body) {
      const name = importFor(value, body);
      if (name === null || imports.has(name)) continue;
      imports.set(
        name,
        module.importFunction(name, binaryNames.has(name) ? ["f64", "f64"] : ["f64"], ["f64"]),
      );
    }
  return imports;
}

/** Calls an imported function for each lane; leaves the results on the stack. */
export function perLane(ctx: MathContext, name: MathName, dtype: DType, args: readonly number[]): void {
  const { f } = ctx;
  const index = ctx.math.get(name);
  if (index === undefined) throw new InternalError(`wasm: the module does not import ${name}`);
  const type = dtype === "f64" ? "f64x2" : dtype === "f32" ? "f32x4" : "i32x4";
  f.get(args[0]!);
  for (let lane = 0; lane < (ctx.single ? 1 : ctx.lanes); lane++) {
    for (const arg of args) {
      f.get(arg);
      f.lane(`${type}.extract_lane`, lane);
      if (dtype === "f32") f.op("f64.promote_f32");
      else if (dtype !== "f64") f.op("f64.convert_i32_s");
    }
    f.call(index);
    if (dtype === "f32") f.op("f32.demote_f64");
    else if (dtype !== "f64") f.op("i32.trunc_sat_f64_s");
    f.lane(`${type}.replace_lane`, lane);
  }
}

/** Leaves a function of a vector on the stack. */
export function emitMath(ctx: MathContext, name: UnaryMath, dtype: DType, a: number): void {
  if (dtype === "f64") emitImported(ctx, name, a);
  else if (name === "sin" || name === "cos") emitAngle(ctx, name, a);
  else {
    const v = new WasmLanes(ctx.f);
    polynomials[name](v, v.of(a))();
  }
}

function emitImported(ctx: MathContext, name: UnaryMath, a: number): void {
  if (name === "sigmoid") emitImportedSigmoid(ctx, a);
  else if (name === "erf" || name === "erfc") {
    const complement = ctx.f.local("v128");
    ctx.f.f64x2(name === "erfc" ? 1 : 0);
    ctx.f.set(complement);
    perLane(ctx, "errorFunction", "f64", [a, complement]);
  } else perLane(ctx, name, "f64", [a]);
}

function emitImportedSigmoid(ctx: MathContext, a: number): void {
  const { f } = ctx;
  const negated = f.local("v128");
  f.get(a);
  f.op("f64x2.neg");
  f.set(negated);
  f.f64x2(1);
  perLane(ctx, "exp", "f64", [negated]);
  f.f64x2(1);
  f.op("f64x2.add", "f64x2.div");
}

/** The polynomial; lanes beyond its domain (no others, as neighbours must not change a result) are imported. */
function emitAngle(ctx: MathContext, name: "sin" | "cos", a: number): void {
  const { f } = ctx;
  const result = f.local("v128");
  const inside = f.local("v128");
  const v = new WasmLanes(f);
  sine(v, name, v.of(a))();
  f.set(result);
  f.get(a);
  f.op("f32x4.abs");
  f.f32x4(largestAngle);
  f.op("f32x4.le");
  f.tee(inside);
  f.op("i32x4.all_true", "i32.eqz");
  f.if(() => {
    const all = f.local("v128");
    perLane(ctx, name, "f32", [a]);
    f.set(all);
    f.get(result);
    f.get(all);
    f.get(inside);
    f.op("v128.bitselect");
    f.set(result);
  });
  f.get(result);
}

/** Leaves a to the power b on the stack. */
export function emitPow(ctx: MathContext, dtype: DType, a: number, b: number): void {
  if (dtype === "f64") perLane(ctx, "pow", "f64", [a, b]);
  else {
    const v = new WasmLanes(ctx.f);
    power(v, v.of(a), v.of(b))();
  }
}
