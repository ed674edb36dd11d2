import { fromArray, gradient, noGrad, Tensor } from "thaw/tensor";
import { expect, test } from "vitest";
import { mul } from "../../src/tensor/operations/elementwise.ts";
import { flat, stated } from "../../src/tensor/operations/stated.ts";

const leaf = (...data: number[]): Tensor => fromArray(data, [data.length], { requiresGrad: true });

test("the gradient is the one that is stated, for each input", () => {
  const [x, y] = [leaf(1, 2), leaf(3, 4)];
  const z = new Tensor(
    stated(mul(x.node, y.node), [x.node, (g) => mul(g, 10)], [y.node, (g, value) => mul(g, value)]),
  );
  expect([...z.dataSync()]).toEqual([3, 8]);
  const [dx, dy] = gradient(z.sum(), [x, y]);
  expect([...dx!.dataSync()]).toEqual([10, 10]);
  expect([...dy!.dataSync()]).toEqual([3, 8]);
});

test("an input that has no gradient is left out, and so is the statement where nothing has one", () => {
  const [x, y] = [leaf(1, 2), fromArray([3, 4], [2])];
  const value = mul(x.node, y.node);
  expect(stated(value, [x.node, flat], [y.node, flat]).src).toEqual([value, x.node]);
  expect(stated(value, [y.node, flat])).toBe(value);
  expect(noGrad(() => stated(value, [x.node, flat]))).toBe(value);
});

test("it is followed by what comes before, and can be differentiated again", () => {
  const x = leaf(0.5, 2);
  const [first] = gradient(x.mul(3).sinh().sum(), [x], { createGraph: true });
  const [second] = gradient(first!.sum(), [x]);
  for (const [i, v] of [0.5, 2].entries()) {
    expect(first!.dataSync()[i]).toBeCloseTo(3 * Math.cosh(3 * v), 2);
    expect(second!.dataSync()[i]).toBeCloseTo(9 * Math.sinh(3 * v), 2);
  }
});
