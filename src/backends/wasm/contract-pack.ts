import { dtypes } from "../../base/dtype.ts";
import { accessesOf } from "../../plan/kernel.ts";
import type { FunctionBuilder } from "../../targets/wasm/emitter.ts";
import {
  advance,
  argumentLoader,
  type ContractParts,
  lanesOf,
  least,
  loopWhile,
  place,
} from "./contract-parts.ts";
import { emitValues, type ValueContext } from "./value.ts";

/** Rows that are packed at once where k is the unit dimension: as many as a vector has lanes of f32. */
const abreast = 4;

/**
 * pack(args, first, length, k0, count, out): evaluates one operand's prologue over rows (or columns) from `first` and
 * depths from `k0`, and writes panels `width` wide: for each depth, the values of the panel's rows side by side. What
 * a last panel lacks is filled with copies of the last row, which nobody reads.
 */
export function emitPack(parts: ContractParts, side: "left" | "right", width: number): number {
  const { kernel, module, scratch, math, relaxed, sums } = parts;
  const f = module.func(side, ["i32", "i32", "i32", "i32", "i32", "i32"]);
  const [first, length, k0, count, out] = [1, 2, 3, 4, 5] as const;
  const free = kernel.batch + (side === "left" ? 0 : 1);
  const deep = kernel.batch + 2;
  const alongFree = (side === "left" ? kernel.leftUnit : kernel.rightUnit) === (side === "left" ? "m" : "n");
  const root = kernel[side];
  const used = accessesOf(kernel.prologue, [root]);
  const lanes = lanesOf(kernel.prologue, kernel.accesses, used, sums);
  const load = argumentLoader(f, kernel);
  const local = () => f.local("i32");
  const step = width * sums.bytes;
  /** Per access: address at (first, k0), and addresses that move. */
  const line = new Map(used.map((a) => [a, local()]));
  const at = Array.from({ length: abreast }, () => new Map(used.map((a) => [a, local()])));
  const [i, k, row, last, panel, target] = [local(), local(), local(), local(), local(), local()];
  const freeStride = (a: number) => load.stride(a, free);
  const deepStride = (a: number) => load.stride(a, deep);
  for (const a of used) {
    f.globalGet(scratch);
    f.memory("i32.load", a * 4);
    f.set(line.get(a)!);
    place(f, line.get(a)!, line.get(a)!, freeStride(a), first);
    place(f, line.get(a)!, line.get(a)!, deepStride(a), k0);
    if (load.hasAxis(a)) load.axisStride(a);
  }
  /** The operand's value at the addresses of `at[slot]`, as a local; `ahead` vectors on along the unit dimension. */
  const value = (slot: number, single: boolean, ahead = 0): number => {
    const context: ValueContext = {
      f,
      math,
      accesses: kernel.accesses,
      lanes,
      single,
      relaxed,
      pointer: (a) => at[slot]!.get(a)!,
      step: alongFree ? freeStride : deepStride,
      axisStride: load.axisStride,
      offset: (a) => (kernel.accesses[a]!.vector === "unit" ? ahead * lanes * elementBytes(a) : 0),
    };
    return emitValues(context, kernel.prologue, [root], new Map())[0]!;
  };
  const indices = new Set(kernel.prologue.flatMap((v) => (v.op === "index" ? [v.access] : [])));
  const elementBytes = (a: number) => (indices.has(a) ? 1 : dtypes[kernel.accesses[a]!.dtype].bytes);
  const moveDeep = (slot: number, by: number) => {
    for (const a of used) advance(f, at[slot]!.get(a)!, deepStride(a), by);
  };
  /** at[slot] = address of row i + `offset`, or of the last row there is. */
  const seekRow = (slot: number, offset: () => void) => {
    f.get(i);
    offset();
    f.op("i32.add");
    f.set(row);
    least(f, row, row, last);
    for (const a of used) place(f, at[slot]!.get(a)!, line.get(a)!, freeStride(a), row);
  };
  const storeLane = (vector: number, lane: number, offset: number) => {
    f.get(target);
    f.get(vector);
    f.memoryLane(`v128.store${sums.bytes * 8}_lane`, lane, offset);
  };
  const storeVector = (vector: number, offset: number) => {
    f.get(target);
    f.get(vector);
    if (lanes * sums.bytes === 16) f.memory("v128.store", offset);
    else f.memoryLane("v128.store64_lane", 0, offset);
  };
  /** Back to depth 0, `offset` bytes into the panel's lines. */
  const restart = (offset: () => void) => {
    f.get(panel);
    offset();
    f.op("i32.add");
    f.set(target);
    f.i32(0);
    f.set(k);
  };
  const nextPanel = () => {
    f.get(panel);
    f.get(count);
    f.i32(step);
    f.op("i32.mul", "i32.add");
    f.set(panel);
    f.bump(i, width);
  };

  /** Four rows a time, vectors along k, transposed on the way. */
  const rowsAbreast = (offset: number) => {
    const rows = Array.from({ length: abreast }, () => f.local("v128"));
    for (let r = 0; r < abreast; r++) seekRow(r, () => f.i32(offset + r));
    restart(() => f.i32(offset * sums.bytes));
    loopWhile(f, k, lanes, count, () => {
      for (let r = 0; r < abreast; r++) {
        f.get(value(r, false));
        f.set(rows[r]!);
      }
      if (lanes === 4 && sums.bytes === 4) {
        transpose(f, rows as [number, number, number, number]);
        for (let d = 0; d < lanes; d++) storeVector(rows[d]!, d * step);
      } else
        for (let d = 0; d < lanes; d++)
          for (let r = 0; r < abreast; r++) storeLane(rows[r]!, d, d * step + r * sums.bytes);
      for (let r = 0; r < abreast; r++) moveByLanes(r);
      f.bump(target, lanes * step);
      f.bump(k, lanes);
    });
    loopWhile(f, k, 1, count, () => {
      for (let r = 0; r < abreast; r++) storeLane(value(r, true), 0, r * sums.bytes);
      for (let r = 0; r < abreast; r++) moveDeep(r, 1);
      f.bump(target, step);
      f.bump(k, 1);
    });
  };
  const moveByLanes = (slot: number) => {
    for (const a of used) {
      const { vector } = kernel.accesses[a]!;
      if (vector === "unit") f.bump(at[slot]!.get(a)!, lanes * elementBytes(a));
      else if (vector === "strided") advance(f, at[slot]!.get(a)!, deepStride(a), lanes);
    }
  };

  f.get(length);
  f.i32(1);
  f.op("i32.sub");
  f.set(last);
  f.get(out);
  f.set(panel);
  f.i32(0);
  f.set(i);
  if (alongFree) {
    // Whole panels: rows of vectors, copied as they are.
    loopWhile(f, i, width, length, () => {
      seekRow(0, () => f.i32(0));
      restart(() => f.i32(0));
      loopWhile(f, k, 1, count, () => {
        for (let v = 0; v < width / lanes; v++) storeVector(value(0, false, v), v * lanes * sums.bytes);
        moveDeep(0, 1);
        f.bump(target, step);
        f.bump(k, 1);
      });
      nextPanel();
    });
    f.get(i);
    f.get(length);
    f.op("i32.lt_s");
    f.if(() => {
      const column = local();
      const columns = local();
      f.i32(width);
      f.set(columns);
      loopWhile(f, column, 1, columns, () => {
        seekRow(0, () => f.get(column));
        restart(() => {
          f.get(column);
          f.i32(sums.bytes);
          f.op("i32.mul");
        });
        loopWhile(f, k, 1, count, () => {
          storeLane(value(0, true), 0, 0);
          moveDeep(0, 1);
          f.bump(target, step);
          f.bump(k, 1);
        });
        f.bump(column, 1);
      });
    });
  } else
    loopWhile(f, i, 1, length, () => {
      for (let offset = 0; offset < width; offset += abreast) rowsAbreast(offset);
      nextPanel();
    });
  return f.index;
}

/** Transposes four vectors of four lanes in place. */
function transpose(f: FunctionBuilder, [a, b, c, d]: readonly [number, number, number, number]): void {
  const low = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
  const high = [8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31];
  const front = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
  const back = [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31];
  const mixed = (x: number, y: number, lanes: readonly number[], into: number): number => {
    f.get(x);
    f.get(y);
    f.shuffle(lanes);
    f.set(into);
    return into;
  };
  const ab = mixed(a, b, low, f.local("v128"));
  const abHigh = mixed(a, b, high, f.local("v128"));
  const cd = mixed(c, d, low, f.local("v128"));
  const cdHigh = mixed(c, d, high, f.local("v128"));
  mixed(ab, cd, front, a);
  mixed(ab, cd, back, b);
  mixed(abHigh, cdHigh, front, c);
  mixed(abHigh, cdHigh, back, d);
}
