import { ArgumentError } from "thaw";
import { retrievalMetrics, tripletAccuracy } from "thaw/models";
import { expect, test } from "vitest";

// Metrics of embeddings, counted by hand.

const documents = [
  [1, 0],
  [0, 5],
  [-1, 0],
  [3, 3],
];

test("recall and reciprocal ranks", () => {
  // By cosine, [2, 0.1] finds 0, 3, 1, 2, and [-1, 2] finds 1, 2 and 3 nearly alike, 0.
  const { recall, mrr } = retrievalMetrics(
    [
      [2, 0.1],
      [-1, 2],
    ],
    documents,
    [[3, 2], [1]],
    [1, 2, 4],
  );
  expect(recall).toEqual({ 1: 0.5, 2: 0.75, 4: 1 });
  expect(mrr).toEqual({ 1: 0.5, 2: 0.75, 4: 0.75 });
});

test("of equal documents the first one comes first, whatever their lengths", () => {
  const twice = [
    [1, 1],
    [2, 2],
    [0, 0],
  ];
  expect(retrievalMetrics([[1, 1]], twice, [[1]], [1, 2]).mrr).toEqual({ 1: 0, 2: 0.5 });
  expect(retrievalMetrics([[1, 1]], twice, [[2]], [2, 3]).recall).toEqual({ 2: 0, 3: 1 });
});

test("queries to which nothing belongs", () => {
  expect(() => retrievalMetrics([[1, 0]], documents, [[]])).toThrow(ArgumentError);
  expect(() => retrievalMetrics([], documents, [])).toThrow(ArgumentError);
});

test("triplets that are the right way round", () => {
  const [x, y] = [
    [1, 0],
    [0, 2],
  ];
  expect(tripletAccuracy([x, x, y, y], [x, y, y, x], [y, x, x, x])).toBe(0.5);
});
