import { allocate, type TypedArray } from "../base/dtype.ts";
import { sizeOf } from "../base/shape.ts";
import { threefry2x32 } from "../base/threefry.ts";
import {
  type AttentionAttrs,
  type AttentionOperand,
  attentionNames,
  attentionOperands,
  gradientShapes,
} from "./infer-attention.ts";
import type { Node } from "./node.ts";

/** Numbers of operands by the sizes that they have, and what each query sees. */
function parts(n: Node<"attention"> | Node<"attentionGradient">, src: readonly TypedArray[]) {
  const attrs: AttentionAttrs = n.attrs;
  const operands = attentionOperands(n.src, attrs);
  const [batches, heads, group, queries, size] = operands.query.shape as [
    number,
    number,
    number,
    number,
    number,
  ];
  const [keys, width] = [operands.key.shape[2]!, operands.value.shape[3]!];
  const [query, key, value, ...more] = src as [TypedArray, TypedArray, TypedArray, ...TypedArray[]];
  const mask = attrs.masked ? more.shift()! : null;
  const random = attrs.dropout > 0 ? more.shift()! : null;
  const { scale, causal, dropout, byHead } = attrs;
  const isBool = operands.mask?.dtype === "bool";
  /** Whether dropout keeps a weight, by its number among all; counters have 64 bits. */
  const keeps = (row: number, s: number): boolean => {
    if (random === null) return true;
    const e = row * keys + s;
    const counter = Math.floor(e / 2);
    const words = threefry2x32(random[0]!, random[1]!, counter % 2 ** 32, Math.floor(counter / 2 ** 32));
    return (words[e % 2]! >>> 8) * 2 ** -24 >= Math.fround(dropout);
  };
  /** The score of a query (by its number among all) with a key of its head: -Infinity where it takes no part. */
  const score = (row: number, head: number, s: number): number => {
    if (causal && s > row % queries) return -Infinity;
    if (isBool && !mask![row * keys + s]) return -Infinity;
    let sum = 0;
    for (let e = 0; e < size; e++) sum += query[row * size + e]! * key[(head * keys + s) * size + e]!;
    return sum * scale + (mask !== null && !isBool ? mask[row * keys + s]! : 0);
  };
  /** Goes through all queries: their number, the heads' that they belong to, and where their result is. */
  const eachRow = (body: (row: number, head: number, at: number) => void): void => {
    for (let row = 0; row < batches * heads * group * queries; row++) {
      const [l, of] = [row % queries, Math.floor(row / queries)];
      const [g, head] = [of % group, Math.floor(of / group)];
      const [h, batch] = [head % heads, Math.floor(head / heads)];
      body(row, head, byHead ? row : ((batch * queries + l) * heads + h) * group + g);
    }
  };
  const kept = dropout > 0 && dropout < 1 ? 1 / (1 - dropout) : 1;
  const sizes = { batches, heads, group, queries, keys, size, width };
  return { ...sizes, operands, query, key, value, more, scale, kept, keeps, score, eachRow };
}

/** Sums and exponentials in f64, in order of the keys. */
export function evaluateAttention(n: Node<"attention">, src: readonly TypedArray[]): TypedArray {
  const { keys, width, value, kept, keeps, score, eachRow } = parts(n, src);
  const out = allocate(n.dtype, sizeOf(n.shape));
  const rows = out.length / (width + 1);
  eachRow((row, head, at) => {
    const scores = Array.from({ length: keys }, (_, s) => score(row, head, s));
    const top = scores.reduce((most, s) => (s > most ? s : most), -Infinity);
    const weights = scores.map((s) => Math.exp(s - (top === -Infinity ? 0 : top)));
    const total = weights.reduce((a, b) => a + b, 0);
    for (let c = 0; c < width; c++) {
      let sum = 0;
      for (let s = 0; s < keys; s++)
        sum += keeps(row, s) ? weights[s]! * value[(head * keys + s) * width + c]! : 0;
      out[at * width + c] = total === 0 ? 0 : (sum * kept) / total;
    }
    out[rows * width + row] = total === 0 ? Infinity : top + Math.log(total);
  });
  return out;
}

/** Weights are made anew of the logarithms of their sums; all else in f64, in order of the queries, or the keys. */
export function evaluateAttentionGradient(
  n: Node<"attentionGradient">,
  src: readonly TypedArray[],
): TypedArray {
  const p = parts(n, src);
  const { heads, keys, size, width, query, key, value, more, scale, kept, keeps, score, eachRow } = p;
  const [logSums, deltas, gradient] = more as [TypedArray, TypedArray, TypedArray];
  const shapes = gradientShapes(p.operands, n.attrs);
  const zeros = (name: AttentionOperand): Float64Array => new Float64Array(sizeOf(shapes[name]));
  const sums = { query: zeros("query"), key: zeros("key"), value: zeros("value") };
  eachRow((row, head, at) => {
    const [h, batch] = [head % heads, Math.floor(head / heads)];
    for (let s = 0; s < keys; s++) {
      const x = score(row, head, s);
      if (x === -Infinity) continue;
      const weight = Math.exp(x - logSums[row]!);
      const from = head * keys + s;
      const to = n.attrs.byHead ? from : (batch * keys + s) * heads + h;
      const factor = keeps(row, s) ? kept : 0;
      let ofWeight = 0;
      for (let c = 0; c < width; c++) {
        ofWeight += gradient[row * width + c]! * value[from * width + c]!;
        sums.value[to * width + c]! += weight * factor * gradient[row * width + c]!;
      }
      const slope = weight * (ofWeight * factor - deltas[row]!) * scale;
      for (let e = 0; e < size; e++) {
        sums.query[at * size + e]! += slope * key[from * size + e]!;
        sums.key[to * size + e]! += slope * query[row * size + e]!;
      }
    }
  });
  const out = allocate(n.dtype, sizeOf(n.shape));
  let at = 0;
  for (const i of n.attrs.of) {
    const sum = sums[attentionNames[i]!];
    out.set(sum, at);
    at += sum.length;
  }
  return out;
}
