import { describe, expect, it } from "vitest";
import { IndexError } from "../../src/base/errors.ts";
import { Embedding } from "../../src/nn/index.ts";
import { AdamW } from "../../src/optim/index.ts";
import { arange, capture, ones, randn, type Tensor, zeros } from "../../src/tensor/index.ts";
import { trainStep } from "../../src/train/index.ts";

const indices = (by: number) => arange(5, { dtype: "i32" }).mul(by);

// Near misses, and addresses beyond any memory.
describe.each([3, 1000, 100_000_000, -100_000_000])("indices that are multiples of %i", (by) => {
  it("give an error when gathered or scattered, alone and captured", async () => {
    const table = randn([10, 4]);
    expect(() => table.indexSelect(0, indices(by)).dataSync()).toThrow(IndexError);
    expect(() =>
      zeros([10])
        .scatterAdd(0, indices(by), ones([5]))
        .dataSync(),
    ).toThrow(IndexError);
    const captured = capture((i: Tensor) => table.indexSelect(0, i));
    expect(() => captured(indices(by))).toThrow(IndexError);
  });

  it("leave every parameter and state of a step as they were", async () => {
    const [used, other] = [new Embedding(10, 4), new Embedding(10, 4)];
    const optimizer = new AdamW([...used.parameters(), ...other.parameters()], { lr: 0.1 });
    const step = trainStep(optimizer, {
      module: used,
      loss: (i: Tensor) => used.forward(i).square().sum(),
      trains: ["weight"],
    });
    await step(arange(5, { dtype: "i32" }));
    const state = optimizer.state.get(used.weight)!;
    const before = [used.weight, other.weight].map((p) => p.dataSync());
    await expect(step(indices(by))).rejects.toThrow(IndexError);
    expect([used.weight, other.weight].map((p) => p.dataSync())).toEqual(before);
    expect(state.step).toBe(1);
  });
});
