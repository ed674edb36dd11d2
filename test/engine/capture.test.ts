import { expect, test } from "vitest";
import { currentBackend } from "../../src/backends/registry.ts";
import { makeCapture } from "../../src/engine/capture.ts";
import { Cell } from "../../src/engine/cell.ts";
import { Tensor, tensor } from "../../src/tensor/index.ts";

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;

test("recordings beyond the limit go, those unused for longest first, and are made again when wanted", () => {
  const capture = makeCapture<Tensor>({ is: isTensor, make: (n) => new Tensor(n) }, 100);
  const mode = new Cell("plus");
  const recorded: string[] = [];
  const f = capture((times: number, x: Tensor) => {
    recorded.push(`${mode.value}${times}`);
    for (let i = 0; i < times; i++) x = mode.value === "plus" ? x.add(x) : x.mul(x);
    return x;
  });
  const one = tensor([1, 2]);
  const call = (m: string, times: number): number[] => {
    mode.value = m;
    return [...f(times, one).dataSync()] as number[];
  };
  for (let i = 0; i < 40; i++) {
    expect(call("plus", 20 + (i % 2))).toEqual([2 ** (20 + (i % 2)), 2 ** (21 + (i % 2))]);
    expect(call("times", 3)).toEqual([1, 256]);
  }
  expect(new Set(recorded)).toEqual(new Set(["plus20", "times3", "plus21"]));
  // Of forty calls, the first and those that are 1, 2, 4, 8, 16 and 32 later.
  expect(recorded.filter((name) => name === "times3")).toHaveLength(7);
  // A graph of so many nodes leaves room for two small ones at most.
  call("plus", 90);
  expect(f.variants).toBeLessThan(4);
  const held = f.variants;
  expect(call("times", 3)).toEqual([1, 256]);
  for (let round = 0; round < 3; round++)
    for (let times = 20; times < 60; times++) expect(call("plus", times)[0]).toBe(2 ** times);
  expect(f.variants).toBeLessThanOrEqual(held + 2);
  expect(recorded.length).toBeGreaterThan(100);
  // What plans hold is the cache's, and of the second round and the third the same.
  const after = currentBackend().memoryInUse();
  for (let times = 20; times < 60; times++) call("plus", times);
  expect(currentBackend().memoryInUse()).toBe(after);
  // One larger than the limit is kept as long as it is the last.
  for (let i = 0; i < 4; i++) call("plus", 120);
  expect(recorded.filter((name) => name === "plus120")).toHaveLength(3);
  expect(f.variants).toBe(1);
});

test("numbers of a call are told apart as values are: NaN is NaN, and -0 is not 0", () => {
  const capture = makeCapture<Tensor>({ is: isTensor, make: (n) => new Tensor(n) });
  const numbers = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, 5e-324, -0, 0, Number.NaN];
  const zero = tensor([-0]);
  const f = capture((given: { of: number[] }, x: Tensor) => x.add(given.of[0]!));
  for (const order of [numbers, [...numbers].reverse()])
    for (const n of order) expect(f({ of: [n] }, zero).dataSync()[0]).toBe(Math.fround(-0 + n));
  expect(f.variants).toBe(5);
});
