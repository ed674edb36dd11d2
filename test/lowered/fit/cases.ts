import type { TypedArray } from "../../../src/base/dtype.ts";
import type { Lowered } from "../../../src/lowered/ir.ts";
import type { AccessArgs } from "../../../src/plan/kernel.ts";
import {
  headSize,
  lowerAttention,
  lowerAttentionKeyGradient,
  lowerAttentionQueryGradient,
} from "./attention.ts";
import type { Policy } from "./parts.ts";
import { lowerProduct } from "./product.ts";
import { lowerScatterAdd } from "./scatter-add.ts";
import { lowerSoftmax } from "./softmax.ts";

/** A kernel, a call of it, and what its buffers hold before and after; a call reaches buffer i by access i. */
export interface FitCase {
  readonly name: string;
  lower(policy: Policy): Lowered;
  readonly extents: readonly number[];
  readonly accesses: readonly AccessArgs[];
  readonly before: readonly TypedArray[];
  readonly after: readonly TypedArray[];
  /** Tasks that a call has. */
  tasks(policy: Policy): number;
}

/** Numbers between -2 and 2, without a short period. */
const drawn = (length: number, seed: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => 2 * Math.sin((i + 1) * (12.9898 + seed)));

/** Each buffer in rows. */
const inRows = (shapes: readonly (readonly number[])[]): AccessArgs[] =>
  shapes.map((shape, buffer) => ({
    buffer,
    offset: 0,
    strides: shape.map((_, d) => shape.slice(d + 1).reduce((a, b) => a * b, 1)),
  }));

function softmax(rows: number, columns: number): FitCase {
  const x = drawn(rows * columns, 1);
  const y = x.slice();
  for (let r = 0; r < rows; r++) {
    const row = [...x.subarray(r * columns, (r + 1) * columns)];
    const most = Math.max(...row);
    const sum = row.reduce((s, v) => s + Math.exp(v - most), 0);
    for (const [i, v] of row.entries()) y[r * columns + i] = Math.exp(v - most) / sum;
  }
  return {
    name: `softmax of ${rows} × ${columns}`,
    lower: lowerSoftmax,
    extents: [rows, columns],
    accesses: inRows([
      [rows, columns],
      [rows, columns],
    ]),
    before: [x, new Float32Array(x.length)],
    after: [x, y],
    tasks: () => rows,
  };
}

function product(m: number, n: number, k: number): FitCase {
  const [left, right, bias] = [drawn(m * k, 2), drawn(k * n, 3), drawn(n, 4)];
  const result = new Float32Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let d = 0; d < k; d++) sum += Math.max(left[i * k + d]!, 0) * right[d * n + j]!;
      result[i * n + j] = Math.tanh(sum + bias[j]!);
    }
  return {
    name: `product of ${m} × ${k} and ${k} × ${n}`,
    lower: lowerProduct,
    extents: [m, n, k],
    accesses: inRows([[m, k], [k, n], [n], [m, n]]),
    before: [left, right, bias, new Float32Array(m * n)],
    after: [left, right, bias, result],
    tasks: ({ block }) => Math.ceil(m / block) * Math.ceil(n / block),
  };
}

function scatterAdd(status: number): FitCase {
  const [rows, columns] = [7, 37];
  // One that repeats, and two that are out of range.
  const indices = Int32Array.of(3, 0, 3, 7, 6, -1, 3);
  const [table, updates] = [drawn(rows * columns, 5), drawn(indices.length * columns, 6)];
  const after = table.slice();
  if (status === 0)
    for (const [a, row] of indices.entries())
      for (let c = 0; c < columns && row >= 0 && row < rows; c++)
        after[row * columns + c] = after[row * columns + c]! + updates[a * columns + c]!;
  const words = Int32Array.of(status);
  return {
    name: status === 0 ? "scatterAdd" : "scatterAdd after a check has failed",
    lower: lowerScatterAdd,
    extents: [indices.length, columns, rows, 1],
    accesses: inRows([[rows, columns], [indices.length], [indices.length, columns], [1]]),
    before: [table, indices, updates, words],
    after: [after, indices, updates, words],
    tasks: () => 1,
  };
}

/** Attention of two heads of `queries` rows and up to `keys`, of which the heads have some; forward and backward. */
function attention(queries: number, keys: number): FitCase[] {
  const heads = 2;
  // The second says more than there are, which is all.
  const lengths = Int32Array.of(Math.ceil(keys / 2), keys + 3);
  const shapes = { q: [heads, queries, headSize], k: [heads, keys, headSize] };
  const [q, gradient] = [drawn(heads * queries * headSize, 7), drawn(heads * queries * headSize, 8)];
  const [k, v] = [drawn(heads * keys * headSize, 9), drawn(heads * keys * headSize, 10)];
  const [out, ofQ, ofK, ofV] = [q, q, k, k].map(({ length }) => new Float32Array(length));
  const logSums = new Float32Array(heads * queries);
  for (const [h, told] of lengths.entries()) {
    const length = Math.min(told, keys);
    const at = (from: Float32Array, rows: number, row: number, d: number) =>
      from[(h * rows + row) * headSize + d]!;
    const dot = (f: (d: number) => number) =>
      Array.from({ length: headSize }, (_, d) => f(d)).reduce((s, x) => s + x);
    for (let i = 0; i < queries; i++) {
      const score = (j: number) => dot((d) => at(q, queries, i, d) * at(k, keys, j, d)) / Math.sqrt(headSize);
      const scores = Array.from({ length }, (_, j) => score(j));
      const most = Math.max(...scores);
      const sum = scores.reduce((s, x) => s + Math.exp(x - most), 0);
      const weights = scores.map((x) => Math.exp(x - most) / sum);
      logSums[h * queries + i] = most + Math.log(sum);
      const row = (h * queries + i) * headSize;
      for (let d = 0; d < headSize; d++)
        out![row + d] = weights.reduce((s, w, j) => s + w * at(v, keys, j, d), 0);
      const ofWeights = weights.map((_, j) => dot((d) => at(gradient, queries, i, d) * at(v, keys, j, d)));
      const mean = weights.reduce((s, w, j) => s + w * ofWeights[j]!, 0);
      for (const [j, w] of weights.entries()) {
        const ofScore = (w * (ofWeights[j]! - mean)) / Math.sqrt(headSize);
        const key = (h * keys + j) * headSize;
        for (let d = 0; d < headSize; d++) {
          ofQ![row + d]! += ofScore * at(k, keys, j, d);
          ofK![key + d]! += ofScore * at(q, queries, i, d);
          ofV![key + d]! += w * at(gradient, queries, i, d);
        }
      }
    }
  }
  const empty = ({ length }: Float32Array) => new Float32Array(length);
  const given = [q, k, v, lengths];
  const givenShapes = [shapes.q, shapes.k, shapes.k, [heads]];
  const outShapes = [shapes.q, [heads, queries]];
  const tasksOf =
    (rows: number) =>
    ({ threads }: Policy) =>
      heads * Math.ceil(rows / threads);
  const common = { extents: [heads, queries, keys] };
  const read = [...given, out!, logSums, gradient];
  const readShapes = [...givenShapes, ...outShapes, shapes.q];
  return [
    {
      ...common,
      name: `attention of ${queries} queries and ${keys} keys`,
      lower: lowerAttention,
      accesses: inRows([...givenShapes, ...outShapes]),
      before: [...given, empty(out!), empty(logSums)],
      after: [...given, out!, logSums],
      tasks: tasksOf(queries),
    },
    {
      ...common,
      name: `its gradients of ${keys} keys and values`,
      lower: lowerAttentionKeyGradient,
      accesses: inRows([...readShapes, shapes.k, shapes.k]),
      before: [...read, empty(ofK!), empty(ofV!)],
      after: [...read, ofK!, ofV!],
      tasks: tasksOf(keys),
    },
    {
      ...common,
      name: `its gradient of ${queries} queries`,
      lower: lowerAttentionQueryGradient,
      accesses: inRows([...readShapes, shapes.q]),
      before: [...read, empty(ofQ!)],
      after: [...read, ofQ!],
      tasks: tasksOf(queries),
    },
  ];
}

export const fitCases: readonly FitCase[] = [
  softmax(3, 37),
  softmax(2, 1),
  product(9, 10, 11),
  product(1, 5, 3),
  scatterAdd(0),
  scatterAdd(1),
  ...attention(11, 13),
  ...attention(4, 1),
];
