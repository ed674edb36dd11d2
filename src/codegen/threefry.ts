import { constant, count, type KernelBuilder, ops, ref, typeOf } from "../lowered/build.ts";
import type { Expr } from "../lowered/ir.ts";

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;

/** Two words of u32: of a key, of a counter, of the number of an element. */
export type Words = readonly [Expr, Expr];

const k = (like: Expr, value: number): Expr => constant(like.type, value);

/** Whether a word is the constant 0, which costs nothing. */
const isZero = (word: Expr): boolean => word.op === "const" && word.value === 0;

/** Both random words of counters, as u32. */
function drawn(b: KernelBuilder, key: Words, [low, high]: Words): Words {
  const [first, second] = key.map((word) => b.let("key", word)) as [Expr, Expr];
  const keys = [first, second, b.let("key", ops.xor(ops.xor(first, second), k(first, 0x1bd11bda)))];
  let x = b.let("x", ops.add(low, first));
  let y = isZero(high) ? second : b.let("y", ops.add(high, second));
  for (let round = 0; round < 20; round++) {
    const by = rotations[round & 7]!;
    x = b.let("x", ops.add(x, y));
    y = b.let("y", ops.xor(ops.or(ops.shl(y, k(y, by)), ops.shr(y, k(y, 32 - by))), x));
    if ((round & 3) !== 3) continue;
    const injection = (round >> 2) + 1;
    x = b.let("x", ops.add(x, keys[injection % 3]!));
    y = b.let("y", ops.add(y, ops.add(keys[(injection + 1) % 3]!, k(y, injection))));
  }
  return [x, y];
}

/** The counters of elements: their numbers, of two words, halved. */
function halved([low, high]: Words): Words {
  const half = ops.shr(low, k(low, 1));
  if (isZero(high)) return [half, high];
  return [ops.or(half, ops.shl(high, k(high, 31))), ops.shr(high, k(high, 1))];
}

/** Numbers of two words plus ones of one word. */
export function plus(b: KernelBuilder, [low, high]: Words, added: Expr): Words {
  const by = b.let("by", added);
  const sum = b.let("e", ops.add(low, by));
  if (isZero(high)) return [sum, high];
  const carries = ops.or(ops.and(low, by), ops.and(ops.or(low, by), ops.xor(sum, k(sum, 0xffffffff))));
  return [sum, b.let("high", ops.add(high, ops.shr(carries, k(sum, 31))))];
}

/**
 * The random words, as i32, of vectors of elements that have these numbers: word e & 1 of counter e >>> 1, as
 * base/threefry.ts has it. A high word that is the constant 0 costs nothing.
 */
export function threefry(b: KernelBuilder, key: Words, number: Words): Expr {
  const [x, y] = drawn(b, key, halved(number));
  const isOdd = ops.eq(ops.and(number[0], k(number[0], 1)), k(number[0], 1));
  return ops.select(isOdd, ops.bits(y, "i32"), ops.bits(x, "i32"));
}

/**
 * `threefry` of a vector of elements that follow each other, whose first ones have these numbers, and of the next vector.
 * Where the first number is even their counters are as many as a vector has lanes, and both words of each are used, which
 * takes half of the time.
 */
export function threefryOfTwo(b: KernelBuilder, key: Words, number: Words): readonly [Expr, Expr] {
  const { lanes } = number[0].type;
  const scalar = (value: number): Expr => constant(typeOf("i32"), value);
  const first = b.let("first", ops.lane(b.let("low", ops.bits(number[0], "i32")), 0));
  const isEven = ops.eq(ops.and(first, scalar(1)), scalar(0));
  // The low word begins anew from 0 where numbers are near the end of one.
  const wraps = ops.and(ops.le(scalar(-2 * lanes), first), ops.lt(first, scalar(0)));
  const nothing = constant(typeOf("i32", lanes), 0);
  const [one, other] = [b.var("bits", nothing), b.var("bits", nothing)];
  const inLanes = (value: Expr): Expr => ops.bits(ops.splat(value, lanes), "u32");
  b.if(
    isZero(number[1]) ? isEven : ops.and(isEven, ops.not(wraps)),
    () => {
      const [low, high] = halved([inLanes(first), number[1]]);
      const own = ops.add(low, ops.bits(ops.iota(lanes), "u32"));
      const [x, y] = drawn(b, key, [own, high]);
      const [even, odd] = [b.let("even", ops.bits(x, "i32")), b.let("odd", ops.bits(y, "i32"))];
      const from = (start: number) =>
        Array.from({ length: lanes }, (_, l) => start + (l >> 1) + (l & 1) * lanes);
      b.set(one, ops.shuffle(even, odd, from(0)));
      b.set(other, ops.shuffle(even, odd, from(lanes / 2)));
    },
    () =>
      b.for(count(2), (turn) => {
        const moved = inLanes(ops.convert(ops.mul(turn, count(lanes)), "i32"));
        const bits = b.let("bits", threefry(b, key, plus(b, number, moved)));
        b.if(
          ops.eq(turn, count(0)),
          () => b.set(one, bits),
          () => b.set(other, bits),
        );
      }),
  );
  return [ref(one), ref(other)];
}
