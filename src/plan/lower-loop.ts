import { contiguousStrides } from "../base/shape.ts";
import { isOp, type Node } from "../ir/node.ts";
import type { View } from "../ir/op.ts";
import { Body, closeAccesses, collapse, type Locate, type OpenAccess, valueDType } from "./body.ts";
import { foldedAxes, type Group, squeezeStrides } from "./cluster.ts";
import { sumsOf } from "./columns.ts";
import { costOf } from "./cost.ts";
import { type KernelCall, kernelOf, type LoopKernel, type ReduceKind } from "./kernel.ts";
import { viewOf } from "./view.ts";

const reduceKinds: Partial<Record<Node["op"], ReduceKind>> = {
  sum: "sum",
  maxReduce: "max",
  minReduce: "min",
  prod: "prod",
};

/** The call of a cluster of elementwise nodes and reductions. `stores` gives, per node, the buffers it goes to. */
export function lowerLoop(
  c: Group,
  locate: Locate,
  stores: (n: Node) => readonly number[],
): KernelCall | null {
  const [first] = c.sums;
  const sums = first === undefined ? null : sumsOf(first, c.shape)!;
  const cut = sums?.kind === "rows" ? sums.cut : null;
  const rank = c.shape.length;
  const reduced = foldedAxes(c);
  const kept = c.shape.map((_, i) => i).filter((i) => !reduced.includes(i));
  /** Strides over the kernel's dimensions: an axis that is cut is two of these. */
  const full = (strides: readonly number[]) =>
    cut === null ? strides : strides.toSpliced(cut.axis, 0, strides[cut.axis]! * cut.by);
  const row = (strides: readonly number[]) => {
    const out = new Array<number>(rank).fill(0);
    for (let i = 0; i < kept.length; i++) out[kept[i]!] = strides[i] ?? 0;
    return full(out);
  };
  const body = new Body(locate);
  for (const n of c.nodes) {
    if (isOp(n, "sum") && c.sums.includes(n)) {
      const value = body.operand(n.src[0]!, (strides) => strides);
      const strides = sumStrides(n);
      for (const buffer of stores(n))
        body.store(value, { dtype: n.dtype, buffer, offset: 0, strides }, { adds: sums!.kind });
      continue;
    }
    const kind = reduceKinds[n.op];
    let value: number;
    if (kind !== undefined)
      value = body.add({
        op: "reduce",
        kind,
        dtype: valueDType(n.dtype),
        args: [body.operand(n.src[0]!, full)],
      });
    else value = body.compute(n, c.rows.includes(n) ? row : full);
    body.define(n, value);
    const strides = full(c.rows.includes(n) ? c.fold!.strides : c.strides);
    for (const buffer of stores(n)) body.store(value, { dtype: n.dtype, buffer, offset: 0, strides });
  }
  if (sums?.kind !== "rows")
    return finishLoop(body, c.shape, kept, reduced, 0, sums === null ? 0 : sums.from);
  const { by, axis } = cut ?? { by: 1, axis: 0 };
  const shape = cut === null ? c.shape : c.shape.toSpliced(axis, 1, c.shape[axis]! / by, by);
  const dims = [...shape.keys()];
  const { outer, rows } = sums;
  return finishLoop(body, shape, dims.slice(0, outer + rows), dims.slice(outer + rows), outer);
}

/** A call that copies a view (or a constant) to a strided place. */
export function lowerCopy(
  source: View,
  shape: readonly number[],
  target: OpenAccess,
  locate: Locate,
): KernelCall | null {
  const body = new Body(locate);
  const squeezed = shape.filter((d) => d !== 1);
  const value = body.load(source.base, source.offset, squeezeStrides(shape, source.strides));
  body.store(value, { ...target, strides: squeezeStrides(shape, target.strides) });
  return finishLoop(
    body,
    squeezed,
    squeezed.map((_, i) => i),
    [],
  );
}

/** A copy of a whole node into a buffer. */
export const lowerWholeCopy = (n: Node, buffer: number, locate: Locate): KernelCall | null =>
  lowerCopy(
    viewOf(n),
    n.shape,
    { dtype: n.dtype, buffer, offset: 0, strides: contiguousStrides(n.shape) },
    locate,
  );

/** `blocks`: how many of the dimensions that are kept tell blocks apart; `line`: the first that is along a line; 0: none. */
function finishLoop(
  body: Body,
  extents: readonly number[],
  kept: readonly number[],
  reduced: readonly number[],
  blocks = 0,
  line = 0,
): KernelCall | null {
  const { accesses: open } = body;
  const ofBlocks = collapse(kept.slice(0, blocks), extents, open);
  let outer = [...ofBlocks, ...collapse(kept.slice(blocks), extents, open)];
  const beforeLine = reduced.filter((d) => d < line);
  const lines = collapse(beforeLine, extents, open);
  let inner = [...lines, ...collapse(reduced.slice(beforeLine.length), extents, open)];
  const isMap = reduced.length === 0;
  if (isMap) {
    inner = [outer.at(-1) ?? []];
    outer = outer.slice(0, -1);
  }
  const groups = [...outer, ...inner];
  const sizes = groups.map((g) => g.reduce((n, d) => n * extents[d]!, 1));
  if (sizes.slice(0, isMap ? sizes.length : outer.length).includes(0)) return null;
  const lastOuter = outer.length - 1;
  const lastInner = groups.length - 1;
  const strideAt = (a: OpenAccess, at: number) => {
    const g = groups[at]!;
    return g.length === 0 ? 0 : a.strides[g.at(-1)!]!;
  };
  const vector =
    isMap ||
    blocks + line > 0 ||
    outer.length === 0 ||
    !prefersOuter(body.accesses, strideAt, lastOuter, lastInner, sizes)
      ? "inner"
      : "outer";
  const at = vector === "inner" ? lastInner : lastOuter;
  const { accesses, args } = closeAccesses(body.accesses, groups, outer.length, (a) => strideAt(a, at));
  return {
    kernel: kernelOf<LoopKernel>({
      kind: "loop",
      outer: outer.length,
      ...(blocks > 0 && { blocks: ofBlocks.length }),
      inner: inner.length,
      ...(line > 0 && { lines: lines.length }),
      vector,
      accesses,
      body: body.values,
      stores: body.stores,
    }),
    extents: sizes,
    accesses: args,
    ...costOf([body], body.accesses, extents, reduced),
    check: false,
  };
}

/** Where sums lie, over the kernel's dimensions: all elements of one have one place. */
function sumStrides({ src: [x], attrs: { axes }, shape }: Node<"sum">): number[] {
  const own = contiguousStrides(shape);
  let next = 0;
  const strides = x!.shape.map((_, a) => (axes.includes(a) ? 0 : own[next++]!));
  return strides.filter((_, a) => x!.shape[a] !== 1);
}

/** Whether lanes should be rows: the memory then lies along the last outer dimension. */
function prefersOuter(
  accesses: readonly OpenAccess[],
  strideAt: (a: OpenAccess, at: number) => number,
  lastOuter: number,
  lastInner: number,
  sizes: readonly number[],
): boolean {
  if (sizes[lastOuter]! < 4 && sizes[lastInner]! >= 4) return false;
  let inner = 0;
  let outer = 0;
  for (const a of accesses) {
    if (a.buffer < 0) continue;
    const i = strideAt(a, lastInner);
    const o = strideAt(a, lastOuter);
    if (i !== 0) inner += i === 1 ? 1 : -1;
    if (o !== 0 && i !== 0) outer += o === 1 ? 1 : -1;
    else if (o !== 0 && i === 0) outer += o === 1 ? 0.25 : -0.25;
    else if (i !== 0) outer += 0.5;
  }
  return outer > inner;
}
