import { type DType, isFloat } from "../base/dtype.ts";
import { settings } from "../base/settings.ts";
import { count, KernelBuilder, ops, param, ref } from "../lowered/build.ts";
import type { Expr, Lowered, Name } from "../lowered/ir.ts";
import { verify } from "../lowered/verify.ts";
import type { LoopKernel, ReduceKind, Value } from "../plan/kernel.ts";
import { number } from "./cells.ts";
import { combine } from "./elementwise.ts";
import type { Registers } from "./expr-lanes.ts";
import { analyse, type LoopStructure, type Stage } from "./loop-structure.ts";
import { startOf } from "./reduce.ts";
import {
  gainsByPairs,
  KernelAccesses,
  loadValue,
  lowerValues,
  type Pair,
  pairOf,
  scalarValues,
  storeValue,
  type ValueContext,
} from "./value.ts";

/** How a target wants loops. */
export interface LoopPolicy extends Registers {
  /** Whether a row is a vector, or less: there are no loops along it then. */
  readonly oneVector: boolean;
  /** Vectors of rows side by side, where each lane is a row and little is computed of it. */
  readonly abreast: number;
}

/** A loop kernel, lowered. */
export function lowerLoop(kernel: LoopKernel, policy: LoopPolicy): Lowered {
  const lowered = new LoopLowering(kernel, policy).lower();
  if (settings.verify) verify(lowered);
  return lowered;
}

/** Values that are known, by index in the body. */
type Known = ReadonlyMap<number, Expr>;

type Reduce = Extract<Value, { op: "reduce" }>;

/** What a pass folds: a value of the body, element by element. */
interface Fold {
  readonly kind: ReduceKind;
  readonly dtype: DType;
  readonly value: number;
}

/** A place of a loop nest. */
interface Here {
  /** Indices of the dimensions that have loops around here; zeros of others. */
  readonly at: readonly Expr[];
  /** What accesses without memory are here, but for their steps along the vector. */
  readonly indices: ReadonlyMap<number, Expr>;
}

class LoopLowering {
  readonly #kernel: LoopKernel;
  readonly #policy: LoopPolicy;
  readonly #structure: LoopStructure;
  readonly #b = new KernelBuilder();
  readonly #extents: readonly Expr[];
  readonly #vectorDim: number;
  readonly #accesses: KernelAccesses;
  /** Whether a call does the whole kernel: a reduction folds the first dimension. */
  readonly #whole: boolean;
  /** Whether two vectors side by side take less than twice one. */
  readonly #inPairs: boolean;
  /** What sums start from: -0, which changes nothing; but 0 if there is nothing to add. */
  readonly #nothing = new Map<DType, Expr>();

  constructor(kernel: LoopKernel, policy: LoopPolicy) {
    const { outer, inner, accesses, body, stores, vector } = kernel;
    const { blocks = outer, lines = inner } = kernel;
    const adding = new Map(stores.map(({ access, adds }) => [access, adds]));
    /** Whether a dimension is one that sums of a store go over. */
    const isSummed = (a: number, d: number): boolean =>
      adding.get(a) === "rows" ? d >= blocks && d < outer : adding.get(a) === "line" && d >= outer + lines;
    this.#kernel = kernel;
    this.#policy = policy;
    this.#structure = analyse(kernel);
    this.#vectorDim = vector === "inner" ? outer + inner - 1 : outer - 1;
    this.#extents = Array.from({ length: outer + inner }, (_, dim) => param({ kind: "extent", dim }));
    this.#whole = outer === 0 && body.some((v) => v.op === "reduce");
    this.#accesses = new KernelAccesses(this.#b, kernel, {
      extents: this.#extents,
      varies: (a, d) =>
        d < { scalar: 0, row: outer, full: outer + inner }[accesses[a]!.level] && !isSummed(a, d),
      along: () => this.#vectorDim,
    });
    this.#inPairs = gainsByPairs(body, this.#accesses);
  }

  lower(): Lowered {
    const { outer, blocks = outer, vector, body, accesses } = this.#kernel;
    const origin: Here = {
      at: this.#extents.map(() => count(0)),
      indices: new Map(
        body.flatMap((v) =>
          v.op === "index" ? [[v.access, param({ kind: "offset", access: v.access })]] : [],
        ),
      ),
    };
    this.#emptySums();
    const roots = this.#kernel.stores.map((s) => s.value);
    const scalars = scalarValues(this.#accesses, body, roots);
    const known = this.#compute(this.#context(origin), scalars, new Map());
    const all = accesses.map((_, i) => i);
    if (vector === "inner")
      this.#dimensions(0, blocks, origin, all, (block) => {
        this.#startColumns(block);
        this.#dimensions(blocks, outer, block, all, (row) => this.#alongRow(row, known));
      });
    else this.#dimensions(0, outer - 1, origin, all, (row) => this.#acrossRows(row, known));
    return this.#b.kernel("loop");
  }

  /** Stores what sums over the rows of a block start from. */
  #startColumns(block: Here): void {
    const { outer, inner, body, stores } = this.#kernel;
    const columns = stores.filter(({ adds }) => adds === "rows");
    if (columns.length === 0) return;
    this.#dimensions(outer, outer + inner - 1, block, [], (at) =>
      this.#vectors(1, (index, _, live) => {
        for (const { access, value } of columns) {
          const { dtype } = body[value]!;
          const nothing = number(dtype, this.#policy.lanes, isFloat(dtype) ? -0 : 0);
          storeValue(this.#context(at, index, 0, live), access, nothing);
        }
      }),
    );
  }

  #emptySums(): void {
    const b = this.#b;
    const { body, stores } = this.#kernel;
    const summed = [
      ...body.flatMap((v) => (v.op === "reduce" && v.kind === "sum" ? v.dtype : [])),
      ...stores.flatMap(({ value, adds }) => (adds === "line" ? body[value]!.dtype : [])),
    ];
    for (const dtype of summed) {
      if (!isFloat(dtype) || this.#nothing.has(dtype)) continue;
      const empty = this.#extents
        .slice(this.#kernel.outer)
        .map((n) => ops.eq(n, count(0)))
        .reduce(ops.or);
      const either = ops.select(empty, number(dtype, 1, 0), number(dtype, 1, -0));
      this.#nothing.set(dtype, b.let("nothing", ops.splat(either, this.#policy.lanes)));
    }
  }

  /** Lowers values where lanes are as the last arguments say; `beyond`: elements from the vector's index on. */
  #context({ at, indices }: Here, index?: Expr, beyond = 0, live?: Expr, pair?: Pair): ValueContext {
    const dim = this.#vectorDim;
    const first = index && ops.add(index, count(beyond));
    const accesses = this.#accesses;
    return {
      b: this.#b,
      registers: this.#policy,
      accesses,
      at: first ? at.map((x, d) => (d === dim ? first : x)) : at,
      index: (a) =>
        first ? ops.add(indices.get(a)!, ops.mul(first, accesses.stride(a, dim))) : indices.get(a)!,
      ...(live && { live }),
      ...(pair && { pair }),
    };
  }

  /** `known`, and the values asked for. */
  #compute(ctx: ValueContext, wanted: readonly number[], known: Known): Known {
    const values = lowerValues(ctx, this.#kernel.body, wanted, known);
    return new Map([...known, ...wanted.map((v, i) => [v, values[i]!] as const)]);
  }

  /** Whether a call does any part of a dimension. */
  #tasks(dim: number): { readonly parallel?: "tasks" } {
    return dim === 0 && !this.#whole ? { parallel: "tasks" } : {};
  }

  /** Loops over dimensions [from, to). */
  #dimensions(
    from: number,
    to: number,
    here: Here,
    accesses: readonly number[],
    body: (here: Here) => void,
  ): void {
    if (from >= to) {
      body(here);
      return;
    }
    const b = this.#b;
    b.for(
      this.#extents[from]!,
      (i) => {
        const indices = new Map(here.indices);
        for (const [a, x] of here.indices) {
          const stride = this.#accesses.stride(a, from);
          if (accesses.includes(a) && stride.op !== "const")
            indices.set(a, b.let("x", ops.add(x, ops.mul(i, stride))));
        }
        const at = here.at.map((x, d) => (d === from ? i : x));
        this.#dimensions(from + 1, to, { at, indices }, accesses, body);
      },
      { hint: "j", ...this.#tasks(from) },
    );
  }

  /**
   * Runs along the vector's dimension: `copies` vectors at a time, then one, then the lanes that are left. `around`, where
   * given, writes what the loop of `copies` has around it.
   */
  #vectors(
    copies: number,
    body: (index: Expr, copies: number, live?: Expr) => void,
    around?: (turns: () => void) => void,
  ): void {
    const b = this.#b;
    const { lanes, oneVector } = this.#policy;
    const length = this.#extents[this.#vectorDim]!;
    const tasks = this.#tasks(this.#vectorDim);
    if (oneVector && tasks.parallel === undefined) {
      b.if(
        ops.eq(length, count(lanes)),
        () => body(count(0), 1),
        () => b.if(ops.lt(count(0), length), () => body(count(0), 1, length)),
      );
      return;
    }
    b.steps(
      length,
      copies > 1 ? [copies * lanes, lanes] : [lanes],
      (index, by) => body(index, by / lanes),
      (index, live) => body(index, 1, live),
      {
        hint: "j",
        ...tasks,
        ...(around && copies > 1 && { around: (by, turns) => (by > lanes ? around(turns) : turns()) }),
      },
    );
  }

  /** A row with the vector along it. */
  #alongRow(row: Here, scalars: Known): void {
    const ctx = this.#context(row);
    let known = scalars;
    for (const stage of this.#structure.stages) {
      known = this.#compute(ctx, stage.rows, known);
      known = this.#pass(stage, row, known);
    }
    this.#rowStores(ctx, known);
  }

  /** Vectors side by side: sums enough to hide the latency of adding, and a loop that costs little beside its loads. */
  #copies({ heavy, accesses }: Stage, folds: readonly Fold[]): number {
    if (this.#policy.oneVector) return 1;
    if (heavy) return this.#inPairs ? 2 : 1;
    if (folds.length === 0) return 2;
    // Elements fetched one by one take longer than they take to add.
    return accesses.some((a) => this.#kernel.accesses[a]!.vector === "strided") ? 1 : 4;
  }

  /** One stage over a row; gives `known` and what it reduced. */
  #pass(stage: Stage, row: Here, known: Known): Known {
    const { outer, lines = 0 } = this.#kernel;
    const reduces = stage.reduces.map((r) => this.#foldOf(r));
    const totals = this.#accumulators(reduces);
    const ofLines = stage.stores.filter(({ adds }) => adds === "line");
    if (ofLines.length === 0) this.#alongLine(stage, row, outer, known, reduces, totals);
    else
      this.#dimensions(outer, outer + lines, row, stage.accesses, (line) => {
        const sums = ofLines.map(
          ({ value }) => ({ value, kind: "sum", dtype: this.#kernel.body[value]!.dtype }) as const,
        );
        const accumulators = this.#accumulators(sums);
        const all = [...reduces, ...sums];
        this.#alongLine(stage, line, outer + lines, known, all, [...totals, ...accumulators]);
        this.#across(sums, accumulators);
        const ctx = this.#context(line);
        for (const [i, { access }] of ofLines.entries()) storeValue(ctx, access, ref(accumulators[i]!));
      });
    this.#across(reduces, totals);
    return this.#with(known, stage.reduces, totals);
  }

  /** One stage over the dimensions from one on: values, folds into `totals`, stores. */
  #alongLine(
    stage: Stage,
    here: Here,
    from: number,
    known: Known,
    folds: readonly Fold[],
    totals: readonly Name[],
  ): void {
    const { outer, inner } = this.#kernel;
    const { lanes } = this.#policy;
    const copies = this.#copies(stage, folds);
    this.#dimensions(from, outer + inner - 1, here, stage.accesses, (at) => {
      let accumulators: readonly (readonly Name[])[] = [totals];
      // Only a row that is long enough pays for several accumulators.
      const several = (turns: () => void) => {
        const more = Array.from({ length: copies - 1 }, () => this.#accumulators(folds));
        accumulators = [totals, ...more];
        turns();
        for (const [i, fold] of folds.entries())
          for (let step = 1; step < copies; step *= 2)
            for (let c = 0; c + step < copies; c += 2 * step)
              this.#fold(fold, accumulators[c]![i]!, ref(accumulators[c + step]![i]!));
      };
      this.#vectors(
        copies,
        (index, vectors, live) => {
          const pairs = vectors === 2 && this.#inPairs ? pairOf() : [];
          for (let copy = 0; copy < vectors; copy++) {
            const ctx = this.#context(at, index, copy * lanes, live, pairs[copy]);
            this.#element(ctx, stage, known, folds, accumulators[copy] ?? [], live);
          }
        },
        folds.length > 0 ? several : undefined,
      );
    });
  }

  /** Has all lanes hold the whole. */
  #across(folds: readonly Fold[], totals: readonly Name[]): void {
    for (const [i, fold] of folds.entries())
      for (let n = this.#policy.lanes / 2; n >= 1; n /= 2)
        this.#fold(fold, totals[i]!, ops.rotate(ref(totals[i]!), n));
  }

  #with(known: Known, reduces: readonly number[], totals: readonly Name[]): Known {
    return new Map([...known, ...reduces.map((r, i) => [r, ref(totals[i]!)] as const)]);
  }

  /**
   * One vector of a stage: values, folds into the accumulators, stores. `live`: how many of its lanes are folded, if not all.
   */
  #element(
    ctx: ValueContext,
    stage: Stage,
    known: Known,
    folds: readonly Fold[],
    accumulators: readonly Name[],
    live?: Expr,
  ): void {
    const values = this.#compute(ctx, stage.wanted, known);
    for (const [i, fold] of folds.entries()) {
      const value = values.get(fold.value)!;
      this.#fold(fold, accumulators[i]!, live === undefined ? value : this.#alive(fold, value, live));
    }
    for (const { access, value, adds } of stage.stores) {
      if (adds === "line") continue;
      const own = values.get(value)!;
      const { dtype } = this.#kernel.body[value]!;
      storeValue(ctx, access, adds ? combine("sum", dtype, loadValue(ctx, access), own) : own);
    }
  }

  #rowStores(ctx: ValueContext, known: Known): void {
    const { rowStores } = this.#structure;
    const values = this.#compute(
      ctx,
      rowStores.map((s) => s.value),
      known,
    );
    for (const s of rowStores) storeValue(ctx, s.access, values.get(s.value)!);
  }

  /** Rows side by side, each lane one of them. */
  #acrossRows(row: Here, scalars: Known): void {
    const { outer, inner, accesses } = this.#kernel;
    const { lanes, oneVector, abreast } = this.#policy;
    const { stages } = this.#structure;
    // A row of memory that is wide enough to be worth fetching; gathering elements is slow anyway.
    const alone = oneVector || accesses.some((a) => a.vector === "strided") || stages.some((s) => s.heavy);
    const copies = alone ? 1 : stages.some((s) => s.reduces.length > 1) ? Math.min(4, abreast) : abreast;
    this.#vectors(copies, (index, vectors, live) => {
      const contexts = (here: Here) =>
        Array.from({ length: vectors }, (_, copy) => this.#context(here, index, copy * lanes, live));
      const rows = contexts(row);
      let known = rows.map(() => scalars);
      for (const stage of stages) {
        const here = rows.map((ctx, copy) => this.#compute(ctx, stage.rows, known[copy]!));
        const folds = stage.reduces.map((r) => this.#foldOf(r));
        const totals = rows.map(() => this.#accumulators(folds));
        // What the lanes are that there are not, nobody reads.
        this.#dimensions(outer, outer + inner, row, stage.accesses, (at) => {
          for (const [copy, ctx] of contexts(at).entries())
            this.#element(ctx, stage, here[copy]!, folds, totals[copy]!);
        });
        known = here.map((k, copy) => this.#with(k, stage.reduces, totals[copy]!));
      }
      for (const [copy, ctx] of rows.entries()) this.#rowStores(ctx, known[copy]!);
    });
  }

  #foldOf(reduce: number): Fold {
    const { kind, dtype, args } = this.#kernel.body[reduce] as Reduce;
    return { kind, dtype, value: args[0] };
  }

  /** A vector that changes nothing when it is folded in. */
  #identity({ kind, dtype }: Fold): Expr {
    const nothing = kind === "sum" ? this.#nothing.get(dtype) : undefined;
    return nothing ?? number(dtype, this.#policy.lanes, startOf(kind, dtype));
  }

  /** Variables that hold what each fold starts from; lanes are folded each on its own. */
  #accumulators(folds: readonly Fold[]): Name[] {
    return folds.map((fold) => this.#b.var("acc", this.#identity(fold)));
  }

  #fold({ kind, dtype }: Fold, accumulator: Name, value: Expr): void {
    this.#b.set(accumulator, combine(kind, dtype, ref(accumulator), value));
  }

  /** A value with what changes nothing in the lanes from `live` on. */
  #alive(fold: Fold, value: Expr, live: Expr): Expr {
    const { lanes } = this.#policy;
    const alive = ops.lt(ops.iota(lanes), ops.splat(ops.convert(live, "i32"), lanes));
    return this.#b.let("alive", ops.select(alive, value, this.#identity(fold)));
  }
}
