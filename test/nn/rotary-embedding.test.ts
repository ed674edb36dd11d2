import * as nn from "thaw/nn";
import { gradient, randn, type Tensor, tensor, zeros } from "thaw/tensor";
import { gradcheck } from "thaw/testing";
import { describe, expect, test } from "vitest";
import { ArgumentError, DTypeError, ShapeError } from "../../src/base/errors.ts";

/** Each pair of features as a complex number, times e^(i · position · theta^(−2k / dim)). */
function byHand(x: Tensor, dim: number, theta: number, interleaved: boolean, positions?: number[]): number[] {
  const [length, features] = x.shape.slice(-2) as [number, number];
  const values = Array.from(x.dataSync());
  const out = [...values];
  for (let row = 0; row < values.length / features; row++)
    for (let k = 0; k < dim / 2; k++) {
      const at = row % length;
      const angle = (positions?.[at] ?? at) * theta ** ((-2 * k) / dim);
      const [i, j] = (interleaved ? [2 * k, 2 * k + 1] : [k, k + dim / 2]).map((f) => row * features + f) as [
        number,
        number,
      ];
      out[i] = values[i]! * Math.cos(angle) - values[j]! * Math.sin(angle);
      out[j] = values[j]! * Math.cos(angle) + values[i]! * Math.sin(angle);
    }
  return out;
}

const close = (values: readonly number[]) => values.map((v) => expect.closeTo(v, 5));

describe.each([false, true])("RotaryEmbedding, interleaved: %s", (interleaved) => {
  test.each([
    [8, 10_000],
    [4, 100],
    [2, 1],
  ])("turns the first %d of 8 features by theta %d, as by hand", (dim, theta) => {
    const x = randn([2, 3, 5, 8]);
    const layer = new nn.RotaryEmbedding(dim, { theta, interleaved });
    expect(Array.from(layer.forward(x).dataSync())).toEqual(close(byHand(x, dim, theta, interleaved)));
  });

  test("goes by the positions that are given, of each sample too, and in any layout", () => {
    const x = randn([2, 3, 2, 4]);
    const layer = new nn.RotaryEmbedding(4, { interleaved });
    const far = layer.forward(x, tensor([7, 1000], { dtype: "i32" }));
    expect(Array.from(far.dataSync())).toEqual(close(byHand(x, 4, 10_000, interleaved, [7, 1000])));
    const each = layer.forward(x, tensor([[[0, 1]], [[7, 1000]]]));
    expect(each.select(0, 0).toArraySync()).toEqual(layer.forward(x).select(0, 0).toArraySync());
    expect(each.select(0, 1).toArraySync()).toEqual(far.select(0, 1).toArraySync());
    const { cos, sin } = nn.rotaryAngles(2, 4);
    const lengthFirst = nn.rotaryEmbedding(x.transpose(1, 2), cos.unsqueeze(1), sin.unsqueeze(1), {
      interleaved,
    });
    expect(lengthFirst.transpose(1, 2).toArraySync()).toEqual(layer.forward(x).toArraySync());
  });

  test("has the gradient that finite differences have, also by the angles, and is undone by it", async () => {
    const x = randn([2, 3, 6], { dtype: "f64", requiresGrad: true });
    const { cos, sin } = nn.rotaryAngles(tensor([1, 2, 3], { dtype: "f64" }), 4);
    const turned = (...args: Tensor[]) => nn.rotaryEmbedding(args[0]!, args[1]!, args[2]!, { interleaved });
    await gradcheck(turned, [x, ...[cos, sin].map((t) => t.detach().requiresGrad_())]);
    await gradcheck((y: Tensor) => turned(y, cos, sin).square(), [x]);
    const leaf = x.detach().requiresGrad_();
    const y = turned(leaf, cos, sin);
    const [back] = gradient(y, [leaf], { gradient: y.detach() });
    expect(Array.from(back!.dataSync())).toEqual(close(Array.from(x.dataSync())));
  });
});

test("the product of two turned vectors depends on how far apart they are", () => {
  const [q, k] = [randn([1, 8]), randn([1, 8])];
  const layer = new nn.RotaryEmbedding(8);
  const score = (i: number, j: number): number =>
    layer
      .forward(q, tensor([i]))
      .mul(layer.forward(k, tensor([j])))
      .sum()
      .itemSync() as number;
  expect(score(3, 1)).toBeCloseTo(score(12, 10), 4);
});

test("rotary embeddings name sizes that do not fit, and take nothing for nothing", () => {
  const { cos, sin } = nn.rotaryAngles(5, 8);
  expect(nn.rotaryEmbedding(zeros([0, 5, 8]), cos, sin).shape).toEqual([0, 5, 8]);
  expect(new nn.RotaryEmbedding(8).forward(zeros([2, 0, 8])).shape).toEqual([2, 0, 8]);
  // Hugging Face's have each angle twice.
  expect(() => nn.rotaryEmbedding(zeros([5, 4]), cos, sin)).toThrow(/take cos\.narrow\(-1, 0, 2\)/);
  expect(() => nn.rotaryEmbedding(zeros([6, 8]), cos, sin)).toThrow(ShapeError);
  expect(() => nn.rotaryEmbedding(zeros([8]), cos, sin)).toThrow(ShapeError);
  expect(() => nn.rotaryEmbedding(zeros([5, 8]), cos, sin.narrow(0, 0, 1))).toThrow(/one shape/);
  expect(() => nn.rotaryEmbedding(zeros([5, 8], { dtype: "i32" }), cos, sin)).toThrow(DTypeError);
  expect(() => new nn.RotaryEmbedding(7)).toThrow(ArgumentError);
  expect(() => new nn.RotaryEmbedding(0)).toThrow(/even number/);
  expect(() => new nn.RotaryEmbedding(8, { theta: 0 })).toThrow(/theta is 0/);
  expect(() => nn.rotaryAngles(4, 3)).toThrow(ArgumentError);
  expect(() => new nn.RotaryEmbedding(8).forward(zeros([8]))).toThrow(/\[\*, length, features\]/);
  expect(String(new nn.RotaryEmbedding(8))).toBe("RotaryEmbedding(8, theta=10000, interleaved=False)");
});
