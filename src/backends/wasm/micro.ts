import type { ContractParts } from "./contract-parts.ts";

/**
 * The register tile of every engine, in rows and in vectors of columns. 8 vectors of sums, 2 of the right operand and
 * 4 of the left are 14 of the 15 registers that V8 has. Measured, GFLOP/s of the loop alone on one machine, with and
 * without fused multiply-add: V8 11 (Node 20) 56 and 55, V8 13 (Node 24) 57 and 45; a tile of 6 × 2 gives at most 40
 * and 31, and 62 and 31.
 */
export const microTile = { rows: 4, vectors: 2 };

/**
 * micro(left, right, depth, sums, keep, panels): multiplies one packed panel of rows with a number of packed panels of
 * columns, and adds the products to rows of sums that are `sumStride` bytes apart, or starts those where `keep` is 0.
 * Every sum runs over k in order.
 */
export function emitMicro(
  { module, relaxed, sums: { lane, bytes } }: ContractParts,
  sumStride: number,
): number {
  const f = module.func("micro", ["i32", "i32", "i32", "i32", "i32", "i32"]);
  const [left, right, depth, sums, keep, panels] = [0, 1, 2, 3, 4, 5] as const;
  const { rows, vectors } = microTile;
  const shape = { f32: "f32x4", f64: "f64x2", i32: "i32x4" }[lane];
  const acc = Array.from({ length: rows * vectors }, () => f.local("v128"));
  const b = Array.from({ length: vectors }, () => f.local("v128"));
  const a = f.local("v128");
  const at = f.local("i32");
  const end = f.local("i32");
  const eachSum = (body: (sum: number, offset: number) => void) => {
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < vectors; c++) body(acc[r * vectors + c]!, r * sumStride + c * 16);
  };
  const step = (u: number) => {
    for (let c = 0; c < vectors; c++) {
      f.get(right);
      f.memory("v128.load", (u * vectors + c) * 16);
      f.set(b[c]!);
    }
    for (let r = 0; r < rows; r++) {
      f.get(at);
      f.memory(`v128.load${bytes * 8}_splat`, (u * rows + r) * bytes);
      f.set(a);
      for (let c = 0; c < vectors; c++) {
        const sum = acc[r * vectors + c]!;
        if (relaxed && lane !== "i32") {
          f.get(a);
          f.get(b[c]!);
          f.get(sum);
          f.op(`${shape}.relaxed_madd`);
        } else {
          f.get(sum);
          f.get(a);
          f.get(b[c]!);
          f.op(`${shape}.mul`, `${shape}.add`);
        }
        f.set(sum);
      }
    }
  };
  f.get(left);
  f.get(depth);
  f.i32(rows * bytes);
  f.op("i32.mul", "i32.add");
  f.set(end);
  f.loop(() => {
    f.get(keep);
    f.if(
      () =>
        eachSum((sum, offset) => {
          f.get(sums);
          f.memory("v128.load", offset);
          f.set(sum);
        }),
      () =>
        eachSum((sum) => {
          f.i32x4(0);
          f.set(sum);
        }),
    );
    /** One step, and both panels moved on; leaves the left one's place and its end. */
    const advance = () => {
      step(0);
      f.bump(right, vectors * 16);
      f.get(at);
      f.i32(rows * bytes);
      f.op("i32.add");
      f.tee(at);
      f.get(end);
    };
    f.get(left);
    f.set(at);
    f.block(() => {
      f.get(at);
      f.get(end);
      f.op("i32.eq");
      f.brIf(0);
      f.loop(() => {
        // The way out between two steps is not only for an odd depth: V8 puts all loads of a straight stretch of code
        // before its arithmetic, and with those of two steps runs out of registers.
        advance();
        f.op("i32.eq");
        f.brIf(1);
        advance();
        f.op("i32.ne");
        f.brIf(0);
      });
    });
    eachSum((sum, offset) => {
      f.get(sums);
      f.get(sum);
      f.memory("v128.store", offset);
    });
    f.bump(sums, vectors * 16);
    f.bump(panels, -1);
    f.get(panels);
    f.brIf(0);
  });
  return f.index;
}
