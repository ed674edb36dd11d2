import { gradient, Parameter, type Tensor, tensor } from "thaw/tensor";
import { describe, expect, test } from "vitest";
import { freeze, nn, optim, rows, trainStep } from "../../src/index.ts";

// What bags give, and their gradients, are compared with PyTorch's in test/oracle/samples.
const ids = (values: number[] | number[][]): Tensor => tensor(values, { dtype: "i32" });
const values = (x: Tensor): number[] => [...x.dataSync()].map(Number);
const table = (): Tensor =>
  tensor([
    [1, -1],
    [2, 5],
    [4, 0],
    [8, 5],
  ]);

describe("EmbeddingBag", () => {
  test("of rows, and of a vector cut at offsets, are the same; empty bags are 0", () => {
    for (const mode of ["sum", "mean", "max"] as const) {
      const bag = nn.EmbeddingBag.fromPretrained(table(), { mode, paddingIdx: 0 });
      const matrix = bag.forward(
        ids([
          [1, 3],
          [0, 2],
          [0, 0],
        ]),
      );
      const cut = bag.forward(ids([1, 3, 0, 2]), ids([0, 2, 4]));
      expect(values(cut)).toEqual(values(matrix));
      expect(values(matrix).slice(4)).toEqual([0, 0]);
    }
    const last = nn.EmbeddingBag.fromPretrained(table(), { mode: "sum", includeLastOffset: true });
    expect(values(last.forward(ids([1, 3, 2]), ids([0, 2, 2])))).toEqual([10, 10, 0, 0]);
  });

  test("of equal elements the first has the gradient of the largest", () => {
    for (const [index, offsets] of [
      [ids([[1, 3, 2]]), null],
      [ids([1, 3, 2]), ids([0])],
    ] as const) {
      const weight = new Parameter(table());
      const [g] = gradient(nn.embeddingBag(index, weight, offsets, { mode: "max" }).sum(), [weight]);
      expect(values(g!)).toEqual([0, 0, 0, 1, 0, 0, 1, 0]);
    }
  });

  test("its table trains by rows, and what is frozen of it stays", async () => {
    const bag = new nn.EmbeddingBag(4, 2, { mode: "sum" });
    bag.weight.assign(table());
    const optimizer = new optim.Adam(bag, { lr: 0.1 });
    const step = trainStep(optimizer, {
      module: bag,
      loss: (index: Tensor) => bag.forward(index).square().sum(),
      trains: rows("weight", [1, 3]),
    });
    await step(
      ids([
        [1, 2],
        [3, 1],
      ]),
    );
    expect(values(bag.weight).slice(4, 6)).toEqual([4, 0]);
    expect(values(bag.weight).slice(2, 4)).not.toEqual([2, 5]);
    const still = values(bag.weight);
    await freeze(bag, "weight", () =>
      step(
        ids([
          [1, 2],
          [3, 1],
        ]),
      ),
    ).catch(() => {});
    expect(values(bag.weight)).toEqual(still);
  });

  test("prints as PyTorch's, and refuses by name what does not fit", () => {
    const bag = new nn.EmbeddingBag(4, 2, { paddingIdx: -1, maxNorm: 2 });
    expect(String(bag)).toBe("EmbeddingBag(4, 2, max_norm=2.0, mode='mean', padding_idx=3)");
    // biome-ignore lint/suspicious/noExplicitAny: what is called wrongly has no types.
    const loose = nn.embeddingBag as any;
    const weight = table();
    const refused: [() => unknown, string][] = [
      [() => nn.embeddingBag(ids([1, 2]), weight), "without offsets; a matrix is a bag a row"],
      [() => nn.embeddingBag(ids([[1]]), weight, ids([0])), "with offsets; a matrix is a bag a row"],
      [() => values(nn.embeddingBag(ids([1, 2]), weight, ids([1]))), "offsets begin at 0"],
      [() => values(nn.embeddingBag(ids([1, 2]), weight, ids([0, 3]))), "offsets: index 3 is out of range"],
      [() => values(nn.embeddingBag(ids([[4]]), weight)), "embedding: index 4 is out of range"],
      [
        () => loose(ids([[1]]), weight, null, { mode: "min" }),
        'mode is "min"; it must be one of "sum", "mean", "max"',
      ],
      [() => loose([[1]], weight), "embeddingBag: indices is an array of 1; it must be a tensor"],
      [
        () => nn.embeddingBag(ids([[1]]), weight, null, { perSampleWeights: tensor([[1]]) }),
        'are for the mode "sum"',
      ],
      [() => new nn.EmbeddingBag(4, 2, { paddingIdx: 4 }), "paddingIdx 4 is not a row of a table of 4"],
      [() => new nn.EmbeddingBag(-1, 2), "must be whole numbers"],
    ];
    for (const [call, message] of refused) expect(call).toThrow(message);
  });
});
