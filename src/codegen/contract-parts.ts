import { count, type KernelBuilder, ops, param } from "../lowered/build.ts";
import type { Expr } from "../lowered/ir.ts";
import { accessesOf, type ContractKernel } from "../plan/kernel.ts";
import type { ProductPolicy } from "./product-policy.ts";
import {
  gainsByPairs,
  type KernelAccesses,
  lowerValues,
  type Pair,
  pairOf,
  storeValue,
  type ValueContext,
} from "./value.ts";

const { add, div, sub } = ops;

/** No elements, or the first. */
export const zero = count(0);
/** One element. */
export const one = count(1);

/** ⌈a / size⌉. */
export const ceilDiv = (a: Expr, size: Expr): Expr => div(add(a, sub(size, one)), size);

/** The extents of a product's call along all dimensions, m, n and k last. */
export const extentsOf = ({ batch }: ContractKernel): readonly Expr[] =>
  Array.from({ length: batch + 3 }, (_, dim) => param({ kind: "extent", dim }));

/** Along which of m, n and k (0, 1, 2) an access goes at most, and along which its vectors lie. */
export function goesAlong(kernel: ContractKernel, access: number): [readonly number[], 0 | 1 | 2] {
  const { prologue, left, right, leftUnit, rightUnit } = kernel;
  const [isLeft, isRight] = [left, right].map((v) => accessesOf(prologue, [v]).includes(access));
  if (isLeft && isRight) return [[2], 2];
  if (isLeft) return [[0, 2], leftUnit === "m" ? 0 : 2];
  return isRight ? [[1, 2], rightUnit === "n" ? 1 : 2] : [[0, 1], 1];
}

/** What the parts of a product's kernel have in common, within a task. */
export interface Parts {
  readonly b: KernelBuilder;
  readonly kernel: ContractKernel;
  readonly policy: ProductPolicy;
  readonly accesses: KernelAccesses;
  /** Indices along the batch dimensions. */
  readonly batch: readonly Expr[];
  /** The block of the result: where it begins and how much it is. */
  readonly block: { readonly m0: Expr; readonly n0: Expr; readonly rows: Expr; readonly columns: Expr };
  /** The buffer of sums, rows by columns. */
  readonly sums: number;
  /** Values of the epilogue that are the same everywhere. */
  readonly scalars: ReadonlyMap<number, Expr>;
}

/** Runs along `length` in vectors, of the last of which so many lanes are live. */
export function inVectors(
  { b, policy: { registers } }: Parts,
  length: Expr,
  body: (index: Expr, live?: Expr) => void,
): void {
  b.steps(length, [registers.lanes], (index) => body(index), body);
}

/** Where values are computed: coordinates along m, n and k, which are not looked at where no access goes. */
function contextAt(
  { b, policy: { registers }, accesses, batch }: Parts,
  at: readonly [Expr, Expr, Expr],
  live?: Expr,
): ValueContext {
  return { b, registers, accesses, at: [...batch, ...at], ...(live && { live }) };
}

/** An element of an operand: along m or n, and along k. */
export interface OperandPlace {
  readonly free: Expr;
  readonly depth: Expr;
}

const operandContext = (
  parts: Parts,
  side: "left" | "right",
  { free, depth }: OperandPlace,
  live?: Expr,
): ValueContext => contextAt(parts, side === "left" ? [free, zero, depth] : [zero, free, depth], live);

/** A vector of an operand's values, along the dimension that its accesses run along. */
export function operandAt(parts: Parts, side: "left" | "right", at: OperandPlace, live?: Expr): Expr {
  const { prologue, [side]: root } = parts.kernel;
  return lowerValues(operandContext(parts, side, at, live), prologue, [root], new Map())[0]!;
}

/** Has what makes an operand's values fetched, sooner or later. */
export function fetchOperand(parts: Parts, side: "left" | "right", at: OperandPlace): void {
  const { b, kernel, accesses } = parts;
  const ctx = operandContext(parts, side, at);
  const isIndex = (a: number) => kernel.prologue.some((v) => v.op === "index" && v.access === a);
  for (const access of accessesOf(kernel.prologue, [kernel[side]]))
    if (kernel.accesses[access]!.vector === "unit" && !isIndex(access))
      b.prefetch({ access, at: accesses.coordinates(access, ctx.at) });
}

/** The epilogue of some rows of the block, from `first` on, whose whole sums are in rows of the buffer from `here` on. */
export function finish(parts: Parts, first: Expr, here: Expr, rows: Expr): void {
  const { b, kernel, policy, accesses, block, sums, scalars } = parts;
  const { lanes } = policy.registers;
  const roots = kernel.stores.map((s) => s.value);
  const row = { dim: 1, packed: true };
  b.for(rows, (r) => {
    const vector = (c: Expr, live?: Expr, pair?: Pair): void => {
      const place = [add(add(block.m0, first), r), add(block.n0, c), zero] as const;
      const ctx = { ...contextAt(parts, place, live), ...(pair && { pair }) };
      const at = [add(here, r), c];
      const sum = b.let("sum", b.load({ access: sums, at, along: row }, lanes));
      const known = new Map(scalars);
      for (const [i, v] of kernel.epilogue.entries()) if (v.op === "accumulator") known.set(i, sum);
      const values = lowerValues(ctx, kernel.epilogue, roots, known);
      for (const [s, { access }] of kernel.stores.entries()) storeValue(ctx, access, values[s]!);
    };
    const steps = gainsByPairs(kernel.epilogue, accesses) ? [2 * lanes, lanes] : [lanes];
    b.steps(
      block.columns,
      steps,
      (c, by) => {
        if (by === lanes) vector(c);
        else for (const [i, pair] of pairOf().entries()) vector(add(c, count(i * lanes)), undefined, pair);
      },
      vector,
    );
  });
}
