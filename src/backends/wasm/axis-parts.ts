import type { DType } from "../../base/dtype.ts";
import { DTypeError } from "../../base/errors.ts";
import type { FunctionBuilder, WasmType } from "./emitter.ts";

/** How one element is loaded and stored. */
export interface Scalar {
  readonly type: WasmType;
  readonly load: string;
  readonly store: string;
}

const scalars: { readonly [D in DType]?: Scalar } = {
  f32: { type: "f32", load: "f32.load", store: "f32.store" },
  f64: { type: "f64", load: "f64.load", store: "f64.store" },
  i32: { type: "i32", load: "i32.load", store: "i32.store" },
  u8: { type: "i32", load: "i32.load8_u", store: "i32.store8" },
  bool: { type: "i32", load: "i32.load8_u", store: "i32.store8" },
};

/** Storage types as bits, for what only moves elements. */
const stored: { readonly [D in DType]?: Scalar } = {
  i8: { type: "i32", load: "i32.load8_u", store: "i32.store8" },
  f16: { type: "i32", load: "i32.load16_u", store: "i32.store16" },
  bf16: { type: "i32", load: "i32.load16_u", store: "i32.store16" },
};

/** How an element of a dtype is accessed; `moves`: nothing is computed with it. Throws for a dtype that cannot be. */
export function scalarOf(dtype: DType, moves: boolean): Scalar {
  const known = scalars[dtype] ?? (moves ? stored[dtype] : undefined);
  if (known === undefined)
    throw new DTypeError(`wasm: no kernel along an axis for ${dtype}; cast to f32 first`);
  return known;
}

/** An access within one outer index. Locals: address of its first element, strides over (outer, axis, inner). */
export interface Strided {
  readonly line: number;
  readonly strides: readonly number[];
  readonly scalar: Scalar;
}

/** One access along the axis: address of its first element, stride, and how to load and store. */
export interface Along {
  readonly line: number;
  readonly stride: number;
  readonly scalar: Scalar;
}

/** Repeats until the body leaves by `brIf(1)`. */
export function repeat(f: FunctionBuilder, body: () => void): void {
  f.block(() => {
    f.loop(() => {
      body();
      f.br(0);
    });
  });
}

/** Repeats while the local `index`, which grows by 1, is less than the local `limit`. */
export function whileLess(f: FunctionBuilder, index: number, limit: number, body: () => void): void {
  repeat(f, () => {
    f.get(index);
    f.get(limit);
    f.op("i32.ge_s");
    f.brIf(1);
    body();
    f.bump(index, 1);
  });
}

/** target += amount, both locals. */
export function add(f: FunctionBuilder, target: number, amount: number): void {
  f.get(target);
  f.get(amount);
  f.op("i32.add");
  f.set(target);
}

/** Pushes the address of element `index` (a local). */
export function address(f: FunctionBuilder, a: Pick<Along, "line" | "stride">, index: number): void {
  f.get(a.line);
  f.get(index);
  f.get(a.stride);
  f.op("i32.mul", "i32.add");
}

/** Pushes element `index` (a local). */
export function loadAt(f: FunctionBuilder, a: Along, index: number): void {
  address(f, a, index);
  f.memory(a.scalar.load);
}

/** i32 locals, `count` of them up to five. */
export function locals(f: FunctionBuilder, count: number): [number, number, number, number, number] {
  return Array.from({ length: count }, () => f.local("i32")) as [number, number, number, number, number];
}
