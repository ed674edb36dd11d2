import type { ModuleBuilder } from "./emitter.ts";

/** Sums that a micro kernel keeps in registers. */
export interface MicroTile {
  readonly rows: number;
  readonly columns: number;
}

/**
 * The register tile of every engine. 8 vectors of sums, 2 of the right operand and 4 of the left are 14 of the 15
 * registers that V8 has. Measured, GFLOP/s of the loop alone on one machine, with and without fused multiply-add:
 * V8 11 (Node 20) 56 and 55, V8 13 (Node 24) 57 and 45; a 6 × 8 tile gives 25 to 40 and 31, and 62 and 31.
 */
export const microTile: MicroTile = { rows: 4, columns: 8 };

/**
 * micro(left, right, depth, sums, k0): adds the product of two packed panels to a tile of sums, or starts it where k0
 * is 0. Every sum runs over k in order.
 */
export function emitMicro(module: ModuleBuilder, relaxed: boolean, tileStride: number): number {
  const f = module.func("micro", ["i32", "i32", "i32", "i32", "i32"]);
  const [left, right, depth, sums, k0] = [0, 1, 2, 3, 4] as const;
  const { rows, columns } = microTile;
  const wide = columns / 4;
  const acc = Array.from({ length: rows * wide }, () => f.local("v128"));
  const b = Array.from({ length: wide }, () => f.local("v128"));
  const a = f.local("v128");
  const end = f.local("i32");
  f.get(left);
  f.get(depth);
  f.i32(rows * 4);
  f.op("i32.mul", "i32.add");
  f.set(end);
  f.get(k0);
  f.if(() => {
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < wide; c++) {
        f.get(sums);
        f.memory("v128.load", r * tileStride + c * 16);
        f.set(acc[r * wide + c]!);
      }
  });
  const step = (u: number) => {
    for (let c = 0; c < wide; c++) {
      f.get(right);
      f.memory("v128.load", u * columns * 4 + c * 16);
      f.set(b[c]!);
    }
    for (let r = 0; r < rows; r++) {
      f.get(left);
      f.memory("v128.load32_splat", u * rows * 4 + r * 4);
      f.set(a);
      for (let c = 0; c < wide; c++) {
        const sum = acc[r * wide + c]!;
        if (relaxed) {
          f.get(a);
          f.get(b[c]!);
          f.get(sum);
          f.op("f32x4.relaxed_madd");
        } else {
          f.get(sum);
          f.get(a);
          f.get(b[c]!);
          f.op("f32x4.mul", "f32x4.add");
        }
        f.set(sum);
      }
    }
  };
  f.block(() => {
    f.loop(() => {
      step(0);
      // The way out between two steps is not only for an odd depth: V8 puts all loads of a straight stretch of code
      // before its arithmetic, and with those of two steps runs out of registers.
      f.get(left);
      f.i32(rows * 4);
      f.op("i32.add");
      f.get(end);
      f.op("i32.eq");
      f.brIf(1);
      step(1);
      f.bump(right, 2 * columns * 4);
      f.get(left);
      f.i32(2 * rows * 4);
      f.op("i32.add");
      f.tee(left);
      f.get(end);
      f.op("i32.ne");
      f.brIf(0);
    });
  });
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < wide; c++) {
      f.get(sums);
      f.get(acc[r * wide + c]!);
      f.memory("v128.store", r * tileStride + c * 16);
    }
  return f.index;
}
