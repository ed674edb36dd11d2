import { type ArgsLayout, strideWord } from "../../codegen/args.ts";
import { Cursors, type Term } from "../../lowered/cursors.ts";
import type { Expr, Lowered, Name, Place, Stmt } from "../../lowered/ir.ts";
import { cellBytes, indexKey, type Operation } from "../../lowered/walk.ts";
import type { FunctionBuilder } from "./emitter.ts";
import type { Operations, Values } from "./operations.ts";

/** A stride in bytes: a local, or a number. */
export type Stride = { readonly local: number } | { readonly bytes: number };

/** Bytes of a word of arguments and tables, and of an address. */
export const wordBytes = 4;

const laneIndex = (value: number): Expr => ({ op: "const", type: { scalar: "index", lanes: 1 }, value });

/**
 * Where a kernel's accesses are. What is the same throughout a call is computed once; where the places of a loop's body
 * are, but for some terms, is in a local that the loop moves along, as V8 multiplies anew in each iteration what is not
 * written so.
 */
export class Addresses {
  readonly #kernel: Lowered;
  readonly #layout: ArgsLayout;
  readonly #values: Values;
  readonly #operations: Operations;
  readonly #f: FunctionBuilder;
  readonly #words = new Map<number, number>();
  readonly #invariants = new Map<string, number>();
  readonly #cursors: Cursors<number>;

  /** `pointers`: locals of where accesses begin; `names`: those of names, as far as they are known. */
  constructor(
    kernel: Lowered,
    layout: ArgsLayout,
    values: Values,
    operations: Operations,
    pointers: readonly number[],
    names: ReadonlyMap<Name, number>,
  ) {
    this.#kernel = kernel;
    this.#layout = layout;
    this.#values = values;
    this.#operations = operations;
    this.#f = values.f;
    this.#cursors = new Cursors(pointers, names, false);
  }

  /** Says that a name keeps its value from here on. */
  keeps(name: Name): void {
    this.#cursors.keeps(name);
  }

  /** The word at a place of the argument block, in a local. */
  #word(at: number): number {
    const known = this.#words.get(at);
    if (known !== undefined) return known;
    const local = this.#f.local("i32");
    this.#words.set(at, local);
    this.#f.get(0);
    this.#f.memory("i32.load", at * wordBytes);
    this.#f.set(local);
    return local;
  }

  /** The local of an invariant expression. */
  invariant(e: Expr): number {
    const key = indexKey(e);
    const known = this.#invariants.get(key);
    if (known !== undefined) return known;
    if (e.op === "param" && e.param.kind !== "stride") {
      const { extents, block, accesses } = this.#layout;
      if (e.param.kind === "offset") return this.#word(accesses[e.param.access]!.pointer);
      return this.#word((e.param.kind === "extent" ? extents : block)[e.param.dim]!);
    }
    const local = this.#f.local("i32");
    if (e.op === "param" && e.param.kind === "stride") {
      // Words have strides in bytes.
      const bytes = cellBytes[this.#kernel.accesses[e.param.access]!.cell];
      this.#f.get(this.#word(strideWord(this.#layout, e.param.access, e.param.dim)));
      this.#f.i32(bytes);
      this.#f.op("i32.div_s");
    } else this.#operations.operation(e as Operation);
    this.#f.set(local);
    this.#invariants.set(key, local);
    return local;
  }

  /** The stride of an access along a dimension, in bytes: a local, or a number. */
  stride(access: number, d: number): Stride {
    const { cell, strides } = this.#kernel.accesses[access]!;
    const e = strides[d]!;
    if (e.op === "const") return { bytes: e.value * cellBytes[cell] };
    if (e.op === "param" && e.param.kind === "stride")
      return { local: this.#word(strideWord(this.#layout, e.param.access, e.param.dim)) };
    const key = `${indexKey(e)} · ${cellBytes[cell]}`;
    const known = this.#invariants.get(key);
    if (known !== undefined) return { local: known };
    const local = this.#f.local("i32");
    this.#f.get(this.invariant(e));
    this.#f.i32(cellBytes[cell]);
    this.#f.op("i32.mul");
    this.#f.set(local);
    this.#invariants.set(key, local);
    return { local };
  }

  /** The stride of a place: packed elements follow each other. */
  #strideOf({ access, along }: Place, d: number): Stride {
    if (along?.packed && along.dim === d) return { bytes: cellBytes[this.#kernel.accesses[access]!.cell] };
    return this.stride(access, d);
  }

  /** Whether something in a loop needs its index, once its addresses are in locals. */
  needs(index: Name, bodies: readonly (readonly Stmt[])[]): boolean {
    return bodies.some((body) => this.#cursors.needs(index, body));
  }

  /** Puts the addresses of a loop's bodies into locals; gives what moves them on by a step. */
  enter(index: Name, bodies: readonly (readonly Stmt[])[]): (by: number) => () => void {
    const f = this.#f;
    const moving = this.#cursors.enter(index, bodies, (place, from, terms) => {
      f.get(from);
      for (const term of terms) this.#addTerm(place, term);
      return this.#values.kept("i32", () => {});
    });
    return (by) => {
      const steps = moving.map(({ local, place, dim }) => {
        const stride = this.#strideOf(place, dim);
        if ("bytes" in stride) return () => stride.bytes !== 0 && f.bump(local, stride.bytes * by);
        const step = by === 1 ? stride.local : this.#values.kept("i32", () => this.#pushStride(stride, by));
        return () => {
          f.get(local);
          f.get(step);
          f.op("i32.add");
          f.set(local);
        };
      });
      return () => {
        for (const step of steps) step();
      };
    };
  }

  /** Leaves a multiple of a stride on the stack. */
  #pushStride(stride: Stride, times: number): void {
    const f = this.#f;
    if ("bytes" in stride) {
      f.i32(stride.bytes * times);
      return;
    }
    f.get(stride.local);
    if (times === 1) return;
    f.i32(times);
    f.op("i32.mul");
  }

  /** Adds a coordinate's part to the address on the stack. */
  #addTerm(place: Place, { dim, index }: Term): void {
    const f = this.#f;
    const stride = this.#strideOf(place, dim);
    if ("bytes" in stride && stride.bytes === 0) return;
    this.#values.push(index);
    if (!("bytes" in stride) || stride.bytes !== 1) {
      this.#pushStride(stride, 1);
      f.op("i32.mul");
    }
    f.op("i32.add");
  }

  /** Leaves the address of a place on the stack, or of one of its lanes; gives the bytes that are still to be added. */
  push(place: Place, lane = 0): number {
    const f = this.#f;
    const { along } = place;
    const cursor = this.#cursors.of(place);
    f.get(cursor.local);
    const lanes = lane > 0 && along !== undefined ? [{ dim: along.dim, index: laneIndex(lane) }] : [];
    let offset = 0;
    for (const term of [...cursor.left, ...lanes]) {
      const stride = this.#strideOf(place, term.dim);
      if (
        term.index.op === "const" &&
        (term.index.value === 0 || ("bytes" in stride && term.index.value > 0))
      )
        offset += "bytes" in stride ? term.index.value * stride.bytes : 0;
      else this.#addTerm(place, term);
    }
    return offset;
  }

  /** Multiplies the number on the stack by a stride. */
  times(access: number, dim: number): void {
    this.#pushStride(this.stride(access, dim), 1);
    this.#f.op("i32.mul");
  }

  /** Leaves the whole address of a place on the stack. */
  pushWhole(place: Place): void {
    const offset = this.push(place);
    if (offset === 0) return;
    this.#f.i32(offset);
    this.#f.op("i32.add");
  }
}
