import { constant, type KernelBuilder, ops } from "../lowered/build.ts";
import type { Expr } from "../lowered/ir.ts";

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/**
 * The random words, as i32, of vectors of elements whose numbers have two words of u32: word e & 1 of counter e >>> 1, as
 * base/threefry.ts has it. A high word that is the constant 0 costs nothing.
 */
export function threefry(b: KernelBuilder, key: readonly [Expr, Expr], low: Expr, high: Expr): Expr {
  const k = (value: number): Expr => constant(low.type, value);
  const [first, second] = key.map((word) => b.let("key", word)) as [Expr, Expr];
  const keys = [first, second, b.let("key", ops.xor(ops.xor(first, second), k(0x1bd11bda)))];
  const isSmall = high.op === "const" && high.value === 0;
  const half = ops.shr(low, k(1));
  let x = b.let("x", ops.add(isSmall ? half : ops.or(half, ops.shl(high, k(31))), first));
  let y = isSmall ? second : b.let("y", ops.add(ops.shr(high, k(1)), second));
  for (let round = 0; round < 20; round++) {
    const by = rotations[round & 7]!;
    x = b.let("x", ops.add(x, y));
    y = b.let("y", ops.xor(ops.or(ops.shl(y, k(by)), ops.shr(y, k(32 - by))), x));
    if ((round & 3) !== 3) continue;
    const injection = (round >> 2) + 1;
    x = b.let("x", ops.add(x, keys[injection % 3]!));
    y = b.let("y", ops.add(y, ops.add(keys[(injection + 1) % 3]!, k(injection))));
  }
  const isOdd = ops.eq(ops.and(low, k(1)), k(1));
  return ops.select(isOdd, ops.bits(y, "i32"), ops.bits(x, "i32"));
}
