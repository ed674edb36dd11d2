import { type DType, isFloat } from "../../base/dtype.ts";
import type { LoopKernel, Value } from "../../plan/kernel.ts";
import { startOf } from "../reduce.ts";
import { vectorType } from "./access.ts";
import { combine } from "./elementwise.ts";
import { literal, splat } from "./literal.ts";
import type { CWriter } from "./writer.ts";

type Reduce = Extract<Value, { op: "reduce" }>;

/** The reductions of one loop kernel: C variables that hold what has been folded so far, each lane on its own. */
export class Reductions {
  readonly #kernel: LoopKernel;
  readonly #w: CWriter;
  readonly #lanes: number;
  /** What sums start from: -0, which changes nothing; but 0 if there is nothing to add. */
  readonly #nothing = new Map<DType, string>();

  /** Writes what sums start from; `extents`: expressions of the dimensions that are folded. */
  constructor(kernel: LoopKernel, w: CWriter, lanes: number, extents: readonly string[]) {
    this.#kernel = kernel;
    this.#w = w;
    this.#lanes = lanes;
    for (const value of kernel.body) {
      if (value.op !== "reduce" || value.kind !== "sum" || !isFloat(value.dtype)) continue;
      if (this.#nothing.has(value.dtype)) continue;
      const type = vectorType(value.dtype);
      const empty = extents.map((e) => `${e} == 0`).join(" || ");
      const either = `${empty} ? ${literal(value.dtype, 0)} : ${literal(value.dtype, -0)}`;
      this.#nothing.set(value.dtype, w.define(type, `splat_${type}(${either})`, "nothing"));
    }
  }

  #reduce(index: number): Reduce {
    return this.#kernel.body[index] as Reduce;
  }

  /** The value that a reduction folds. */
  argument(index: number): number {
    return this.#reduce(index).args[0];
  }

  /** The expression of a vector that changes nothing when it is folded in. */
  #identity(index: number): string {
    const { kind, dtype } = this.#reduce(index);
    const nothing = kind === "sum" ? this.#nothing.get(dtype) : undefined;
    return nothing ?? splat(dtype, startOf(kind, dtype));
  }

  /** Declares variables that hold what each reduction starts from. */
  accumulators(reduces: readonly number[]): string[] {
    return reduces.map((r) => {
      const name = this.#w.name("acc");
      this.#w.line(`${vectorType(this.#reduce(r).dtype)} ${name} = ${this.#identity(r)};`);
      return name;
    });
  }

  /** accumulator = accumulator combined with a value. */
  fold(reduce: number, accumulator: string, value: string): void {
    const { kind, dtype } = this.#reduce(reduce);
    this.#w.line(`${accumulator} = ${combine(kind, dtype, accumulator, value)};`);
  }

  /** The name of `value` with what changes nothing in the lanes from `live` on. */
  alive(reduce: number, value: string, live: string): string {
    const type = vectorType(this.#reduce(reduce).dtype);
    const bits = type === "vd" ? "vl" : "vi";
    const counted = Array.from({ length: this.#lanes }, (_, l) => l).join(", ");
    const mask = this.#w.define(bits, `(${bits}){${counted}} < ${live}`, "mask");
    const other = `(${bits})${this.#identity(reduce)}`;
    return this.#w.define(type, `(${type})((${mask} & (${bits})${value}) | (~${mask} & ${other}))`);
  }

  /** Folds a row of accumulators into its first, pairwise. */
  join(reduce: number, accumulators: readonly string[]): void {
    for (let step = 1; step < accumulators.length; step *= 2)
      for (let i = 0; i + step < accumulators.length; i += 2 * step)
        this.fold(reduce, accumulators[i]!, accumulators[i + step]!);
  }

  /** Folds the lanes of an accumulator pairwise: all of them then hold the whole. */
  foldLanes(reduce: number, accumulator: string): void {
    const type = vectorType(this.#reduce(reduce).dtype);
    for (let n = this.#lanes / 2; n >= 1; n /= 2)
      this.fold(reduce, accumulator, this.#w.define(type, `rotate${n}_${type}(${accumulator})`));
  }
}
