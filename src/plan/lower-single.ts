import { dtypes, isFloat } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { contiguousStrides, type Shape, sizeOf } from "../base/shape.ts";
import { isOp, type Node, node } from "../ir/node.ts";
import type { Locate } from "./body.ts";
import { bytesUnder } from "./cost.ts";
import { isAttentionNode } from "./join-gradients.ts";
import { type AccessArgs, type AxisKernel, type KernelCall, kernelOf } from "./kernel.ts";
import { attentionCall } from "./lower-attention.ts";
import { lowerCopy, lowerWholeCopy } from "./lower-loop.ts";
import { isWhole, mergeStrides, viewOf } from "./view.ts";

/** The calls of a node that has kernels to itself, with its result in `buffer`. */
export function lowerSingle(n: Node, buffer: number, locate: Locate): KernelCall[] {
  const calls: (KernelCall | null)[] = [];
  const own = contiguousStrides(n.shape);
  const part = (source: Node, offset: number) =>
    lowerCopy(viewOf(source), source.shape, { dtype: n.dtype, buffer, offset, strides: own }, locate);
  if (isOp(n, "cast")) calls.push(lowerWholeCopy(n.src[0]!, buffer, locate));
  else if (isOp(n, "pad")) {
    const { low, value } = n.attrs;
    const fill = node(
      "expand",
      [node("reshape", [node("constant", [], { value, dtype: n.dtype })], { shape: n.shape.map(() => 1) })],
      { shape: n.shape },
      false,
    );
    calls.push(
      lowerWholeCopy(fill, buffer, locate),
      part(
        n.src[0]!,
        low.reduce((sum, l, i) => sum + l * own[i]!, 0),
      ),
    );
  } else if (isOp(n, "concat")) {
    let offset = 0;
    for (const s of n.src) {
      calls.push(part(s, offset));
      offset += s.shape[n.attrs.axis]! * own[n.attrs.axis]!;
    }
  } else if (isOp(n, "scatter") || isOp(n, "scatterAdd")) {
    const [data] = n.src as readonly [Node, ...Node[]];
    const isThere = isWhole(viewOf(data), data.shape) && locate(viewOf(data).base) === buffer;
    if (!isThere) calls.push(lowerWholeCopy(n.src[0]!, buffer, locate));
    calls.push(axisCall(n.op, n, n.attrs.axis, n.src[1]!.shape, buffer, [n.src[1]!, n.src[2]!], locate));
  } else if (isOp(n, "argmax"))
    calls.push(axisCall("argmax", n, n.attrs.axis, n.src[0]!.shape, buffer, [n.src[0]!], locate));
  else if (isOp(n, "cumsum"))
    calls.push(axisCall("cumsum", n, n.attrs.axis, n.src[0]!.shape, buffer, [n.src[0]!], locate));
  else if (isOp(n, "argsort")) {
    const kind = n.attrs.descending ? "argsortDescending" : "argsort";
    calls.push(axisCall(kind, n, n.attrs.axis, n.src[0]!.shape, buffer, [n.src[0]!], locate));
  } else if (isAttentionNode(n)) calls.push(attentionCall(n, buffer, locate));
  else throw new InternalError(`plan: ${n.op} has no kernel`);
  return calls.filter((c) => c !== null);
}

/** Strides of a view over (outer, axis, inner). */
function threeStrides(n: Node, axis: number): AccessArgs["strides"] {
  const { strides } = viewOf(n);
  const merge = (from: number, to: number) => mergeStrides(n.shape.slice(from, to), strides.slice(from, to));
  const outer = merge(0, axis);
  const inner = merge(axis + 1, n.shape.length);
  if (outer === null || inner === null)
    throw new InternalError(`plan: ${n.op} was not prepared for an axis kernel`);
  return [outer, strides[axis]!, inner];
}

/** Sums and comparisons an element, along an axis of some length. */
const work: { readonly [K in AxisKernel["kind"]]: (length: number) => number } = {
  argmax: () => 1,
  argsort: (length) => Math.ceil(Math.log2(length)),
  argsortDescending: (length) => Math.ceil(Math.log2(length)),
  cumsum: () => 1,
  scatter: () => 0,
  scatterAdd: () => 1,
};

function axisCall(
  kind: AxisKernel["kind"],
  n: Node,
  axis: number,
  shape: Shape,
  buffer: number,
  operands: readonly Node[],
  locate: Locate,
): KernelCall | null {
  if (sizeOf(shape) === 0) return null;
  const extents = [sizeOf(shape.slice(0, axis)), shape[axis]!, sizeOf(shape.slice(axis + 1))];
  // argmax drops its axis: its results lie over (outer, inner).
  const inner = extents[2]!;
  const length = kind === "argmax" ? 1 : n.shape[axis]!;
  const result = { buffer, offset: 0, strides: [length * inner, inner, 1] };
  const sources = operands.map((s) => {
    const { base, offset } = viewOf(s);
    return { buffer: locate(base), offset, strides: threeStrides(s, axis) };
  });
  const resultFirst = kind === "scatter" || kind === "scatterAdd";
  const args = resultFirst ? [result, ...sources] : [...sources, result];
  const sourceTypes = operands.map((s) => s.dtype);
  const dtypesOf = resultFirst ? [n.dtype, ...sourceTypes] : [...sourceTypes, n.dtype];
  const size = sizeOf(shape);
  // What a scatter does not reach stays as it is.
  const stored = Math.min(size, sizeOf(n.shape)) * dtypes[n.dtype].bytes;
  const read = bytesUnder(
    sources.map((source, i) => ({ ...source, dtype: operands[i]!.dtype })),
    extents,
  );
  return {
    kernel: kernelOf<AxisKernel>({
      kind,
      accesses: dtypesOf.map((dtype) => ({ dtype, level: "full", vector: "strided" })),
    }),
    extents,
    accesses: args,
    flops: isFloat(operands.at(-1)!.dtype) ? size * work[kind](shape[axis]!) : 0,
    bytes: read + stored * (kind === "scatterAdd" ? 2 : 1),
    check: false,
  };
}
