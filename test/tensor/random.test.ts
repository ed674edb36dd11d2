import {
  bernoulli,
  capture,
  dropoutMask,
  full,
  getRandomState,
  manualSeed,
  multinomial,
  normal,
  rand,
  randint,
  randn,
  randperm,
  setRandomState,
  type Tensor,
  tensor,
  uniform,
} from "thaw/tensor";
import { beforeEach, describe, expect, test } from "vitest";
import { ArgumentError, DTypeError } from "../../src/base/errors.ts";
import { threefry2x32 } from "../../src/base/threefry.ts";

const numbers = (x: Tensor) => Array.from(x.dataSync());
const mean = (x: number[]) => x.reduce((a, b) => a + b, 0) / x.length;
const deviations = (x: number[]) => {
  const centre = mean(x);
  return x.map((v) => v - centre);
};
const std = (x: number[]) => Math.sqrt(mean(deviations(x).map((d) => d * d)));
const moment = (x: number[], k: number) => {
  const scale = std(x);
  return mean(deviations(x).map((d) => (d / scale) ** k));
};

beforeEach(() => manualSeed(1234));

describe("the seed", () => {
  test("repeats what is drawn, and each draw differs from the last", () => {
    const first = [numbers(rand([5])), numbers(rand([5])), numbers(randn([5]))];
    manualSeed(1234);
    expect([numbers(rand([5])), numbers(rand([5])), numbers(randn([5]))]).toEqual(first);
    expect(first[0]).not.toEqual(first[1]);
    manualSeed(1235);
    expect(numbers(rand([5]))).not.toEqual(first[0]);
  });

  test("counts in all its 53 bits", () => {
    const first = (seed: number) => {
      manualSeed(seed);
      return numbers(rand([2])).join();
    };
    const seen = new Set([0, 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40, -1, -(2 ** 32)].map(first));
    expect(seen.size).toBe(7);
    expect(() => manualSeed(0.5)).toThrow(ArgumentError);
    expect(() => manualSeed(2 ** 60)).toThrow(ArgumentError);
  });

  test("numbers drawn after 2^32 draws are none of those before", () => {
    const after = (drawn: number) => {
      setRandomState({ seed: 1234, drawn });
      return numbers(rand([2])).join();
    };
    const places = [0, 1, 2 ** 32, 2 ** 32 + 1, 2 ** 33, 2 ** 33 + 1, 2 ** 52];
    expect(new Set(places.map(after)).size).toBe(places.length);
    // One call of a captured function goes over the word's end as two draws do.
    setRandomState({ seed: 1234, drawn: 2 ** 32 - 2 });
    const drawn = [0, 1, 2, 3].map(() => numbers(rand([2])).join());
    const draw = capture(() => rand([2]));
    setRandomState({ seed: 1234, drawn: 2 ** 32 - 2 });
    expect([0, 1, 2, 3].map(() => numbers(draw()).join())).toEqual(drawn);
    expect(getRandomState()).toEqual({ seed: 1234, drawn: 2 ** 32 + 2 });
  });

  test("draws are fixed when they are asked for, not when they are computed", () => {
    const [a, b] = [rand([3]), rand([3])];
    const second = numbers(b);
    manualSeed(1234);
    expect(numbers(rand([3]))).toEqual(numbers(a));
    expect(numbers(rand([3]))).toEqual(second);
  });

  test("the state can be taken and put back", () => {
    rand([1]);
    const state = getRandomState();
    const drawn = numbers(randn([4]));
    rand([7]);
    setRandomState(state);
    expect(numbers(randn([4]))).toEqual(drawn);
  });

  test("bits are Threefry's of the key (seed, draw)", () => {
    manualSeed(7);
    const [first, second] = threefry2x32(7, 0, 0, 0);
    expect(numbers(rand([2]))).toEqual([first, second].map((word) => (word >>> 8) / 2 ** 24));
    const [third] = threefry2x32(7, 1, 0, 0);
    expect(numbers(rand([1]))).toEqual([(third >>> 8) / 2 ** 24]);
  });
});

describe("distributions", () => {
  const n = 40_000;
  test("uniform", () => {
    const x = numbers(uniform([n], -1, 3));
    expect(Math.min(...x)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...x)).toBeLessThan(3);
    expect(Math.abs(mean(x) - 1)).toBeLessThan(0.03);
    expect(Math.abs(moment(x, 4) - 1.8)).toBeLessThan(0.05);
  });

  test("uniform in f64 has its 53 bits", () => {
    const x = numbers(rand([1000], { dtype: "f64" }));
    expect(x.every((v) => v >= 0 && v < 1 && v * 2 ** 53 === Math.floor(v * 2 ** 53))).toBe(true);
    expect(x.some((v) => v * 2 ** 40 !== Math.floor(v * 2 ** 40))).toBe(true);
  });

  test("normal", () => {
    const x = numbers(normal([n], 5, 2));
    expect(Math.abs(mean(x) - 5)).toBeLessThan(0.05);
    expect(Math.abs(std(x) - 2)).toBeLessThan(0.04);
    expect(Math.abs(moment(x, 3))).toBeLessThan(0.06);
    expect(Math.abs(moment(x, 4) - 3)).toBeLessThan(0.15);
    expect(x.every(Number.isFinite)).toBe(true);
  });

  test("randint, also over a range that does not divide 2^31", () => {
    const x = numbers(randint(-3, 4, [7 * 2000]));
    const counts = [-3, -2, -1, 0, 1, 2, 3].map((v) => x.filter((w) => w === v).length);
    expect(counts.reduce((a, b) => a + b)).toBe(14_000);
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(200);
    expect(() => randint(3, 3, [1])).toThrow(ArgumentError);
  });

  test("randperm is a permutation", () => {
    expect(numbers(randperm(500)).sort((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, i) => i));
    expect(numbers(randperm(20))).not.toEqual(numbers(randperm(20)));
    expect(numbers(randperm(0))).toEqual([]);
  });

  test("bernoulli", () => {
    const x = numbers(bernoulli(full([n], 0.3)));
    expect(Math.abs(mean(x) - 0.3)).toBeLessThan(0.02);
    expect(numbers(bernoulli(tensor([0, 1, 0, 1])))).toEqual([0, 1, 0, 1]);
  });

  test("dropout's mask", () => {
    const x = numbers(dropoutMask([n], 0.2));
    expect(new Set(x)).toEqual(new Set([0, Math.fround(1.25)]));
    expect(Math.abs(mean(x) - 1)).toBeLessThan(0.02);
    expect(numbers(dropoutMask([3], 1))).toEqual([0, 0, 0]);
    expect(numbers(dropoutMask([3], 0))).toEqual([1, 1, 1]);
    expect(() => dropoutMask([1], 1.5)).toThrow(
      new ArgumentError("dropout: p is 1.5; it must be from 0 to 1"),
    );
  });

  test("multinomial draws in proportion, without replacement only once", () => {
    const weights = tensor([0, 1, 3, 6]);
    const x = numbers(multinomial(weights, 20_000, { replacement: true }));
    const share = (v: number) => x.filter((w) => w === v).length / x.length;
    expect(share(0)).toBe(0);
    expect(Math.abs(share(1) - 0.1)).toBeLessThan(0.02);
    expect(Math.abs(share(3) - 0.6)).toBeLessThan(0.02);
    const firsts = Array.from({ length: 400 }, () => {
      const drawn = numbers(multinomial(weights, 3));
      expect(drawn.toSorted()).toEqual([1, 2, 3]);
      return drawn[0];
    });
    expect(Math.abs(firsts.filter((v) => v === 3).length / 400 - 0.6)).toBeLessThan(0.1);
    expect(() => multinomial(weights, 5)).toThrow(ArgumentError);
  });

  test("integers are not drawn by rand", () => {
    expect(() => rand([2], { dtype: "i32" })).toThrow(
      new DTypeError("rand: draws floating-point numbers, not i32; use randint"),
    );
  });
});

test("gradients are only asked for where asked", () => {
  for (const x of [rand([1]), randn([1]), randint(0, 5, [1]), bernoulli(rand([1])), dropoutMask([1], 0.5)])
    expect(x.requiresGrad).toBe(false);
  expect(randn([2], { requiresGrad: true }).requiresGrad).toBe(true);
});

test("a captured step draws what an uncaptured one would", () => {
  const draw = () => ({ a: rand([3]), b: randn([2]) });
  const plain = Array.from({ length: 4 }, draw).map(({ a, b }) => [numbers(a), numbers(b)]);
  manualSeed(1234);
  const captured = capture(draw);
  const replayed = Array.from({ length: 4 }, () => captured()).map(({ a, b }) => [numbers(a), numbers(b)]);
  expect(replayed).toEqual(plain);
  expect(captured.variants).toBe(1);
  expect(getRandomState().drawn).toBe(8);
});
