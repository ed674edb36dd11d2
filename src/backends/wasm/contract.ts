import type { ContractKernel, Value } from "../../plan/kernel.ts";
import { argsLayout, contractTile } from "./args.ts";
import { type FunctionBuilder, type MemoryImport, ModuleBuilder } from "./emitter.ts";
import { declareMath, type MathImports } from "./math.ts";
import { emitMicro, microTile } from "./micro.ts";
import { emitStore, emitValues, type ValueContext } from "./value.ts";

/** How deep a stretch of the contracted dimension is packed at once. */
const depth = 256;
const { rows: tileRows, columns: tileColumns } = contractTile;
const tile = microTile;
const { rows: microRows, columns: microColumns } = tile;
const packedLeft = tileRows * depth * 4;
const packedRight = tileColumns * depth * 4;
/** Bytes from one row of the tile of sums to the next. */
const tileStride = tileColumns * 4;

/** Scratch of one thread: the packed operands of a tile, and its sums. */
export const scratchBytes = packedLeft + packedRight + tileRows * tileStride;

/**
 * A product as one module. `run` takes tiles of the result, one task each: it packs a stretch of both operands
 * (evaluating their prologue), lets the micro kernel add it to the tile's sums, and when the sums are whole runs the
 * epilogue over the tile. The structure is Goto's and van de Geijn's ("Anatomy of High-Performance Matrix
 * Multiplication", 2008), with the tile's sums kept in scratch so that an epilogue of any shape follows once.
 */
export function emitContract(kernel: ContractKernel, memory: MemoryImport, relaxed: boolean): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(memory);
  const scratch = module.importGlobal("scratch");
  const math = declareMath(module, [kernel.prologue, kernel.epilogue]);
  const micro = emitMicro(module, relaxed, tileStride);
  const packLeft = emitPack(module, kernel, "left", math, relaxed);
  const packRight = emitPack(module, kernel, "right", math, relaxed);
  const finish = emitFinish(module, kernel, math, relaxed);
  const { extents } = argsLayout(kernel);
  const f = module.func("run", ["i32", "i32", "i32"]);
  const [args, task, end] = [0, 1, 2];
  const load = (d: number) => {
    f.get(args);
    f.memory("i32.load", extents[kernel.batch + d]!);
  };
  const local = () => f.local("i32");
  const [rowTiles, columnTiles, batch, m0, n0, rows, columns, k0, count, padded, left, right, sums, rest] = Array.from({ length: 14 }, local) as number[];
  const [i, j, leftAt, rightAt, sumsAt, packedAt] = Array.from({ length: 6 }, local) as number[];
  const ceilDiv = (d: number, by: number) => {
    load(d);
    f.i32(by - 1);
    f.op("i32.add");
    f.i32(by);
    f.op("i32.div_u");
  };
  const least = (d: number, from: number, limit: number, into: number) => {
    load(d);
    f.get(from);
    f.op("i32.sub");
    f.tee(into);
    f.i32(limit);
    f.get(into);
    f.i32(limit);
    f.op("i32.lt_s", "select");
    f.set(into);
  };
  const address = (into: number, offset: number) => {
    f.globalGet(scratch);
    f.i32(offset);
    f.op("i32.add");
    f.set(into);
  };
  address(left!, 0);
  address(right!, packedLeft);
  address(sums!, packedLeft + packedRight);
  ceilDiv(0, tileRows);
  f.set(rowTiles!);
  ceilDiv(1, tileColumns);
  f.set(columnTiles!);
  f.i32(-1);
  f.set(packedAt!);
  f.block(() => {
    f.loop(() => {
      f.get(task);
      f.get(end);
      f.op("i32.ge_s");
      f.brIf(1);
      // Row tiles run fastest, so that consecutive tasks share the packed right operand.
      f.get(task);
      f.get(rowTiles!);
      f.op("i32.rem_u");
      f.i32(tileRows);
      f.op("i32.mul");
      f.set(m0!);
      f.get(task);
      f.get(rowTiles!);
      f.op("i32.div_u");
      f.tee(rest!);
      f.get(columnTiles!);
      f.op("i32.rem_u");
      f.i32(tileColumns);
      f.op("i32.mul");
      f.set(n0!);
      f.get(rest!);
      f.get(columnTiles!);
      f.op("i32.div_u");
      f.set(batch!);
      least(0, m0!, tileRows, rows!);
      least(1, n0!, tileColumns, columns!);
      f.i32(0);
      f.set(k0!);
      f.loop(() => {
        least(2, k0!, depth, count!);
        f.get(count!);
        f.i32(3);
        f.op("i32.add");
        f.i32(-4);
        f.op("i32.and");
        f.set(padded!);
        const pack = (index: number, first: number, length: number, out: number) => {
          for (const l of [args, batch!, first, length, k0!, count!, out]) f.get(l);
          f.call(index);
        };
        pack(packLeft, m0!, rows!, left!);
        f.get(rest!);
        f.get(packedAt!);
        f.op("i32.ne");
        load(2);
        f.i32(depth);
        f.op("i32.gt_s", "i32.or");
        f.if(() => pack(packRight, n0!, columns!, right!));
        f.get(rest!);
        f.set(packedAt!);
        // Panels: the right one stays in the first-level cache while the left ones pass.
        f.i32(0);
        f.set(j!);
        f.get(right!);
        f.set(rightAt!);
        f.loop(() => {
          f.i32(0);
          f.set(i!);
          f.get(left!);
          f.set(leftAt!);
          f.get(sums!);
          f.get(j!);
          f.i32(4);
          f.op("i32.mul", "i32.add");
          f.set(sumsAt!);
          f.loop(() => {
            for (const l of [leftAt!, rightAt!, padded!, sumsAt!, k0!]) f.get(l);
            f.call(micro);
            f.get(leftAt!);
            f.get(padded!);
            f.i32(microRows * 4);
            f.op("i32.mul", "i32.add");
            f.set(leftAt!);
            f.bump(sumsAt!, microRows * tileStride);
            f.bump(i!, microRows);
            f.get(i!);
            f.get(rows!);
            f.op("i32.lt_s");
            f.brIf(0);
          });
          f.get(rightAt!);
          f.get(padded!);
          f.i32(microColumns * 4);
          f.op("i32.mul", "i32.add");
          f.set(rightAt!);
          f.bump(j!, microColumns);
          f.get(j!);
          f.get(columns!);
          f.op("i32.lt_s");
          f.brIf(0);
        });
        f.bump(k0!, depth);
        f.get(k0!);
        load(2);
        f.op("i32.lt_s");
        f.brIf(0);
      });
      for (const l of [args, batch!, m0!, rows!, n0!, columns!, sums!]) f.get(l);
      f.call(finish);
      f.bump(task, 1);
      f.br(0);
    });
  });
  return module.bytes();
}

/** Puts an access's address at batch `b` (a local), plus `terms` of (dimension, index local), into a new local. */
function emitAddress(f: FunctionBuilder, kernel: ContractKernel, access: number, b: number, terms: readonly (readonly [number, number])[]): number {
  const layout = argsLayout(kernel);
  const { pointer, strides } = layout.accesses[access]!;
  const at = f.local("i32");
  const rest = f.local("i32");
  f.get(0);
  f.memory("i32.load", pointer);
  f.set(at);
  const add = (stride: number, index: () => void) => {
    f.get(at);
    index();
    f.get(0);
    f.memory("i32.load", strides[stride]!);
    f.op("i32.mul", "i32.add");
    f.set(at);
  };
  f.get(b);
  f.set(rest);
  for (let d = kernel.batch - 1; d >= 0; d--) {
    const extent = () => {
      f.get(0);
      f.memory("i32.load", layout.extents[d]!);
    };
    add(d, () => {
      f.get(rest);
      extent();
      f.op("i32.rem_u");
    });
    f.get(rest);
    extent();
    f.op("i32.div_u");
    f.set(rest);
  }
  for (const [d, index] of terms) add(kernel.batch + d, () => f.get(index));
  return at;
}

/** The accesses a value needs. */
function accessesOf(body: readonly Value[], roots: readonly number[]): number[] {
  const found = new Set<number>();
  const visit = (i: number): void => {
    const v = body[i]!;
    if ("access" in v) found.add(v.access);
    if ("args" in v) for (const arg of v.args) visit(arg);
  };
  for (const root of roots) visit(root);
  return [...found];
}

/**
 * pack(args, batch, first, length, k0, count, out): panels of `micro` rows (or columns); in a panel, for each k, its
 * rows' values together. Rows and depths beyond the end are zeros.
 */
function emitPack(module: ModuleBuilder, kernel: ContractKernel, side: "left" | "right", math: MathImports, relaxed: boolean): number {
  const f = module.func(side, ["i32", "i32", "i32", "i32", "i32", "i32", "i32"]);
  const [args, b, first, length, k0, count, out] = [0, 1, 2, 3, 4, 5, 6] as const;
  const width = side === "left" ? microRows : microColumns;
  // Fours of a panel; where they do not divide it, the last overlaps the one before.
  const starts = Array.from({ length: Math.ceil(width / 4) }, (_, v) => Math.min(v * 4, width - 4));
  const root = kernel[side];
  const free = side === "left" ? 0 : 1;
  const unit = side === "left" ? kernel.leftUnit : kernel.rightUnit;
  const alongFree = unit === "m" || unit === "n";
  const layout = argsLayout(kernel);
  const used = accessesOf(kernel.prologue, [root]);
  const base = new Map(used.map((a) => [a, emitAddress(f, kernel, a, b, [[free, first], [2, k0]])]));
  const stride = (access: number, d: number): number => {
    const l = f.local("i32");
    f.get(args);
    f.memory("i32.load", layout.accesses[access]!.strides[kernel.batch + d]!);
    f.set(l);
    return l;
  };
  const freeStride = new Map(used.map((a) => [a, stride(a, free)]));
  const deepStride = new Map(used.map((a) => [a, stride(a, 2)]));
  const axis = new Map<number, number>();
  for (const a of used)
    if (layout.accesses[a]!.axisStride >= 0) {
      const l = f.local("i32");
      f.get(args);
      f.memory("i32.load", layout.accesses[a]!.axisStride);
      f.set(l);
      axis.set(a, l);
    }
  const at = new Map(used.map((a) => [a, f.local("i32")]));
  const context = (single: boolean): ValueContext => ({
    f,
    math,
    accesses: kernel.accesses,
    lanes: 4,
    single,
    relaxed,
    pointer: (a) => at.get(a)!,
    step: (a) => (alongFree ? freeStride.get(a)! : deepStride.get(a)!),
    axisStride: (a) => axis.get(a)!,
  });
  const value = (single: boolean): number => emitValues(context(single), kernel.prologue, [root], new Map())[0]!;
  const [panel, valid, i, k, row, padded] = Array.from({ length: 6 }, () => f.local("i32")) as [number, number, number, number, number, number];
  const vectors = Array.from({ length: 4 }, () => f.local("v128")) as [number, number, number, number];

  /** Address of every access at (i, k): i rows past `first`, k past `k0`. */
  const seek = (rowIndex: number, depthIndex: number, extra = 0) => {
    for (const a of used) {
      f.get(base.get(a)!);
      f.get(rowIndex);
      if (extra > 0) {
        f.i32(extra);
        f.op("i32.add");
      }
      f.get(freeStride.get(a)!);
      f.op("i32.mul", "i32.add");
      f.get(depthIndex);
      f.get(deepStride.get(a)!);
      f.op("i32.mul", "i32.add");
      f.set(at.get(a)!);
    }
  };
  /** Address in the panel of depth k, row r of it. */
  const target = (r: () => void) => {
    f.get(panel);
    f.get(k);
    f.i32(width);
    f.op("i32.mul");
    r();
    f.op("i32.add");
    f.i32(2);
    f.op("i32.shl", "i32.add");
  };
  const element = () => {
    seek(row, k);
    const v = value(true);
    target(() => {
      f.get(row);
      f.get(i);
      f.op("i32.sub");
    });
    f.get(v);
    f.memoryLane("v128.store32_lane", 0);
  };
  const loopWhile = (variable: number, limit: () => void, body: () => void, by: number, slack = 0) => {
    f.block(() => {
      f.loop(() => {
        f.get(variable);
        if (slack > 0) {
          f.i32(slack);
          f.op("i32.add");
        }
        limit();
        f.op("i32.ge_s");
        f.brIf(1);
        body();
        f.bump(variable, by);
        f.br(0);
      });
    });
  };
  const panelEnd = () => {
    f.get(i);
    f.get(valid);
    f.op("i32.add");
  };
  f.get(count);
  f.i32(3);
  f.op("i32.add");
  f.i32(-4);
  f.op("i32.and");
  f.set(padded);
  f.get(out);
  f.set(panel);
  f.i32(0);
  f.set(i);
  loopWhile(i, () => f.get(length), () => {
    f.get(length);
    f.get(i);
    f.op("i32.sub");
    f.tee(valid);
    f.i32(width);
    f.get(valid);
    f.i32(width);
    f.op("i32.lt_s", "select");
    f.set(valid);
    f.i32(0);
    f.set(k);
    // Whole panels in vectors, the rest element by element over zeros.
    f.get(valid);
    f.i32(width);
    f.op("i32.lt_s");
    f.get(count);
    f.get(padded);
    f.op("i32.ne", "i32.or");
    f.if(() => {
      f.get(panel);
      f.i32(0);
      f.get(padded);
      f.i32(width * 4);
      f.op("i32.mul");
      f.memoryFill();
    });
    f.get(valid);
    f.i32(width);
    f.op("i32.eq");
    f.if(
      () => {
        if (alongFree)
          loopWhile(k, () => f.get(count), () => {
            for (const v of starts) {
              seek(i, k, v);
              const x = value(false);
              target(() => f.i32(v));
              f.get(x);
              f.memory("v128.store");
            }
          }, 1);
        else {
          loopWhile(k, () => f.get(count), () => {
            for (const v of starts) {
              for (let r = 0; r < 4; r++) {
                seek(i, k, v + r);
                f.get(value(false));
                f.set(vectors[r]!);
              }
              transpose(f, vectors);
              for (let r = 0; r < 4; r++) {
                target(() => f.i32(v + r * width));
                f.get(vectors[r]!);
                f.memory("v128.store");
              }
            }
          }, 4, 3);
          loopWhile(k, () => f.get(count), () => {
            f.get(i);
            f.set(row);
            loopWhile(row, panelEnd, element, 1);
          }, 1);
        }
      },
      () =>
        loopWhile(k, () => f.get(count), () => {
          f.get(i);
          f.set(row);
          loopWhile(row, panelEnd, element, 1);
        }, 1),
    );
    f.get(panel);
    f.get(padded);
    f.i32(width * 4);
    f.op("i32.mul", "i32.add");
    f.set(panel);
  }, width);
  return f.index;
}

/** Transposes four vectors of four lanes in place. */
function transpose(f: FunctionBuilder, [a, b, c, d]: readonly [number, number, number, number]): void {
  const mix = (x: number, y: number, lanes: readonly number[]) => {
    f.get(x);
    f.get(y);
    f.shuffle(lanes);
  };
  const low = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
  const high = [8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31];
  const front = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
  const back = [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31];
  const [ab, abHigh, cd, cdHigh] = Array.from({ length: 4 }, () => f.local("v128")) as [number, number, number, number];
  mix(a, b, low);
  f.set(ab);
  mix(a, b, high);
  f.set(abHigh);
  mix(c, d, low);
  f.set(cd);
  mix(c, d, high);
  f.set(cdHigh);
  mix(ab, cd, front);
  f.set(a);
  mix(ab, cd, back);
  f.set(b);
  mix(abHigh, cdHigh, front);
  f.set(c);
  mix(abHigh, cdHigh, back);
  f.set(d);
}

/** finish(args, batch, m0, rows, n0, columns, sums): the epilogue over a tile of whole sums. */
function emitFinish(module: ModuleBuilder, kernel: ContractKernel, math: MathImports, relaxed: boolean): number {
  const f = module.func("finish", ["i32", "i32", "i32", "i32", "i32", "i32", "i32"]);
  const [args, b, m0, rows, n0, columns, sums] = [0, 1, 2, 3, 4, 5, 6] as const;
  const layout = argsLayout(kernel);
  const roots = kernel.stores.map((s) => s.value);
  const used = [...new Set([...accessesOf(kernel.epilogue, roots), ...kernel.stores.map((s) => s.access)])];
  const line = new Map(used.map((a) => [a, emitAddress(f, kernel, a, b, [[0, m0], [1, n0]])]));
  const word = (offset: number): number => {
    const l = f.local("i32");
    f.get(args);
    f.memory("i32.load", offset);
    f.set(l);
    return l;
  };
  const rowStride = new Map(used.map((a) => [a, word(layout.accesses[a]!.strides[kernel.batch]!)]));
  const step = new Map(used.map((a) => [a, word(layout.accesses[a]!.strides[kernel.batch + 1]!)]));
  const axis = new Map(used.filter((a) => layout.accesses[a]!.axisStride >= 0).map((a) => [a, word(layout.accesses[a]!.axisStride)]));
  const at = new Map(used.map((a) => [a, f.local("i32")]));
  const [i, j, sumAt, sumRow] = Array.from({ length: 4 }, () => f.local("i32")) as [number, number, number, number];
  const sum = f.local("v128");
  const accumulators = kernel.epilogue.flatMap((v, index) => (v.op === "accumulator" ? [index] : []));
  const block = (single: boolean) => {
    const context: ValueContext = {
      f,
      math,
      accesses: kernel.accesses,
      lanes: 4,
      single,
      relaxed,
      pointer: (a) => at.get(a)!,
      step: (a) => step.get(a)!,
      axisStride: (a) => axis.get(a)!,
    };
    f.get(sumAt);
    f.memory(single ? "v128.load32_splat" : "v128.load");
    f.set(sum);
    const values = emitValues(context, kernel.epilogue, roots, new Map(accumulators.map((v) => [v, sum])));
    for (const [s, store] of kernel.stores.entries()) emitStore(context, store.access, values[s]!);
    const lanes = single ? 1 : 4;
    for (const a of used) {
      f.get(at.get(a)!);
      f.get(step.get(a)!);
      f.i32(lanes);
      f.op("i32.mul", "i32.add");
      f.set(at.get(a)!);
    }
    f.bump(sumAt, lanes * 4);
    f.bump(j, lanes);
  };
  f.get(sums);
  f.set(sumRow);
  f.loop(() => {
    for (const a of used) {
      f.get(line.get(a)!);
      f.set(at.get(a)!);
    }
    f.get(sumRow);
    f.set(sumAt);
    f.i32(0);
    f.set(j);
    for (const single of [false, true])
      f.block(() => {
        f.loop(() => {
          f.get(j);
          f.i32(single ? 0 : 3);
          f.op("i32.add");
          f.get(columns);
          f.op("i32.ge_s");
          f.brIf(1);
          block(single);
          f.br(0);
        });
      });
    for (const a of used) {
      f.get(line.get(a)!);
      f.get(rowStride.get(a)!);
      f.op("i32.add");
      f.set(line.get(a)!);
    }
    f.bump(sumRow, tileStride);
    f.bump(i, 1);
    f.get(i);
    f.get(rows);
    f.op("i32.lt_s");
    f.brIf(0);
  });
  return f.index;
}
