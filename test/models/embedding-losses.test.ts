import fc from "fast-check";
import { ArgumentError, manualSeed, optim, ShapeError, type Tensor, tensor, trainStep, zeros } from "thaw";
import {
  BertModel,
  batchesWithoutDuplicates,
  cosentLoss,
  cosineSimilarityLoss,
  EmbeddingModel,
  embedInChunks,
  multipleNegativesRankingLoss,
  tripletLoss,
} from "thaw/models";
import { expect, test } from "vitest";
import { lossFixture, tensorOf } from "./fixtures/embeddings/fixture.ts";
import { f32 } from "./fixtures/fixture.ts";

// Losses of embeddings against sentence-transformers, in value and gradient; batches for them.

const { scores, cases } = lossFixture();
type Pair = [Tensor, Tensor];
const losses: Record<string, (columns: Tensor[]) => Tensor> = {
  pairs: (columns) => multipleNegativesRankingLoss(columns),
  triplets: (columns) => multipleNegativesRankingLoss(columns),
  "two-negatives": (columns) => multipleNegativesRankingLoss(columns, { scale: 5 }),
  cosent: (columns) => cosentLoss(columns as Pair, tensor(scores)),
  cosine: (columns) => cosineSimilarityLoss(columns as Pair, tensor(scores)),
  triplet: (columns) => tripletLoss(columns as [Tensor, Tensor, Tensor]),
  "triplet-margin": (columns) => tripletLoss(columns as [Tensor, Tensor, Tensor], { margin: 0.5 }),
};

test.each(Object.keys(losses))(
  "%s gives the loss of sentence-transformers, and its gradients",
  async (name) => {
    const { columns, loss, gradients } = cases[name]!;
    const leaves = columns.map((column) => tensorOf(column).requiresGrad_());
    const own = losses[name]!(leaves);
    own.backward();
    expect(Math.abs(((await own.item()) as number) - loss)).toBeLessThan(2e-6 * Math.max(1, loss));
    const largest = Math.max(...gradients.flatMap((g) => [...f32(g)].map(Math.abs)));
    for (const [i, leaf] of leaves.entries()) {
      const values = await leaf.grad!.data();
      for (const [j, x] of f32(gradients[i]!).entries())
        expect(Math.abs(values[j]! - x) / largest).toBeLessThan(2e-6);
    }
  },
);

test("columns and scores that do not fit, and options that cannot be", () => {
  const [a, b, short] = [zeros([3, 4]), zeros([3, 4]), zeros([2, 4])];
  expect(() => multipleNegativesRankingLoss([a])).toThrow(
    /there are 1 columns of embeddings; it takes 2 or more/,
  );
  expect(() => multipleNegativesRankingLoss([a, short])).toThrow(ShapeError);
  expect(() => multipleNegativesRankingLoss([a, b], { scale: 0 })).toThrow(ArgumentError);
  expect(() => cosentLoss([a, b], zeros([2]))).toThrow(/the scores are \[2\] and the embeddings \[3, 4\]/);
  expect(() => cosentLoss([a, b], zeros([3]), { scale: Number.NaN })).toThrow(ArgumentError);
  expect(() => cosineSimilarityLoss([a, b], zeros([3, 1]))).toThrow(ShapeError);
  expect(() => tripletLoss([a, b, a], { margin: 0 })).toThrow(ArgumentError);
  expect(() => tripletLoss([a, b] as never)).toThrow(/it takes 3/);
});

test("equal scores say nothing, and equal texts have no gradient that is no number", async () => {
  const rows = tensor([
    [1, 0],
    [0, 1],
  ]).requiresGrad_();
  expect(await cosentLoss([rows, rows], tensor([0.5, 0.5])).item()).toBe(0);
  tripletLoss([rows, rows, rows]).backward();
  expect([...(await rows.grad!.data())]).toEqual([0, 0, 0, 0]);
});

const config = {
  vocab_size: 30,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 12,
  initializer_range: 0.3,
};

/** Inputs of rows of different lengths. */
function inputsOf(rows: number, seed: number) {
  const ids = Array.from({ length: rows }, (_, i) =>
    Array.from({ length: 8 }, (_, j) => (j > i % 7 ? 0 : 1 + ((i * 7 + j * 5 + seed) % 29))),
  );
  return {
    inputIds: tensor(ids, { dtype: "i32" }),
    attentionMask: tensor(
      ids.map((row) => row.map((id) => Number(id > 0))),
      { dtype: "i32" },
    ),
  };
}

/** The loss, and all gradients, of two columns whose embeddings a function makes. */
async function gradientsOf(model: EmbeddingModel, embed: (column: ReturnType<typeof inputsOf>) => Tensor) {
  model.zeroGrad();
  manualSeed(5);
  const loss = multipleNegativesRankingLoss([1, 2].map((seed) => embed(inputsOf(13, seed))));
  loss.backward();
  const found = new Map<string, ArrayLike<number>>([["loss", [(await loss.item()) as number]]]);
  for (const [path, p] of model.namedParameters()) if (p.grad) found.set(path, await p.grad.data());
  return found;
}

/** How far gradients are apart, of the largest of them. */
function apart(a: Map<string, ArrayLike<number>>, b: Map<string, ArrayLike<number>>): number {
  expect([...a.keys()]).toEqual([...b.keys()]);
  const pairs = [...a].flatMap(([path, values]) =>
    Array.from(values, (x, i) => [x, b.get(path)![i]!] as const),
  );
  const largest = Math.max(...pairs.map(([x]) => Math.abs(x)));
  return Math.max(...pairs.map(([x, y]) => Math.abs(x - y))) / largest;
}

// In training a chunk that is computed once more must have the dropout that it had; of one chunk only, the draws are those
// of the whole.
test.each([
  ["eval", 5],
  ["train", 13],
] as const)(
  "in %s mode, chunks of %i give the gradients of the whole batch, up to rounding",
  async (mode, chunk) => {
    manualSeed(1);
    const model = new EmbeddingModel(new BertModel(config)).train(mode === "train");
    const whole = await gradientsOf(model, (column) => model.forward(column));
    const chunked = await gradientsOf(model, (column) => embedInChunks(model, column, chunk));
    expect(apart(whole, chunked)).toBeLessThan(1e-6);
    expect(() => embedInChunks(model, inputsOf(2, 0), 0)).toThrow(ArgumentError);
  },
);

test("chunks take a fraction of the memory", () => {
  manualSeed(1);
  const model = new EmbeddingModel(new BertModel(config));
  const [a, b] = [inputsOf(64, 1), inputsOf(64, 2)];
  const memoryOf = (embed: (column: typeof a) => Tensor): number =>
    trainStep(new optim.SGD(model, { lr: 1 }), {
      module: model,
      loss: () => multipleNegativesRankingLoss([embed(a), embed(b)]),
      trains: ["model.encoder.**"],
    }).explain().cost.arenaBytes;
  const whole = memoryOf((column) => model.forward(column));
  expect(memoryOf((column) => embedInChunks(model, column, 8))).toBeLessThan(whole / 3);
});

test("batches have no text twice, all rows once, and are the same for a seed", () => {
  const rows = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 5, max: 14 })), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(
      rows,
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 0, max: 9 }),
      (numbers, batch, seed) => {
        const texts = numbers.map((pair) => pair.map(String));
        const batches = batchesWithoutDuplicates(texts, batch, seed, 1);
        expect(batches).toEqual(batchesWithoutDuplicates(texts, batch, seed, 1));
        expect(batches.flat().sort((a, b) => a - b)).toEqual(texts.map((_, i) => i));
        for (const rows of batches) {
          expect(rows.length).toBeLessThanOrEqual(batch);
          const own = rows.flatMap((row) => [...new Set(texts[row])]);
          expect(new Set(own).size).toBe(own.length);
        }
      },
    ),
  );
  const apart = Array.from({ length: 10 }, (_, i) => [`a${i}`, `b${i}`]);
  expect(batchesWithoutDuplicates(apart, 4, 0, 0).map((rows) => rows.length)).toEqual([4, 4, 2]);
  expect(batchesWithoutDuplicates(apart, 4, 0, 0)).not.toEqual(batchesWithoutDuplicates(apart, 4, 0, 1));
});
