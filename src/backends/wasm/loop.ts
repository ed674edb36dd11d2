import { type DType, dtypes, isFloat } from "../../base/dtype.ts";
import { argsLayout } from "../../codegen/args.ts";
import { argsOf } from "../../codegen/body.ts";
import { analyse, type LoopStructure, type Stage } from "../../codegen/loop-structure.ts";
import { startOf } from "../../codegen/reduce.ts";
import type { LoopKernel, Value } from "../../plan/kernel.ts";
import { type FunctionBuilder, type MemoryImport, ModuleBuilder } from "../../targets/wasm/emitter.ts";
import { declareMath, type MathImports } from "./math.ts";
import { emitStore, emitValues, lanesFor, type ValueContext } from "./value.ts";
import { emitCombine, pushConstant } from "./value-ops.ts";

/** The code of a loop kernel: a module that exports `run(args, begin, end)`. */
export function emitLoop(
  kernel: LoopKernel,
  memory: MemoryImport,
  relaxed: boolean,
): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(memory);
  const math = declareMath(module, [kernel.body]);
  new LoopEmitter(kernel, module.func("run", ["i32", "i32", "i32"]), math, relaxed).emit();
  return module.bytes();
}

/** Parameters of `run`. */
const parameter = { args: 0, begin: 1, end: 2 };

/** Locals of values, by index in the body. */
type Known = ReadonlyMap<number, number>;

type Reduce = Extract<Value, { op: "reduce" }>;

/**
 * Pointers move; nothing is multiplied inside loops. `#row` pointers are at an outer index's first elements, `#at`
 * ones at the elements of the moment.
 */
class LoopEmitter {
  readonly #kernel: LoopKernel;
  readonly #f: FunctionBuilder;
  readonly #math: MathImports;
  readonly #relaxed: boolean;
  readonly #structure: LoopStructure;
  readonly #lanes: 4 | 2;
  readonly #vectorDim: number;
  readonly #extents: number[] = [];
  readonly #row: number[] = [];
  readonly #at: number[] = [];
  readonly #axisStride: number[] = [];
  /** Per access and dimension, in the units of the pointer; -1 where the stride is always zero. */
  readonly #strides: number[][] = [];
  /** Stride over a whole vector, of strided accesses. */
  readonly #vectorStep: number[] = [];
  /** What sums start from: -0, which changes nothing; but 0 if there is nothing to add. */
  readonly #nothing = new Map<DType, number>();

  constructor(kernel: LoopKernel, f: FunctionBuilder, math: MathImports, relaxed: boolean) {
    this.#kernel = kernel;
    this.#f = f;
    this.#math = math;
    this.#relaxed = relaxed;
    this.#structure = analyse(kernel);
    this.#lanes = lanesFor([...kernel.accesses, ...kernel.body].map((x) => x.dtype));
    this.#vectorDim = kernel.vector === "inner" ? kernel.outer + kernel.inner - 1 : kernel.outer - 1;
  }

  emit(): void {
    const { outer, vector } = this.#kernel;
    this.#readArguments();
    this.#emptySums();
    const known = this.#compute(this.#context(this.#row), this.#structure.scalars, new Map());
    const all = this.#kernel.accesses.map((_, i) => i);
    if (vector === "inner") this.#dimensions(0, outer, this.#row, all, false, () => this.#alongRow(known));
    else this.#dimensions(0, outer - 1, this.#row, all, true, () => this.#acrossRows(known, all));
  }

  #readArguments(): void {
    const f = this.#f;
    const { accesses, outer, inner, body } = this.#kernel;
    const layout = argsLayout(this.#kernel, 4);
    const load = (at: number): number => {
      const local = f.local("i32");
      f.get(parameter.args);
      f.memory("i32.load", at);
      f.set(local);
      return local;
    };
    for (const at of layout.extents) this.#extents.push(load(at));
    // A task is a range of the first dimension, but where a reduction folds that, it is whole.
    if (outer > 0 || !body.some((v) => v.op === "reduce")) {
      f.get(parameter.end);
      f.get(parameter.begin);
      f.op("i32.sub");
      f.set(this.#extents[0]!);
    }
    for (const [a, { level, vector }] of accesses.entries()) {
      const { pointer, strides, axisStride } = layout.accesses[a]!;
      const dims = level === "scalar" ? 0 : level === "row" ? outer : outer + inner;
      this.#row.push(load(pointer));
      this.#at.push(f.local("i32"));
      this.#axisStride.push(axisStride < 0 ? -1 : load(axisStride));
      const still = (d: number) => d >= dims || (d === this.#vectorDim && vector === "uniform");
      this.#strides.push(strides.map((at, d) => (still(d) ? -1 : load(at))));
      this.#vectorStep.push(f.local("i32"));
      if (vector === "strided") {
        f.get(this.#strides[a]![this.#vectorDim]!);
        f.i32(this.#lanes);
        f.op("i32.mul");
        f.set(this.#vectorStep[a]!);
      }
      const first = this.#strides[a]![0]!;
      if (first < 0) continue;
      f.get(this.#row[a]!);
      f.get(parameter.begin);
      f.get(first);
      f.op("i32.mul", "i32.add");
      f.set(this.#row[a]!);
    }
  }

  #emptySums(): void {
    const f = this.#f;
    for (const value of this.#kernel.body) {
      if (
        value.op !== "reduce" ||
        value.kind !== "sum" ||
        !isFloat(value.dtype) ||
        this.#nothing.has(value.dtype)
      )
        continue;
      const local = f.local("v128");
      this.#nothing.set(value.dtype, local);
      pushConstant(this.#context(this.#row), value.dtype, -0);
      pushConstant(this.#context(this.#row), value.dtype, 0);
      f.i32(1);
      for (const extent of this.#extents.slice(this.#kernel.outer)) {
        f.get(extent);
        f.i32(0);
        f.op("i32.ne", "i32.and");
      }
      f.op("select");
      f.set(local);
    }
  }

  /** How values find their elements: `copy` vectors beyond the pointers, or one element. */
  #context(pointers: readonly number[], copy = 0, single = false): ValueContext {
    return {
      f: this.#f,
      math: this.#math,
      accesses: this.#kernel.accesses,
      lanes: this.#lanes,
      single,
      relaxed: this.#relaxed,
      pointer: (a) => pointers[a]!,
      step: (a) => this.#strides[a]![this.#vectorDim]!,
      axisStride: (a) => this.#axisStride[a]!,
      offset: (a) => (this.#kernel.accesses[a]!.vector === "unit" ? copy * this.#lanes * this.#unit(a) : 0),
    };
  }

  /** What one element of a contiguous access is in the units of its pointer. */
  #unit(access: number): number {
    const isIndex = this.#kernel.body.some((v) => v.op === "index" && v.access === access);
    return isIndex ? 1 : dtypes[this.#kernel.accesses[access]!.dtype].bytes;
  }

  /** `known`, and the values asked for. */
  #compute(ctx: ValueContext, wanted: readonly number[], known: Known): Known {
    const locals = emitValues(ctx, this.#kernel.body, wanted, known);
    return new Map([...known, ...wanted.map((v, i) => [v, locals[i]!] as const)]);
  }

  #add(target: number, amount: number): void {
    const f = this.#f;
    f.get(target);
    f.get(amount);
    f.op("i32.add");
    f.set(target);
  }

  /** `target` = `from`, of some accesses. */
  #copy(target: readonly number[], from: readonly number[], accesses: readonly number[]): void {
    for (const a of accesses) {
      this.#f.get(from[a]!);
      this.#f.set(target[a]!);
    }
  }

  /** Loops over dimensions [from, to); `moves`: the body moves the pointers, which then start afresh each time. */
  #dimensions(
    from: number,
    to: number,
    pointers: readonly number[],
    accesses: readonly number[],
    moves: boolean,
    body: () => void,
  ): void {
    if (from >= to) {
      body();
      return;
    }
    const f = this.#f;
    const saving = moves || from < to - 1;
    const start = this.#kernel.accesses.map((_, a) =>
      saving && accesses.includes(a) ? f.local("i32") : pointers[a]!,
    );
    if (saving) this.#copy(start, pointers, accesses);
    this.#repeat(this.#extents[from]!, 1, () => {
      this.#dimensions(from + 1, to, pointers, accesses, moves, body);
      for (const a of accesses)
        if (this.#strides[a]![from]! >= 0) this.#add(start[a]!, this.#strides[a]![from]!);
      if (saving) this.#copy(pointers, start, accesses);
    });
  }

  /** Repeats while at least `step` of a count are left; leaves the rest in the local that it gives. */
  #repeat(count: number, step: number, body: () => void): number {
    const f = this.#f;
    const left = f.local("i32");
    f.get(count);
    f.set(left);
    f.block(() => {
      f.get(left);
      f.i32(step);
      f.op("i32.lt_s");
      f.brIf(0);
      f.loop(() => {
        body();
        f.bump(left, -step);
        f.get(left);
        f.i32(step);
        f.op("i32.ge_s");
        f.brIf(0);
      });
    });
    return left;
  }

  /** Runs along the vector dimension: `copies` vectors at a time, then one, then single elements. */
  #vectors(
    pointers: readonly number[],
    accesses: readonly number[],
    copies: number,
    body: (copies: number, single: boolean) => void,
  ): void {
    const lanes = this.#lanes;
    let left = this.#extents[this.#vectorDim]!;
    const steps = copies > 1 ? [copies * lanes, lanes, 1] : [lanes, 1];
    for (const step of steps) {
      const single = step === 1;
      left = this.#repeat(left, step, () => {
        body(single ? 1 : step / lanes, single);
        for (const a of accesses) {
          const { vector } = this.#kernel.accesses[a]!;
          if (vector === "unit") this.#f.bump(pointers[a]!, step * this.#unit(a));
          else if (vector === "strided")
            this.#add(pointers[a]!, single ? this.#strides[a]![this.#vectorDim]! : this.#vectorStep[a]!);
        }
      });
    }
  }

  #reduce(index: number): Reduce {
    return this.#kernel.body[index] as Reduce;
  }

  /** A local that holds what a reduction starts from. */
  #accumulator(index: number): number {
    const { kind, dtype } = this.#reduce(index);
    const local = this.#f.local("v128");
    const nothing = kind === "sum" ? this.#nothing.get(dtype) : undefined;
    if (nothing !== undefined) this.#f.get(nothing);
    else pushConstant(this.#context(this.#row), dtype, startOf(kind, dtype));
    this.#f.set(local);
    return local;
  }

  /** One vector (or element) of a stage: values, folds into the accumulators, stores. */
  #element(ctx: ValueContext, stage: Stage, known: Known, accumulators: readonly number[]): void {
    const values = this.#compute(ctx, stage.wanted, known);
    for (const [i, r] of stage.reduces.entries())
      this.#fold(ctx, r, accumulators[i]!, values.get(argsOf(this.#reduce(r))[0]!)!);
    for (const s of stage.stores) emitStore(ctx, s.access, values.get(s.value)!);
  }

  /** accumulator = accumulator combined with a value. */
  #fold(ctx: ValueContext, reduce: number, accumulator: number, value: number): void {
    const { kind, dtype } = this.#reduce(reduce);
    emitCombine(ctx, kind, dtype, accumulator, value);
    this.#f.set(accumulator);
  }

  /** A row with the vector along it. */
  #alongRow(scalars: Known): void {
    const { outer, inner } = this.#kernel;
    const last = outer + inner - 1;
    const ctx = this.#context(this.#row);
    let known = scalars;
    for (const stage of this.#structure.stages) {
      known = this.#compute(ctx, stage.rows, known);
      const here = known;
      const copies = stage.heavy ? 1 : stage.reduces.length > 0 ? 4 : 2;
      const vectors = Array.from({ length: copies }, () => stage.reduces.map((r) => this.#accumulator(r)));
      const singles = stage.reduces.map((r) => this.#accumulator(r));
      this.#copy(this.#at, this.#row, stage.accesses);
      this.#dimensions(outer, last, this.#at, stage.accesses, true, () =>
        this.#vectors(this.#at, stage.accesses, copies, (count, single) => {
          for (let copy = 0; copy < count; copy++) {
            this.#element(
              this.#context(this.#at, copy, single),
              stage,
              here,
              single ? singles : vectors[copy]!,
            );
            if (copy === count - 1) break;
            for (const a of stage.accesses)
              if (this.#kernel.accesses[a]!.vector === "strided")
                this.#add(this.#at[a]!, this.#vectorStep[a]!);
          }
        }),
      );
      const results = stage.reduces.map(
        (r, i) =>
          [
            r,
            this.#combine(
              r,
              vectors.map((v) => v[i]!),
              singles[i]!,
            ),
          ] as const,
      );
      known = new Map([...known, ...results]);
    }
    known = this.#compute(
      ctx,
      this.#structure.rowStores.map((s) => s.value),
      known,
    );
    for (const s of this.#structure.rowStores)
      emitStore(this.#context(this.#row, 0, true), s.access, known.get(s.value)!);
  }

  /** All that a row's accumulators hold, in all lanes: vectors pairwise, then lanes pairwise, then what was left over. */
  #combine(reduce: number, vectors: readonly number[], single: number): number {
    const f = this.#f;
    const ctx = this.#context(this.#row);
    for (let step = 1; step < vectors.length; step *= 2)
      for (let i = 0; i + step < vectors.length; i += 2 * step)
        this.#fold(ctx, reduce, vectors[i]!, vectors[i + step]!);
    const total = vectors[0]!;
    const other = f.local("v128");
    const bytes = this.#reduce(reduce).dtype === "f64" ? 8 : 4;
    for (let width = (bytes * this.#lanes) / 2; width >= bytes; width /= 2) {
      f.get(total);
      f.get(total);
      f.shuffle(Array.from({ length: 16 }, (_, i) => (i + width) % 16));
      f.set(other);
      this.#fold(ctx, reduce, total, other);
    }
    this.#fold(ctx, reduce, total, single);
    f.get(total);
    f.get(total);
    f.shuffle(Array.from({ length: 16 }, (_, i) => i % bytes));
    f.set(total);
    return total;
  }

  /** Rows side by side, each lane one of them. */
  #acrossRows(scalars: Known, all: readonly number[]): void {
    const { outer, inner, accesses } = this.#kernel;
    // Copies lie at constant distances, which strided accesses do not have.
    const copies =
      accesses.some((a) => a.vector === "strided") || this.#structure.stages.some((s) => s.heavy) ? 1 : 4;
    this.#vectors(this.#row, all, copies, (count, single) => {
      const contexts = Array.from({ length: count }, (_, copy) => this.#context(this.#row, copy, single));
      let known = contexts.map(() => scalars);
      for (const stage of this.#structure.stages) {
        known = contexts.map((ctx, copy) => this.#compute(ctx, stage.rows, known[copy]!));
        const here = known;
        const totals = contexts.map(() => stage.reduces.map((r) => this.#accumulator(r)));
        this.#copy(this.#at, this.#row, stage.accesses);
        this.#dimensions(outer, outer + inner, this.#at, stage.accesses, false, () => {
          for (let copy = 0; copy < count; copy++)
            this.#element(this.#context(this.#at, copy, single), stage, here[copy]!, totals[copy]!);
        });
        known = known.map(
          (k, copy) => new Map([...k, ...stage.reduces.map((r, i) => [r, totals[copy]![i]!] as const)]),
        );
      }
      for (const [copy, ctx] of contexts.entries()) {
        const values = this.#compute(
          ctx,
          this.#structure.rowStores.map((s) => s.value),
          known[copy]!,
        );
        for (const s of this.#structure.rowStores) emitStore(ctx, s.access, values.get(s.value)!);
      }
    });
  }
}
