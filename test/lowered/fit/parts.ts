import type { ArgsLayout } from "../../../src/codegen/args.ts";
import { constant, count, type KernelBuilder, ops, param, ref, typeOf } from "../../../src/lowered/build.ts";
import {
  type Access,
  type Cell,
  type Expr,
  type Lowered,
  type Name,
  type Place,
  scalarOf,
} from "../../../src/lowered/ir.ts";

const { add, div } = ops;

/** How a target goes about it: threads that do a task together, and rows and columns of a block in local memory. */
export interface Policy {
  readonly threads: number;
  readonly block: number;
}

export const f32 = (value: number): Expr => constant(typeOf("f32"), value);
export const extent = (dim: number): Expr => param({ kind: "extent", dim });

/** An argument with as many dimensions as it is given extents; strides are parameters. */
export function argument(
  b: KernelBuilder,
  number: number,
  extents: readonly Expr[],
  written = false,
  cell: Cell = "f32",
  alias = number,
): number {
  const strides = extents.map((_, dim) => param({ kind: "stride", access: number, dim }));
  const access: Access = { cell, memory: { argument: number, alias }, extents, strides, written };
  return b.access(access);
}

/** ⌈a / size⌉. */
export const blocks = (a: Expr, size: number): Expr => div(add(a, count(size - 1)), count(size));

/** The number of each thread, once: a loop that each goes through one time. */
export const eachThread = (b: KernelBuilder, threads: number, body: (t: Expr) => void): void =>
  b.for(count(threads), body, { hint: "t", parallel: "threads" });

/** What is at a place where a test holds, and 0 elsewhere, where nothing is loaded. */
export function loadWhere(b: KernelBuilder, test: Expr, place: Place, cell: Cell = "f32"): Expr {
  const value = b.var("loaded", constant(typeOf(scalarOf(cell)), 0));
  b.if(test, () => b.set(value, b.load(place)));
  return ref(value);
}

/** value := value + more. */
export const accumulate = (b: KernelBuilder, value: Name, more: Expr): void =>
  b.set(value, add(ref(value), more));

/** Extents, then of each argument its address and strides. */
export function layoutOf(kernel: Lowered, extents: number): ArgsLayout {
  let next = extents;
  const accesses = kernel.accesses
    .filter(({ memory }) => !("local" in memory))
    .map(({ strides }) => {
      const place = { pointer: next, strides: strides.map((_, d) => next + 1 + d), axisStride: -1 };
      next += 1 + strides.length;
      return place;
    });
  return { extents: Array.from({ length: extents }, (_, d) => d), accesses, block: [], size: next };
}
