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

/** Where random numbers stand: restoring it repeats them. */
export interface RandomState {
  readonly seed: number;
  readonly drawn: number;
}

/**
 * Random numbers of its own, which neither move the shared ones nor are moved by them: `randn(shape, { generator })`.
 *
 * Numbers come from a counter, not from a stream: element e of the nth draw since `manualSeed(seed)` is Threefry-2x32 of the
 * key (the seed in one word, n) and the counter e / 2, of whose two words it is one. The key's words are inputs of a step, so
 * a captured step draws anew at each replay, and every backend draws the same bits.
 *
 * Takes a seed, a whole number, 67280421310721 unless given, as PyTorch's. A checkpoint keeps where the shared numbers stand;
 * where a generator stands is `getState()`, and the user's to keep. Throws `ArgumentError` for another.
 * Source: `torch.Generator`. Example: `randn([2], { generator: new Generator(0) })`.
 */
export class Generator {
  #seed = 0;
  #drawn = 0;

  constructor(seed = 67280421310721) {
    this.manualSeed(seed);
  }

  /** Starts its numbers anew from a whole number, and gives this. */
  manualSeed(seed: number): this {
    return this.#start("manualSeed", seed);
  }
  /** Starts its numbers anew from a number that nobody knows, and gives that. */
  seed(): number {
    const seed = Math.floor(Math.random() * 2 ** 32);
    this.#start("seed", seed);
    return seed;
  }
  /** What its numbers were last started from. */
  initialSeed(): number {
    return this.#seed;
  }
  /** Where its numbers stand. */
  getState(): RandomState {
    return { seed: this.#seed, drawn: this.#drawn };
  }
  /** Puts them back where they stood, and gives this. */
  setState(state: RandomState): this {
    return this.#restore("setState", "getState", state);
  }

  #start(op: string, seed: number): this {
    if (!Number.isSafeInteger(seed))
      throw new ArgumentError(`${op}: ${kind.described(seed)} is not a whole number within ±2^53`);
    return this.#put({ seed, drawn: 0 });
  }

  #restore(op: string, from: string, state: RandomState): this {
    const { seed, drawn } = state ?? {};
    if (!Number.isSafeInteger(seed) || !(Number.isSafeInteger(drawn) && drawn >= 0))
      throw new ArgumentError(
        `${op}: ${kind.described(state)} is no state of random numbers; give what ${from}() gave`,
      );
    return this.#put({ seed, drawn });
  }

  #put(state: RandomState): this {
    let before = state;
    hostEffect({
      apply: () => {
        before = this.getState();
        ({ seed: this.#seed, drawn: this.#drawn } = state);
      },
      undo: () => {
        ({ seed: this.#seed, drawn: this.#drawn } = before);
      },
    });
    return this;
  }

  /** Puts the shared numbers back where they stood. */
  static restoreShared(state: RandomState): void {
    shared.#restore("setRandomState", "getRandomState", state);
  }

  /** The seed in one word: itself if it is a u32, else its low word mixed with its high one. */
  #seedWord(): number {
    const high = Math.floor(this.#seed / 2 ** 32);
    return high === 0 ? this.#seed | 0 : this.#seed ^ threefry2x32(high, 0, 0, 0)[0];
  }

  /** The next key, two words of i32. */
  key(): Node {
    // The key is the seed's word and the number of draws before. What of that number is beyond one word goes into the
    // seed's, each into another word, so that 2⁶⁴ draws of one seed repeat none.
    const words = [
      hostScalar(
        () => (this.#seedWord() + Math.imul(Math.floor(this.#drawn / 2 ** 32), 0x9e3779b1)) | 0,
        "i32",
      ),
      hostScalar(() => this.#drawn | 0, "i32"),
    ];
    hostEffect({
      apply: () => {
        this.#drawn++;
      },
      undo: () => {
        this.#drawn--;
      },
    });
    return node(
      "concat",
      words.map((w) => reshape(w, [1])),
      { axis: 0 },
    );
  }

  /** Random i32 words, from the next key. */
  bits(shape: Shape): Node {
    return node("randomBits", [this.key()], { shape });
  }
}

/** What draws where no generator is given. */
const shared = new Generator(Math.floor(Math.random() * 2 ** 32));

/** A generator among options. */
export const generator: kind.Kind = {
  what: "a Generator",
  ok: (x) => x === null || x instanceof Generator,
};

/** Starts the random numbers anew from a whole number. */
export function manualSeed(seed: number): void {
  shared.manualSeed(seed);
}

/** Where the random numbers stand. */
export const getRandomState = (): RandomState => shared.getState();

/** Puts them back where they stood. */
export const setRandomState = (state: RandomState): void => Generator.restoreShared(state);

/** The next key of the shared numbers, two words of i32. */
export const randomKey = (): Node => shared.key();

/** Random i32 words, from the next key of the shared numbers or of a generator. */
export const bits = (shape: Shape, from?: Generator | null): Node => (from ?? shared).bits(shape);

/** Words shifted to the right, zeros coming in. */
export const shr = (x: Node, by: number): Node =>
  node("shr", [x, broadcastTo(constant(by, "i32"), x.shape, "random")], {});

/** Uniform numbers in [0, 1): all 24 bits of an f32, all 53 of an f64. */
export function uniformNode(shape: Shape, dtype: DType, from?: Generator | null): Node {
  if (dtype !== "f64") return ops.mul(cast(shr(bits(shape, from), 8), "f32"), 2 ** -24);
  const [high, low] = halves(bits([2, ...shape], from));
  return ops.mul(ops.add(ops.mul(cast(shr(high, 5), "f64"), 2 ** 26), cast(shr(low, 6), "f64")), 2 ** -53);
}

/** The two halves of a first dimension of size 2. */
const halves = (x: Node): [Node, Node] =>
  [0, 1].map((i) => reshape(sliceAxis(x, 0, i, 1), x.shape.slice(1))) as [Node, Node];

/** Standard normal numbers by Box and Muller's method, one from each pair of uniforms. */
export function normalNode(shape: Shape, dtype: DType, from?: Generator | null): Node {
  const [a, b] = halves(uniformNode([2, ...shape], dtype, from));
  // 1 - u is never 0, whose logarithm is infinite.
  const radius = ops.sqrt(ops.mul(ops.log(ops.sub(1, a)), -2));
  return ops.mul(radius, ops.cos(ops.mul(b, 2 * Math.PI)));
}

/** Exponential numbers of mean 1. */
export const exponentialNode = (shape: Shape, dtype: DType, from?: Generator | null): Node =>
  ops.neg(ops.log(ops.sub(1, uniformNode(shape, dtype, from))));
