import { DataLoader, padSequence, padToMultiple } from "thaw/data";
import * as nn from "thaw/nn";
import { SGD } from "thaw/optim";
import { Parameter, type Tensor, tensor } from "thaw/tensor";
import { trainStep } from "thaw/train";
import { describe, expect, test } from "vitest";
import { ArgumentError, DTypeError, IndexError, ShapeError } from "../../src/base/errors.ts";

const ids = (...values: number[]): Tensor => tensor(values, { dtype: "i32" });
const rows = (...values: number[][]): Tensor => tensor(values);

/** What PyTorch 2.13's `pad_sequence` gives of the same sequences. */
describe("padSequence", () => {
  const three = [ids(1, 2, 3), ids(4), ids(5, 6)];
  test.each([
    [
      {},
      [
        [1, 4, 5],
        [2, 0, 6],
        [3, 0, 0],
      ],
    ],
    [
      { batchFirst: true },
      [
        [1, 2, 3],
        [4, 0, 0],
        [5, 6, 0],
      ],
    ],
    [
      { batchFirst: true, paddingValue: -100 },
      [
        [1, 2, 3],
        [4, -100, -100],
        [5, 6, -100],
      ],
    ],
    [
      { batchFirst: true, paddingSide: "left" },
      [
        [1, 2, 3],
        [0, 0, 4],
        [0, 5, 6],
      ],
    ],
    [
      { paddingSide: "left", paddingValue: 9 },
      [
        [1, 9, 9],
        [2, 9, 5],
        [3, 4, 6],
      ],
    ],
  ] as const)("of token ids, with %j", (options, expected) => {
    const padded = padSequence(three, options);
    expect(padded.dtype).toBe("i32");
    expect(padded.toArraySync()).toEqual(expected);
  });

  test("of sequences of vectors, of bf16, of one, and of empty ones", () => {
    const two = [rows([1, 2]), rows([3, 4], [5, 6])];
    expect(padSequence(two).toArraySync()).toEqual([
      [
        [1, 2],
        [3, 4],
      ],
      [
        [0, 0],
        [5, 6],
      ],
    ]);
    const half = two.map((t) => t.to("bf16"));
    const padded = padSequence(half, { batchFirst: true, paddingValue: 1.5 });
    expect(padded.dtype).toBe("bf16");
    expect(padded.toArraySync()).toEqual([
      [
        [1, 2],
        [1.5, 1.5],
      ],
      [
        [3, 4],
        [5, 6],
      ],
    ]);
    expect(padSequence([ids(7)], { batchFirst: true }).toArraySync()).toEqual([[7]]);
    expect(padSequence([ids(), ids(1)], { batchFirst: true }).toArraySync()).toEqual([[0], [1]]);
    expect(padSequence([ids(), ids()]).shape).toEqual([0, 2]);
  });

  test.each([
    {},
    { batchFirst: true },
    { paddingSide: "left" },
    { batchFirst: true, paddingValue: 3 },
  ] as const)("as a graph gives the same, and lets gradients through: %j", (options) => {
    const [a, b] = [new Parameter(tensor([1, 2, 3])), new Parameter(tensor([4]))];
    const padded = padSequence([a, b], options);
    const plain = padSequence([tensor([1, 2, 3]), tensor([4])], options);
    expect(padded.toArraySync()).toEqual(plain.toArraySync());
    padded.square().sum().backward();
    expect([a.grad!.toArraySync(), b.grad!.toArraySync()]).toEqual([[2, 4, 6], [8]]);
  });

  test("refuses what PyTorch refuses, and what it would cast unasked", () => {
    expect(() => padSequence([])).toThrow(ArgumentError);
    expect(() => padSequence([ids(1), ids(1, 2)], { paddingValue: 1.5 })).toThrow(
      /paddingValue is 1.5.* i32/,
    );
    expect(() => padToMultiple(ids(1), 2, { paddingValue: -0.5 })).toThrow(/paddingValue is -0.5.* i32/);
    expect(() => padSequence([tensor(1)])).toThrow(ShapeError);
    expect(() => padSequence([rows([1, 2]), rows([1, 2, 3])])).toThrow(/\[1, 2\], \[1, 3\]/);
    expect(() => padSequence([ids(1), tensor([1])])).toThrow(DTypeError);
    expect(() => padSequence([[1, 2]] as never)).toThrow(ArgumentError);
    expect(() => padSequence([ids(1)], { paddingSide: "top" as never })).toThrow(/"right" or "left"/);
    expect(() => padSequence([tensor([1], { dtype: "u8" })], { paddingValue: -1 })).toThrow(
      /does not fit u8/,
    );
  });
});

describe("padToMultiple", () => {
  test("pads the last dimension, or another, up to the next multiple", () => {
    const x = rows([1, 2, 3], [4, 5, 6]);
    expect(padToMultiple(x, 4).toArraySync()).toEqual([
      [1, 2, 3, 0],
      [4, 5, 6, 0],
    ]);
    expect(padToMultiple(x, 4, { paddingSide: "left", paddingValue: -1 }).toArraySync()).toEqual([
      [-1, 1, 2, 3],
      [-1, 4, 5, 6],
    ]);
    expect(padToMultiple(x, 3, { dim: 0, paddingValue: 7 }).toArraySync()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 7, 7],
    ]);
    expect(padToMultiple(rows([1], [2], [3]), 2, { dim: -2, paddingSide: "left" }).toArraySync()).toEqual([
      [0],
      [1],
      [2],
      [3],
    ]);
    expect(padToMultiple(ids(1, 2, 3, 4, 5), 8).shape).toEqual([8]);
  });

  test("gives what fits as it is, and lets gradients through", () => {
    const x = rows([1, 2, 3]);
    for (const multiple of [1, 3]) expect(padToMultiple(x, multiple)).toBe(x);
    expect(padToMultiple(ids(), 8).shape).toEqual([0]);
    for (const options of [{}, { dim: 0 }, { paddingSide: "left" }] as const) {
      const p = new Parameter(x);
      const padded = padToMultiple(p, 2, options);
      expect(padded.toArraySync()).toEqual(padToMultiple(x, 2, options).toArraySync());
      padded.square().sum().backward();
      expect(p.grad!.toArraySync()).toEqual([[2, 4, 6]]);
    }
  });

  test("refuses what is no multiple and no dimension", () => {
    for (const multiple of [0, -8, 1.5, Number.NaN, "8" as never])
      expect(() => padToMultiple(ids(1), multiple)).toThrow(ArgumentError);
    expect(() => padToMultiple(ids(1), 8, { dim: 1 })).toThrow(IndexError);
    expect(() => padToMultiple(tensor(1), 8)).toThrow(ShapeError);
  });
});

test("texts of any length are trained on in batches of few shapes, and what is frozen rests", async () => {
  const texts = [[1, 2, 3], [4], [2, 2], [5, 1, 1, 3, 2], [3, 3]].map((given, i) => ({
    ids: ids(...given),
    label: i % 2,
  }));
  const loader = new DataLoader(texts, {
    batchSize: 2,
    collateFn: (samples) => ({
      ids: padToMultiple(
        padSequence(
          samples.map((s) => s.ids),
          { batchFirst: true },
        ),
        4,
      ),
      labels: ids(...samples.map((s) => s.label)),
    }),
  });
  class Bag extends nn.Module {
    embedding = new nn.Embedding(6, 3, { paddingIdx: 0 });
    head = new nn.Linear(3, 2);
    forward(x: Tensor): Tensor {
      return this.head.forward(this.embedding.forward(x).sum(1));
    }
  }
  const net = new Bag();
  const step = trainStep(new SGD(net, { lr: 0.1, momentum: 0.9, weightDecay: 0.1 }), {
    loss: (x: Tensor, y: Tensor) => nn.crossEntropy(net.forward(x), y),
    trains: "head.**",
  });
  const before = Array.from(net.embedding.weight.dataSync());
  const shapes: string[] = [];
  for (const batch of loader) {
    shapes.push(batch.ids.shape.join());
    await step(batch.ids, batch.labels);
  }
  expect(shapes).toEqual(["2,4", "2,8", "1,4"]);
  expect(Array.from(net.embedding.weight.dataSync())).toEqual(before);
});
