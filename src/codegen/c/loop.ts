import { dtypes } from "../../base/dtype.ts";
import type { LoopKernel } from "../../plan/kernel.ts";
import { argsLayout } from "../args.ts";
import { analyse, type LoopStructure, type Stage } from "../loop-structure.ts";
import { type CContext, emitStore } from "./access.ts";
import { Reductions } from "./loop-reduce.ts";
import { lanesOf, preludeC } from "./prelude.ts";
import type { CTarget } from "./target.ts";
import { emitValues } from "./value.ts";
import { type CUnit, CWriter } from "./writer.ts";

/** The C of a loop kernel. `oneVector`: its rows are a vector, or less. */
export function emitLoop(kernel: LoopKernel, target: CTarget, oneVector = false): CUnit {
  const w = new CWriter();
  const wide = [...kernel.accesses, ...kernel.body].some((x) => x.dtype === "f64");
  w.block("void run(const i64 *args, i64 begin, i64 end, char *scratch)", () => {
    new LoopEmitter(kernel, w, target, lanesOf(target, wide), oneVector).emit();
  });
  return { prelude: preludeC(target, wide), body: w.toString() };
}

/** Names of the C variables of values, by index in the body. */
type Known = ReadonlyMap<number, string>;

/**
 * Every loop over a dimension defines the pointers of its index; the innermost one counts elements, and its loads and
 * stores add the count to a pointer that stays.
 */
class LoopEmitter {
  readonly #kernel: LoopKernel;
  readonly #w: CWriter;
  readonly #target: CTarget;
  readonly #structure: LoopStructure;
  readonly #lanes: number;
  readonly #oneVector: boolean;
  readonly #vectorDim: number;
  /** Per dimension, first index and end. */
  readonly #ranges: (readonly [string, string])[];
  /** Per access: the pointer at index 0 of everything. */
  readonly #origins: string[] = [];
  readonly #axisStride: string[] = [];
  /** Per access and dimension; null where the stride is always zero, or that of whole elements along the vector. */
  readonly #strides: (string | null)[][] = [];
  readonly #reductions: Reductions;

  constructor(kernel: LoopKernel, w: CWriter, target: CTarget, lanes: number, oneVector: boolean) {
    const { accesses, outer, inner, body, vector } = kernel;
    this.#kernel = kernel;
    this.#w = w;
    this.#target = target;
    this.#structure = analyse(kernel);
    this.#lanes = lanes;
    this.#oneVector = oneVector;
    this.#vectorDim = vector === "inner" ? outer + inner - 1 : outer - 1;
    const layout = argsLayout(kernel);
    const read = (at: number, prefix: string) => w.define("i64", `args[${at}]`, prefix);
    const extents = layout.extents.map((at) => read(at, "n"));
    // A task is a range of the first dimension, but where a reduction folds that, it is whole.
    const whole = outer === 0 && body.some((v) => v.op === "reduce");
    this.#ranges = extents.map((n, d) => (d === 0 && !whole ? ["begin", "end"] : ["0", n]));
    for (const [a, { level, vector: along }] of accesses.entries()) {
      const { pointer, strides, axisStride } = layout.accesses[a]!;
      const dims = level === "scalar" ? 0 : level === "row" ? outer : outer + inner;
      this.#origins.push(this.#place(a, this.#isIndex(a) ? `args[${pointer}]` : `(char *)args[${pointer}]`));
      this.#axisStride.push(axisStride < 0 ? "" : read(axisStride, "s"));
      const still = (d: number) => d >= dims || (d === this.#vectorDim && along !== "strided");
      this.#strides.push(strides.map((at, d) => (still(d) ? null : read(at, "s"))));
    }
    this.#reductions = new Reductions(kernel, w, this.#lanes, extents.slice(outer));
  }

  emit(): void {
    const { outer, vector } = this.#kernel;
    const known = this.#compute(this.#context(this.#origins), this.#structure.scalars, new Map());
    const all = this.#kernel.accesses.map((_, i) => i);
    if (vector === "inner")
      this.#dimensions(0, outer, this.#origins, all, (row) => this.#alongRow(row, known));
    else this.#dimensions(0, outer - 1, this.#origins, all, (row) => this.#acrossRows(row, known));
  }

  /** Whether an access has no memory: its elements are the indices themselves. */
  #isIndex(access: number): boolean {
    return this.#kernel.body.some((v) => v.op === "index" && v.access === access);
  }

  /** Defines where an access is. */
  #place(access: number, expression: string): string {
    if (this.#isIndex(access)) return this.#w.define("i64", expression, "x");
    const name = this.#w.name("p");
    this.#w.line(`char *const ${name} = ${expression};`);
    return name;
  }

  /**
   * How values find their elements: `copy` vectors beyond element `index` of the vector's dimension (null: that is
   * zero for all accesses).
   */
  #context(
    pointers: readonly string[],
    index: string | null = null,
    copy = 0,
    live: string | null = null,
  ): CContext {
    const { accesses } = this.#kernel;
    const step = (a: number) => this.#strides[a]![this.#vectorDim]!;
    return {
      w: this.#w,
      target: this.#target,
      accesses,
      lanes: this.#lanes,
      live,
      pointer: (a) => {
        const { dtype, vector } = accesses[a]!;
        if (vector === "uniform" || index === null) return pointers[a]!;
        const unit = vector === "strided" ? step(a) : this.#isIndex(a) ? 1 : dtypes[dtype].bytes;
        const beyond = copy * this.#lanes;
        return `${pointers[a]} + ${beyond === 0 ? index : `(${index} + ${beyond})`} * ${unit}`;
      },
      step,
      axisStride: (a) => this.#axisStride[a]!,
    };
  }

  /** `known`, and the values asked for. */
  #compute(ctx: CContext, wanted: readonly number[], known: Known): Known {
    const names = emitValues(ctx, this.#kernel.body, wanted, known);
    return new Map([...known, ...wanted.map((v, i) => [v, names[i]!] as const)]);
  }

  /** Loops over dimensions [from, to); the body gets the pointers there. */
  #dimensions(
    from: number,
    to: number,
    pointers: readonly string[],
    accesses: readonly number[],
    body: (pointers: readonly string[]) => void,
  ): void {
    if (from >= to) {
      body(pointers);
      return;
    }
    const i = this.#w.name("j");
    const [first, end] = this.#ranges[from]!;
    this.#w.block(`for (i64 ${i} = ${first}; ${i} < ${end}; ${i}++)`, () => {
      const there = pointers.map((p, a) => {
        const stride = this.#strides[a]![from]!;
        return stride === null || !accesses.includes(a) ? p : this.#place(a, `${p} + ${i} * ${stride}`);
      });
      this.#dimensions(from + 1, to, there, accesses, body);
    });
  }

  /**
   * Runs along the vector's dimension: `copies` vectors at a time, then one, then the lanes that are left. `around`,
   * where given, writes what the loop of `copies` is to have around it: that is run only where there is enough for it.
   * Where a row is one vector there are no loops.
   */
  #vectors(
    copies: number,
    body: (index: string, copies: number, live: string | null) => void,
    around?: (loop: () => void) => void,
  ): void {
    const w = this.#w;
    const [first, end] = this.#ranges[this.#vectorDim]!;
    const i = w.name("j");
    w.line(`i64 ${i} = ${first};`);
    const rest = () => body(i, 1, w.define("int", `(int)(${end} - ${i})`, "live"));
    if (this.#oneVector) {
      w.block(`if (${i} + ${this.#lanes} == ${end})`, () => body(i, 1, null));
      w.block(`else if (${i} < ${end})`, rest);
      return;
    }
    const loop = (count: number) => {
      const step = count * this.#lanes;
      w.block(`for (; ${i} + ${step} <= ${end}; ${i} += ${step})`, () => body(i, count, null));
    };
    if (copies > 1 && around)
      w.block(`if (${i} + ${copies * this.#lanes} <= ${end})`, () => around(() => loop(copies)));
    else if (copies > 1) loop(copies);
    loop(1);
    w.block(`if (${i} < ${end})`, rest);
  }

  /** A row with the vector along it. */
  #alongRow(row: readonly string[], scalars: Known): void {
    const ctx = this.#context(row);
    let known = scalars;
    for (const stage of this.#structure.stages) {
      known = this.#compute(ctx, stage.rows, known);
      known = this.#pass(stage, row, known);
    }
    this.#rowStores(ctx, known);
  }

  /** Vectors side by side: sums enough to hide the latency of adding, and a loop that costs little beside its loads. */
  #copies({ heavy, reduces, accesses }: Stage): number {
    if (heavy || this.#oneVector) return 1;
    if (reduces.length === 0) return 2;
    // Elements fetched one by one take longer than they take to add.
    return accesses.some((a) => this.#kernel.accesses[a]!.vector === "strided") ? 1 : 4;
  }

  /** One stage over a row; gives `known` and what it reduced. */
  #pass(stage: Stage, row: readonly string[], known: Known): Known {
    const { outer, inner } = this.#kernel;
    const reductions = this.#reductions;
    const copies = this.#copies(stage);
    const totals = reductions.accumulators(stage.reduces);
    this.#dimensions(outer, outer + inner - 1, row, stage.accesses, (at) => {
      let accumulators: readonly (readonly string[])[] = [totals];
      const element = (index: string, count: number, live: string | null) => {
        for (let copy = 0; copy < count; copy++)
          this.#element(this.#context(at, index, copy, live), stage, known, accumulators[copy] ?? [], live);
      };
      // Only a row that is long enough pays for several accumulators.
      const several = (loop: () => void) => {
        const more = Array.from({ length: copies - 1 }, () => reductions.accumulators(stage.reduces));
        accumulators = [totals, ...more];
        loop();
        for (const [i, r] of stage.reduces.entries())
          reductions.join(
            r,
            accumulators.map((a) => a[i]!),
          );
      };
      this.#vectors(copies, element, stage.reduces.length > 0 ? several : undefined);
    });
    for (const [i, r] of stage.reduces.entries()) reductions.foldLanes(r, totals[i]!);
    return new Map([...known, ...stage.reduces.map((r, i) => [r, totals[i]!] as const)]);
  }

  /**
   * One vector of a stage: values, folds into the accumulators, stores. `live`: how many of its lanes are to be
   * folded (null: all).
   */
  #element(
    ctx: CContext,
    stage: Stage,
    known: Known,
    accumulators: readonly string[],
    live: string | null,
  ): void {
    const values = this.#compute(ctx, stage.wanted, known);
    for (const [i, r] of stage.reduces.entries()) {
      const value = values.get(this.#reductions.argument(r))!;
      const folded = live === null ? value : this.#reductions.alive(r, value, live);
      this.#reductions.fold(r, accumulators[i]!, folded);
    }
    for (const s of stage.stores) emitStore(ctx, s.access, values.get(s.value)!);
  }

  #rowStores(ctx: CContext, known: Known): void {
    const { rowStores } = this.#structure;
    const values = this.#compute(
      ctx,
      rowStores.map((s) => s.value),
      known,
    );
    for (const s of rowStores) emitStore(ctx, s.access, values.get(s.value)!);
  }

  /** Rows side by side, each lane one of them. */
  #acrossRows(row: readonly string[], scalars: Known): void {
    const { outer, inner, accesses } = this.#kernel;
    const { stages } = this.#structure;
    // A row of memory that is wide enough to be worth fetching; gathering elements is slow anyway.
    const alone =
      this.#oneVector || accesses.some((a) => a.vector === "strided") || stages.some((s) => s.heavy);
    const copies = alone ? 1 : stages.some((s) => s.reduces.length > 1) ? 4 : 8;
    this.#vectors(copies, (index, count, live) => {
      const contexts = (at: readonly string[]) =>
        Array.from({ length: count }, (_, copy) => this.#context(at, index, copy, live));
      const rows = contexts(row);
      let known = rows.map(() => scalars);
      for (const stage of stages) {
        const here = rows.map((ctx, copy) => this.#compute(ctx, stage.rows, known[copy]!));
        const totals = rows.map(() => this.#reductions.accumulators(stage.reduces));
        this.#dimensions(outer, outer + inner, row, stage.accesses, (at) => {
          for (const [copy, ctx] of contexts(at).entries())
            this.#element(ctx, stage, here[copy]!, totals[copy]!, null);
        });
        known = here.map(
          (k, copy) => new Map([...k, ...stage.reduces.map((r, i) => [r, totals[copy]![i]!] as const)]),
        );
      }
      for (const [copy, ctx] of rows.entries()) this.#rowStores(ctx, known[copy]!);
    });
  }
}
