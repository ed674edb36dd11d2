import type { DType } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { threefry2x32 } from "../base/threefry.ts";
import { hostEffect, hostScalar } from "../engine/trace.ts";
import { cast, reshape, sliceAxis } from "../ir/build.ts";
import { type Node, node } from "../ir/node.ts";
import * as kind from "./argument-kinds.ts";
import * as ops from "./operations/elementwise.ts";
import { broadcastTo, constant } from "./operations/promote.ts";

/**
 * Random numbers come from a counter, not from a stream: element e of the nth draw since `manualSeed(seed)` is
 * Threefry-2x32 of the key (the seed in one word, n) and the counter e / 2, of whose two words it is one. The key's words are inputs of a step, so a
 * captured step draws anew at each replay, and every backend draws the same bits.
 */
let seed = Math.floor(Math.random() * 2 ** 32);
let drawn = 0;

/** Where the random numbers stand: restoring it repeats them. */
export interface RandomState {
  readonly seed: number;
  readonly drawn: number;
}

/** Starts the random numbers anew from a whole number. */
export function manualSeed(value: number): void {
  if (!Number.isSafeInteger(value))
    throw new ArgumentError(`manualSeed: ${kind.described(value)} is not a whole number within ±2^53`);
  restoreState({ seed: value, drawn: 0 });
}

/** Where the random numbers stand. */
export const getRandomState = (): RandomState => ({ seed, drawn });

/** Puts them back where they stood. */
export function setRandomState(state: RandomState): void {
  const { seed, drawn } = state ?? {};
  if (!Number.isSafeInteger(seed) || !(Number.isSafeInteger(drawn) && drawn >= 0))
    throw new ArgumentError(
      `setRandomState: ${kind.described(state)} is no state of random numbers; give what getRandomState() gave`,
    );
  restoreState({ seed, drawn });
}

function restoreState(state: RandomState): void {
  let before = state;
  hostEffect({
    apply() {
      before = { seed, drawn };
      ({ seed, drawn } = state);
    },
    undo() {
      ({ seed, drawn } = before);
    },
  });
}

/** The seed in one word: itself if it is a u32, else its low word mixed with its high one. */
function seedWord(): number {
  const high = Math.floor(seed / 2 ** 32);
  return high === 0 ? seed | 0 : seed ^ threefry2x32(high, 0, 0, 0)[0];
}

/**
 * The key of the next draw: the seed's word and the number of draws before. What of that number is beyond one word goes
 * into the seed's, each into another word, so that 2⁶⁴ draws of one seed repeat none.
 */
const keyWord = (): number => (seedWord() + Math.imul(Math.floor(drawn / 2 ** 32), 0x9e3779b1)) | 0;

/** Random i32 words, from the next key. */
export function bits(shape: Shape): Node {
  const words = [hostScalar(keyWord, "i32"), hostScalar(() => drawn | 0, "i32")];
  hostEffect({
    apply() {
      drawn++;
    },
    undo() {
      drawn--;
    },
  });
  const key = node(
    "concat",
    words.map((w) => reshape(w, [1])),
    { axis: 0 },
  );
  return node("randomBits", [key], { shape });
}

/** Words shifted to the right, zeros coming in. */
export const shr = (x: Node, by: number): Node =>
  node("shr", [x, broadcastTo(constant(by, "i32"), x.shape, "random")], {});

/** Uniform numbers in [0, 1): all 24 bits of an f32, all 53 of an f64. */
export function uniformNode(shape: Shape, dtype: DType): Node {
  if (dtype !== "f64") return ops.mul(cast(shr(bits(shape), 8), "f32"), 2 ** -24);
  const [high, low] = halves(bits([2, ...shape]));
  return ops.mul(ops.add(ops.mul(cast(shr(high, 5), "f64"), 2 ** 26), cast(shr(low, 6), "f64")), 2 ** -53);
}

/** The two halves of a first dimension of size 2. */
const halves = (x: Node): [Node, Node] =>
  [0, 1].map((i) => reshape(sliceAxis(x, 0, i, 1), x.shape.slice(1))) as [Node, Node];

/** Standard normal numbers by Box and Muller's method, one from each pair of uniforms. */
export function normalNode(shape: Shape, dtype: DType): Node {
  const [a, b] = halves(uniformNode([2, ...shape], dtype));
  // 1 - u is never 0, whose logarithm is infinite.
  const radius = ops.sqrt(ops.mul(ops.log(ops.sub(1, a)), -2));
  return ops.mul(radius, ops.cos(ops.mul(b, 2 * Math.PI)));
}

/** Exponential numbers of mean 1. */
export const exponentialNode = (shape: Shape, dtype: DType): Node =>
  ops.neg(ops.log(ops.sub(1, uniformNode(shape, dtype))));
