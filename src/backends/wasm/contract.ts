import { argsLayout } from "../../codegen/args.ts";
import type { ProductTiling } from "../../codegen/tasks.ts";
import type { ContractKernel } from "../../plan/kernel.ts";
import { type FunctionBuilder, type MemoryImport, ModuleBuilder } from "../../targets/wasm/emitter.ts";
import { emitFinish } from "./contract-finish.ts";
import { emitPack } from "./contract-pack.ts";
import { argumentLoader, type ContractParts, least, loopWhile, sumTypeOf } from "./contract-parts.ts";
import { declareMath } from "./math.ts";
import { emitMicro, microTile } from "./micro.ts";

/** How products are cut into tasks. */
export const tiling: ProductTiling = {
  largest: { rows: 256, columns: 384 },
  tile: { rows: microTile.rows, columns: 4 * microTile.vectors },
  worthTask: 2 ** 22,
  mostTasks: 8,
};

/** Bytes of a packed column, and of a packed row: so much of the contracted dimension is packed at once. */
const depthBytes = 1024;
/** Scratch of a thread: addresses of accesses, a panel of the left operand, the packed right operand, sums. */
const addressBytes = 1024;
const leftAt = addressBytes;
const leftBytes = microTile.rows * depthBytes;
const rightAt = leftAt + leftBytes;
const rightBytes = tiling.largest.columns * depthBytes;
const sumsAt = rightAt + rightBytes;
/** Bytes from one row of sums to the next: f64 at most. */
const sumStride = tiling.largest.columns * 8;

/** Scratch of one thread. */
export const scratchBytes = sumsAt + tiling.largest.rows * sumStride;

/**
 * A product as one module. A task is a block of the result. For each stretch of the contracted dimension it packs the
 * right operand, then for every few rows packs the left one and lets the micro kernel add their products to the sums;
 * packing evaluates the operands' prologues. On the last stretch the epilogue follows while the sums are in the
 * cache. (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008, with the sums in scratch.)
 */
export function emitContract(
  kernel: ContractKernel,
  memory: MemoryImport,
  relaxed: boolean,
): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(memory);
  const scratch = module.importGlobal("scratch");
  const math = declareMath(module, [kernel.prologue, kernel.epilogue]);
  const sums = sumTypeOf(kernel.dtype);
  const parts: ContractParts = { kernel, module, scratch, math, relaxed, sums };
  const width = (microTile.vectors * 16) / sums.bytes;
  const functions = {
    micro: emitMicro(parts, sumStride),
    packLeft: emitPack(parts, "left", microTile.rows),
    packRight: emitPack(parts, "right", width),
    finish: emitFinish(parts, sumStride),
  };
  emitRun(parts, functions, width);
  return module.bytes();
}

interface Functions {
  readonly micro: number;
  readonly packLeft: number;
  readonly packRight: number;
  readonly finish: number;
}

function emitRun(parts: ContractParts, functions: Functions, width: number): void {
  const { kernel, module, scratch, sums } = parts;
  const f = module.func("run", ["i32", "i32", "i32"]);
  const [args, task, end] = [0, 1, 2] as const;
  const load = argumentLoader(f, kernel);
  const local = () => f.local("i32");
  const [m, n, k] = [load.extent(kernel.batch), load.extent(kernel.batch + 1), load.extent(kernel.batch + 2)];
  const { block } = argsLayout(kernel, 4);
  const word = (offset: number) => {
    const l = local();
    f.get(args);
    f.memory("i32.load", offset);
    f.set(l);
    return l;
  };
  const [blockRows, blockColumns] = [word(block[0]!), word(block[1]!)];
  const [rowBlocks, columnBlocks, rest, batch, packed, stretch] = [
    local(),
    local(),
    local(),
    local(),
    local(),
    local(),
  ];
  const [m0, n0, rows, columns, panels, k0, count, i, some, row, sumsHere] = Array.from(
    { length: 11 },
    local,
  ) as [number, number, number, number, number, number, number, number, number, number, number];
  const abreast = local();
  const ceilDiv = (a: number, b: () => void) => {
    f.get(a);
    b();
    f.op("i32.add");
    f.i32(1);
    f.op("i32.sub");
    b();
    f.op("i32.div_u");
  };
  const scratchAddress = (offset: number) => {
    f.globalGet(scratch);
    f.i32(offset);
    f.op("i32.add");
  };
  /** into = min(limit - from, most). */
  const part = (into: number, from: number, limit: number, most: number) => {
    f.get(limit);
    f.get(from);
    f.op("i32.sub");
    f.set(into);
    least(f, into, into, most);
  };
  ceilDiv(m, () => f.get(blockRows));
  f.set(rowBlocks);
  ceilDiv(n, () => f.get(blockColumns));
  f.set(columnBlocks);
  // Stretches of even length, each as long as the scratch allows or less.
  f.get(k);
  f.i32(1);
  f.get(k);
  f.op("select");
  f.set(stretch);
  ceilDiv(stretch, () => f.i32(depthBytes / sums.bytes));
  f.set(some);
  ceilDiv(stretch, () => f.get(some));
  f.set(stretch);
  f.i32(-1);
  f.set(packed);
  f.i32(microTile.rows);
  f.set(abreast);
  loopWhile(f, task, 1, end, () => {
    // Blocks of rows run fastest, so that consecutive tasks share the packed right operand.
    f.get(task);
    f.get(rowBlocks);
    f.op("i32.rem_u");
    f.get(blockRows);
    f.op("i32.mul");
    f.set(m0);
    f.get(task);
    f.get(rowBlocks);
    f.op("i32.div_u");
    f.tee(rest);
    f.get(columnBlocks);
    f.op("i32.rem_u");
    f.get(blockColumns);
    f.op("i32.mul");
    f.set(n0);
    f.get(rest);
    f.get(columnBlocks);
    f.op("i32.div_u");
    f.set(batch);
    part(rows, m0, m, blockRows);
    part(columns, n0, n, blockColumns);
    ceilDiv(columns, () => f.i32(width));
    f.set(panels);
    batchAddresses(f, parts, batch);
    f.i32(0);
    f.set(k0);
    f.loop(() => {
      part(count, k0, k, stretch);
      f.get(rest);
      f.get(packed);
      f.op("i32.ne");
      f.get(stretch);
      f.get(k);
      f.op("i32.lt_s", "i32.or");
      f.if(() => {
        for (const l of [args, n0, columns, k0, count]) f.get(l);
        scratchAddress(rightAt);
        f.call(functions.packRight);
      });
      f.get(rest);
      f.set(packed);
      scratchAddress(sumsAt);
      f.set(sumsHere);
      f.i32(0);
      f.set(i);
      loopWhile(f, i, 1, rows, () => {
        part(some, i, rows, abreast);
        f.get(m0);
        f.get(i);
        f.op("i32.add");
        f.set(row);
        for (const l of [args, row, some, k0, count]) f.get(l);
        scratchAddress(leftAt);
        f.call(functions.packLeft);
        scratchAddress(leftAt);
        scratchAddress(rightAt);
        for (const l of [count, sumsHere, k0, panels]) f.get(l);
        f.call(functions.micro);
        f.get(k0);
        f.get(stretch);
        f.op("i32.add");
        f.get(k);
        f.op("i32.ge_s");
        f.if(() => {
          for (const l of [args, row, some, n0, columns, sumsHere]) f.get(l);
          f.call(functions.finish);
        });
        // Sums that are whole at once are not kept: the next rows' take their place.
        f.get(stretch);
        f.get(k);
        f.op("i32.lt_s");
        f.if(() => f.bump(sumsHere, microTile.rows * sumStride));
        f.bump(i, microTile.rows);
      });
      f.get(k0);
      f.get(stretch);
      f.op("i32.add");
      f.tee(k0);
      f.get(k);
      f.op("i32.lt_s");
      f.brIf(0);
    });
    f.bump(task, 1);
  });
}

/** Puts every access's address at a batch index into the scratch. */
function batchAddresses(f: FunctionBuilder, { kernel, scratch }: ContractParts, batch: number): void {
  const load = argumentLoader(f, kernel);
  const at = f.local("i32");
  const indices = Array.from({ length: kernel.batch }, () => f.local("i32"));
  const rest = f.local("i32");
  f.get(batch);
  f.set(rest);
  for (let d = kernel.batch - 1; d >= 0; d--) {
    f.get(rest);
    f.get(load.extent(d));
    f.op("i32.rem_u");
    f.set(indices[d]!);
    f.get(rest);
    f.get(load.extent(d));
    f.op("i32.div_u");
    f.set(rest);
  }
  for (let a = 0; a < kernel.accesses.length; a++) {
    f.get(load.pointer(a));
    f.set(at);
    for (let d = 0; d < kernel.batch; d++) {
      f.get(at);
      f.get(load.stride(a, d));
      f.get(indices[d]!);
      f.op("i32.mul", "i32.add");
      f.set(at);
    }
    f.globalGet(scratch);
    f.get(at);
    f.memory("i32.store", a * 4);
  }
}
