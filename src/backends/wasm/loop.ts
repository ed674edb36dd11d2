import { dtypes } from "../../base/dtype.ts";
import type { LoopKernel, Store } from "../../plan/kernel.ts";
import { argsLayout } from "./args.ts";
import { type FunctionBuilder, type MemoryImport, ModuleBuilder } from "./emitter.ts";
import { analyse, type LoopStructure } from "./loop-structure.ts";
import { declareMath, type MathImports } from "./math.ts";
import { emitStore, emitValues, lanesFor, type ValueContext } from "./value.ts";
import { emitCombine, pushConstant } from "./value-ops.ts";

/** Locals of values, by index in the body. */
type Known = Map<number, number>;

/** The code of a loop kernel: a module that exports `run(args, begin, end)`. */
export function emitLoop(kernel: LoopKernel, memory: MemoryImport, relaxed: boolean): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(memory);
  const math = declareMath(module, [kernel.body]);
  const f = module.func("run", ["i32", "i32", "i32"]);
  new LoopEmitter(kernel, f, math, relaxed).emit();
  return module.bytes();
}

/** Parameters of `run`. */
const [argsParam, beginParam, endParam] = [0, 1, 2];

/**
 * Pointers move; nothing is multiplied inside loops. `row` pointers point at an outer index's elements, `at` ones at
 * the element of the moment.
 */
class LoopEmitter {
  readonly #kernel: LoopKernel;
  readonly #f: FunctionBuilder;
  readonly #math: MathImports;
  readonly #relaxed: boolean;
  readonly #structure: LoopStructure;
  readonly #lanes: 4 | 2;
  readonly #extents: number[] = [];
  readonly #row: number[] = [];
  readonly #at: number[] = [];
  readonly #axisStride: number[] = [];
  /** Per access and dimension, in the units of the pointer; -1 where the stride is always zero. */
  readonly #strides: number[][] = [];
  /** Stride over a whole vector, of strided accesses. */
  readonly #vectorStep: number[] = [];
  /** What a sum starts from: -0, which changes nothing (of no elements: 0). */
  #nothing = -1;

  constructor(kernel: LoopKernel, f: FunctionBuilder, math: MathImports, relaxed: boolean) {
    this.#kernel = kernel;
    this.#f = f;
    this.#math = math;
    this.#relaxed = relaxed;
    this.#structure = analyse(kernel);
    this.#lanes = lanesFor([...kernel.accesses, ...kernel.body].map((x) => x.dtype));
  }

  get #vectorDim(): number {
    const { vector, outer, inner } = this.#kernel;
    return vector === "inner" ? outer + inner - 1 : outer - 1;
  }

  emit(): void {
    const { outer } = this.#kernel;
    this.#readArguments();
    const known: Known = new Map();
    this.#compute(this.#structure.scalars, known, this.#context(this.#row));
    if (this.#kernel.vector === "inner") this.#dims(0, outer, this.#row, () => this.#rowAcross(known));
    else this.#dims(0, outer - 1, this.#row, () => this.#rowsAbreast(known));
  }

  #readArguments(): void {
    const f = this.#f;
    const layout = argsLayout(this.#kernel);
    const load = (at: number): number => {
      const local = f.local("i32");
      f.get(argsParam);
      f.memory("i32.load", at);
      f.set(local);
      return local;
    };
    for (const [d, at] of layout.extents.entries()) {
      // The first dimension is as long as the task, but a reduction's inner ones are whole.
      if (d === 0 && !(this.#kernel.outer === 0 && this.#structure.stages.some((s) => s.reduces.length > 0))) {
        const count = f.local("i32");
        f.get(endParam);
        f.get(beginParam);
        f.op("i32.sub");
        f.set(count);
        this.#extents.push(count);
      } else this.#extents.push(load(at));
    }
    for (const [a, access] of this.#kernel.accesses.entries()) {
      const { pointer, strides, axisStride } = layout.accesses[a]!;
      this.#row.push(load(pointer));
      this.#at.push(f.local("i32"));
      this.#axisStride.push(axisStride < 0 ? -1 : load(axisStride));
      this.#strides.push(strides.map((at, d) => (this.#moves(a, d) ? load(at) : -1)));
      const along = this.#strides[a]![this.#vectorDim] ?? -1;
      this.#vectorStep.push(f.local("i32"));
      if (access.vector === "strided" && along >= 0) {
        f.get(along);
        f.i32(this.#lanes);
        f.op("i32.mul");
        f.set(this.#vectorStep[a]!);
      }
      const first = this.#strides[a]![0]!;
      if (first < 0) continue;
      f.get(this.#row[a]!);
      f.get(beginParam);
      f.get(first);
      f.op("i32.mul", "i32.add");
      f.set(this.#row[a]!);
    }
    this.#nothing = f.local("v128");
    const sums = this.#kernel.body.find((v) => v.op === "reduce" && v.kind === "sum");
    if (sums === undefined) return;
    pushConstant(this.#anywhere, sums.dtype, 0);
    pushConstant(this.#anywhere, sums.dtype, -0);
    f.i32(1);
    for (const extent of this.#extents.slice(this.#kernel.outer)) {
      f.get(extent);
      f.i32(0);
      f.op("i32.ne", "i32.and");
    }
    f.op("i32.eqz", "select");
    f.set(this.#nothing);
  }
}
