import * as thaw from "thaw/tensor";
import { capture, Generator, manualSeed, rand, type Tensor, tensor, zeros } from "thaw/tensor";
import { expect, test } from "vitest";
import { ArgumentError } from "../../src/base/errors.ts";

const values = (x: Tensor): number[] => [...x.dataSync()];

/** Everything that draws, by a generator. */
const draws: [string, (generator: Generator) => Tensor][] = [
  ["rand", (generator) => rand([3], { generator })],
  ["randn", (generator) => thaw.randn([3], { generator, dtype: "f64" })],
  ["uniform", (generator) => thaw.uniform([3], 2, 3, { generator })],
  ["normal", (generator) => thaw.normal([3], 2, 3, { generator })],
  ["normal of tensors", (generator) => thaw.normal(tensor([0, 9]), 1, { generator })],
  ["randLike", (generator) => thaw.randLike(zeros([3]), { generator })],
  ["randint", (generator) => thaw.randint(0, 1e6, [3], { generator })],
  ["randperm", (generator) => thaw.randperm(20, { generator })],
  ["bernoulli", (generator) => thaw.bernoulli(thaw.full([40], 0.5), { generator })],
  ["multinomial", (generator) => thaw.multinomial(thaw.ones([50]), 5, { generator })],
  [
    "multinomial again and again",
    (generator) => thaw.multinomial(thaw.ones([50]), 5, { generator, replacement: true }),
  ],
  ["uniform_", (generator) => zeros([3]).uniform_(0, 1, { generator })],
  ["normal_", (generator) => zeros([3]).normal_(0, 1, { generator })],
  ["exponential_", (generator) => zeros([3]).exponential_(2, { generator })],
  ["bernoulli_", (generator) => zeros([40]).bernoulli_(0.5, { generator })],
];

test.each(draws)("%s goes by its generator, and by nothing else", (_, draw) => {
  const generator = new Generator(7);
  manualSeed(1);
  const [first, second] = [values(draw(generator)), values(draw(generator))];
  expect(second).not.toEqual(first);
  const shared = values(rand([2]));
  rand([5]);
  expect(values(draw(generator.manualSeed(7)))).toEqual(first);
  manualSeed(1);
  expect(values(rand([2]))).toEqual(shared);
});

test("one of a seed gives what the shared numbers give of it", () => {
  manualSeed(11);
  expect(values(rand([4]))).toEqual(values(rand([4], { generator: new Generator(11) })));
  expect(values(rand([4], { generator: null }))).not.toEqual(
    values(rand([4], { generator: new Generator(11) })),
  );
});

test("where it stands can be told and put back", () => {
  const generator = new Generator();
  expect(generator.initialSeed()).toBe(67280421310721);
  rand([2], { generator });
  const state = generator.getState();
  expect(state).toEqual({ seed: 67280421310721, drawn: 1 });
  const next = values(rand([2], { generator }));
  expect(values(rand([2], { generator: generator.setState(state) }))).toEqual(next);
  expect(generator.initialSeed()).toBe(67280421310721);
  expect(generator.seed()).toBe(generator.initialSeed());
});

test("a captured function draws anew at each call, and what it draws is what it would draw outside", () => {
  const generator = new Generator(3);
  const plain = [0, 1, 2].map(() => values(rand([2], { generator })));
  generator.manualSeed(3);
  const step = capture((x: Tensor) => x.add(rand([2], { generator })));
  expect([0, 1, 2].map(() => values(step(zeros([2]))))).toEqual(plain);
});

test("what is no seed, no state and no generator is refused", () => {
  expect(() => new Generator(0.5)).toThrow(ArgumentError);
  expect(() => new Generator().setState({ seed: 1, drawn: -1 })).toThrow(/give what getState\(\) gave/);
  expect(() => rand([2], { generator: {} as Generator })).toThrow(/must be a Generator/);
  expect(() => zeros([2]).exponential_(0)).toThrow(ArgumentError);
});

test("exponential numbers have their mean", () => {
  const drawn = values(zeros([4000]).exponential_(4, { generator: new Generator(1) }));
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
  expect(drawn.reduce((a, b) => a + b, 0) / drawn.length).toBeCloseTo(0.25, 1);
});
