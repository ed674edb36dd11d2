import type { DType } from "../../base/dtype.ts";
import { argsLayout } from "../../codegen/args.ts";
import type { Access, ContractKernel, Value } from "../../plan/kernel.ts";

import type { FunctionBuilder, ModuleBuilder } from "../../targets/wasm/emitter.ts";
import type { MathImports } from "./math.ts";
import { lanesFor } from "./value.ts";

/** What the functions of a contraction's module have in common. */
export interface ContractParts {
  readonly kernel: ContractKernel;
  readonly module: ModuleBuilder;
  /** Global with the thread's scratch, which begins with every access's address at the present batch index. */
  readonly scratch: number;
  readonly math: MathImports;
  readonly relaxed: boolean;
  readonly sums: SumType;
}

/** How a contraction's sums are kept. */
export interface SumType {
  /** What a lane of a vector of sums is. */
  readonly lane: "f32" | "f64" | "i32";
  readonly bytes: 4 | 8;
}

/** The sums of a product of some dtype: narrow floats in f32, narrow integers in i32. */
export const sumTypeOf = (dtype: DType): SumType =>
  dtype === "f64"
    ? { lane: "f64", bytes: 8 }
    : dtype === "i32" || dtype === "u8" || dtype === "i8"
      ? { lane: "i32", bytes: 4 }
      : { lane: "f32", bytes: 4 };

/** Elements in a vector for a body's values, its accesses and the sums that meet in one piece of code. */
export const lanesOf = (
  body: readonly Value[],
  accesses: readonly Access[],
  used: readonly number[],
  sums: SumType,
): 4 | 2 =>
  lanesFor([
    ...body.map((v) => v.dtype),
    ...used.map((a) => accesses[a]!.dtype),
    ...(sums.bytes === 8 ? (["f64"] as const) : []),
  ]);

/** Loads words of the argument block, which local 0 points at, into locals; each once. */
export function argumentLoader(f: FunctionBuilder, kernel: ContractKernel) {
  const layout = argsLayout(kernel, 4);
  const known = new Map<number, number>();
  const word = (offset: number): number => {
    const there = known.get(offset);
    if (there !== undefined) return there;
    const local = f.local("i32");
    f.get(0);
    f.memory("i32.load", offset);
    f.set(local);
    known.set(offset, local);
    return local;
  };
  return {
    /** Extent of batch dimension d, or of m, n, k: kernel.batch + 0, 1, 2. */
    extent: (d: number) => word(layout.extents[d]!),
    pointer: (access: number) => word(layout.accesses[access]!.pointer),
    stride: (access: number, d: number) => word(layout.accesses[access]!.strides[d]!),
    axisStride: (access: number) => word(layout.accesses[access]!.axisStride),
    hasAxis: (access: number) => layout.accesses[access]!.axisStride >= 0,
  };
}

/** A loop while `variable` plus `reach` is at most the local `limit`; `body` has to move it on. */
export function loopWhile(
  f: FunctionBuilder,
  variable: number,
  reach: number,
  limit: number,
  body: () => void,
): void {
  f.block(() => {
    f.loop(() => {
      f.get(variable);
      if (reach !== 0) {
        f.i32(reach);
        f.op("i32.add");
      }
      f.get(limit);
      f.op("i32.gt_s");
      f.brIf(1);
      body();
      f.br(0);
    });
  });
}

/** variable += stride · by. */
export function advance(f: FunctionBuilder, variable: number, stride: number, by: number): void {
  f.get(variable);
  f.get(stride);
  if (by !== 1) {
    f.i32(by);
    f.op("i32.mul");
  }
  f.op("i32.add");
  f.set(variable);
}

/** into = from + stride · index, all locals. */
export function place(f: FunctionBuilder, into: number, from: number, stride: number, index: number): void {
  f.get(from);
  f.get(stride);
  f.get(index);
  f.op("i32.mul", "i32.add");
  f.set(into);
}

/** into = the smaller of two locals' values (signed). */
export function least(f: FunctionBuilder, into: number, a: number, b: number): void {
  f.get(a);
  f.get(b);
  f.get(a);
  f.get(b);
  f.op("i32.lt_s", "select");
  f.set(into);
}
