import { dtypes } from "../base/dtype.ts";
import { contiguousStrides, type Shape, sizeOf } from "../base/shape.ts";
import { type AttentionOperand, attentionNames, attentionOperands } from "../ir/infer-attention.ts";
import { isOp, type Node } from "../ir/node.ts";
import type { Locate } from "./body.ts";
import type { AttentionNode } from "./join-gradients.ts";
import { type Access, type AccessArgs, type AttentionKernel, type KernelCall, kernelOf } from "./kernel.ts";
import { viewOf } from "./view.ts";

/** Along which of a call's extents the dimensions of operands and results lie. */
const dims = {
  query: [0, 1, 2, 3, 5],
  key: [0, 1, 4, 5],
  value: [0, 1, 4, 6],
  mask: [0, 1, 2, 3, 4],
  random: [],
  rows: [0, 1, 2, 3],
  result: [0, 1, 2, 3, 6],
} as const;

/** The dimensions of what gradients and results are in memory by positions, as those of the operands lie there then. */
const byPosition = {
  query: [0, 3, 1, 2, 5],
  key: [0, 4, 1, 5],
  value: [0, 4, 1, 6],
  result: [0, 3, 1, 2, 6],
} as const;

/** Strides over a call's extents. */
function over(along: readonly number[], strides: readonly number[]): number[] {
  const all = new Array<number>(7).fill(0);
  for (const [i, d] of along.entries()) all[d] = strides[i]!;
  return all;
}

/** The call of attention, or its gradient, with its result in `buffer`. */
export function attentionCall(n: AttentionNode, buffer: number, locate: Locate): KernelCall | null {
  const operands = attentionOperands(n.src, n.attrs);
  const { query, key, value, mask, random, rest } = operands;
  const extents = [...query.shape.slice(0, 4), key.shape[2]!, query.shape[4]!, value.shape[3]!];
  if (extents.includes(0)) return null;
  const accesses: Access[] = [];
  const args: AccessArgs[] = [];
  let bytes = 0;
  const add = (x: { dtype: Access["dtype"] }, arg: AccessArgs): void => {
    accesses.push({ dtype: x.dtype, level: "full", vector: "unit" });
    args.push(arg);
    bytes +=
      dtypes[x.dtype].bytes * arg.strides.reduce((all, s, d) => (s === 0 ? all : all * extents[d]!), 1);
  };
  const read = (x: Node, along: readonly number[]): void => {
    const { base, offset, strides } = viewOf(x);
    add(x, { buffer: locate(base), offset, strides: over(along, strides) });
  };
  read(query, dims.query);
  read(key, dims.key);
  read(value, dims.value);
  if (mask !== null) read(mask, dims.mask);
  if (random !== null) read(random, dims.random);
  if (isOp(n, "attentionGradient"))
    for (const [i, x] of rest.entries()) read(x, i < 2 ? dims.rows : dims.result);
  const stored = n.attrs.byHead ? dims : byPosition;
  let offset = 0;
  const write = (along: readonly number[]): void => {
    const shape: Shape = along.map((d) => extents[d]!);
    add({ dtype: "f32" }, { buffer, offset, strides: over(along, contiguousStrides(shape)) });
    offset += sizeOf(shape);
  };
  const of = isOp(n, "attentionGradient") ? n.attrs.of.map((i) => attentionNames[i]!) : [];
  if (isOp(n, "attention")) for (const along of [stored.result, dims.rows]) write(along);
  else for (const name of of) write(stored[name]);
  const { causal, scale, dropout } = n.attrs;
  const kind = mask === null ? "none" : mask.dtype === "bool" ? "bool" : "bias";
  return {
    kernel: kernelOf<AttentionKernel>({ kind: n.op, accesses, causal, mask: kind, scale, dropout, of }),
    extents,
    accesses: args,
    flops: flopsOf(extents, causal, of),
    bytes,
    check: false,
  };
}

/** Operations at most: a mask may keep pairs out. */
function flopsOf(extents: readonly number[], causal: boolean, of: readonly AttentionOperand[]): number {
  const [n, h, g, l, s, e, v] = extents as [number, number, number, number, number, number, number];
  const most = Math.min(l, s);
  const pairs = n * h * g * (causal ? (most * (most + 1)) / 2 + (l - most) * s : l * s);
  if (of.length === 0) return pairs * (2 * (e + v) + 3);
  const ofScores = of.some((name) => name !== "value") ? v + 1 : 0;
  const products = e + ofScores + of.reduce((sum, name) => sum + (name === "value" ? v : e), 0);
  return pairs * (2 * products + 2);
}
