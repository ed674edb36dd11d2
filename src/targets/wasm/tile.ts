import type { FunctionBuilder } from "./emitter.ts";
import type { WasmOperand, WasmTiles } from "./print.ts";

/** The register tile's vectors of columns. */
export const vectors = 2;
/**
 * The register tile of every engine, in rows, and in vectors of columns. 8 vectors of sums, 2 of the right operand and
 * 4 of the left are 14 of the 15 registers that V8 has. Measured, GFLOP/s of the loop alone on one machine, with and
 * without fused multiply-add: V8 11 (Node 20) 56 and 55, V8 13 (Node 24) 57 and 45; a tile of 6 × 2 gives at most 40
 * and 31, and 62 and 31.
 */
export const rows = 4;

/** Bytes from one element of the tile's operands to the next: constants. */
interface Layout {
  readonly leftRow: number;
  readonly leftDepth: number;
  readonly sumRow: number;
}

/**
 * micro(left, right, depth, sums, keep, panels, next): multiplies one packed panel of rows with a number of them of columns,
 * which are `next` bytes apart, and adds the products to rows of sums, or starts those where `keep` is 0. Every sum runs over
 * k in order.
 */
function writeMicro(f: FunctionBuilder, relaxed: boolean, { leftRow, leftDepth, sumRow }: Layout): void {
  const [left, panel, depth, sums, keep, panels, next] = [0, 1, 2, 3, 4, 5, 6] as const;
  const [at, right] = [f.local("i32"), f.local("i32")];
  const acc = Array.from({ length: rows * vectors }, () => f.local("v128"));
  const b = Array.from({ length: vectors }, () => f.local("v128"));
  const a = f.local("v128");
  const end = f.local("i32");
  const eachSum = (body: (sum: number, offset: number) => void) => {
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < vectors; c++) body(acc[r * vectors + c]!, r * sumRow + c * 16);
  };
  /** One step, and both panels moved on; leaves the left one's place and its end. */
  const advance = () => {
    for (let c = 0; c < vectors; c++) {
      f.get(right);
      f.memory("v128.load", c * 16);
      f.set(b[c]!);
    }
    for (let r = 0; r < rows; r++) {
      f.get(at);
      f.memory("v128.load32_splat", r * leftRow);
      f.set(a);
      for (let c = 0; c < vectors; c++) {
        const sum = acc[r * vectors + c]!;
        for (const l of relaxed ? [a, b[c]!, sum] : [sum, a, b[c]!]) f.get(l);
        if (relaxed) f.op("f32x4.relaxed_madd");
        else f.op("f32x4.mul", "f32x4.add");
        f.set(sum);
      }
    }
    f.bump(right, vectors * 16);
    f.get(at);
    f.i32(leftDepth);
    f.op("i32.add");
    f.tee(at);
    f.get(end);
  };
  f.get(left);
  f.get(depth);
  f.i32(leftDepth);
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
    f.get(panel);
    f.set(right);
    f.get(left);
    f.set(at);
    f.block(() => {
      f.get(at);
      f.get(end);
      f.op("i32.eq");
      f.brIf(0);
      f.loop(() => {
        // The way out between two steps is not only for an odd depth: V8 puts all loads of a straight stretch of code before
        // its arithmetic, and with those of two steps runs out of registers.
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
    f.get(panel);
    f.get(next);
    f.op("i32.add");
    f.set(panel);
    f.bump(panels, -1);
    f.get(panels);
    f.brIf(0);
  });
}

/** The tiles of products. */
export function productTiles(relaxed: boolean): WasmTiles {
  const tile =
    (keep: 0 | 1): WasmTiles[string] =>
    (f, operands, define) => {
      const [sums, left, right] = operands as [WasmOperand, WasmOperand, WasmOperand];
      const bytes = (o: WasmOperand, d: number) => {
        const stride = o.strides[d]!;
        return "bytes" in stride ? stride.bytes : 0;
      };
      const layout = { leftRow: bytes(left, 0), leftDepth: bytes(left, 1), sumRow: bytes(sums, 0) };
      const micro = define(
        `micro ${Object.values(layout)}`,
        ["i32", "i32", "i32", "i32", "i32", "i32", "i32"],
        (m) => writeMicro(m, relaxed, layout),
      );
      left.pointer();
      right.pointer();
      left.sizes[1]!();
      sums.pointer();
      f.i32(keep);
      right.sizes[0]!();
      const next = right.strides[0]!;
      if ("bytes" in next) f.i32(next.bytes);
      else f.get(next.local);
      f.call(micro);
    };
  return { begin: tile(0), goOn: tile(1) };
}
