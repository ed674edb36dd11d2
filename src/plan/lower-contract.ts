import { contiguousStrides } from "../base/shape.ts";
import { isOp, type Node } from "../ir/node.ts";
import { Body, closeAccesses, collapse, type Locate, type OpenAccess } from "./body.ts";
import { type Group, permutationOf, squeezeStrides } from "./cluster.ts";
import { costOf } from "./cost.ts";
import { accessesOf, type ContractKernel, type KernelCall, kernelOf } from "./kernel.ts";
import { dotRoles } from "./prepare.ts";
import { mergeStrides, viewOf } from "./view.ts";

/** The call of a product with the elementwise nodes that follow it. */
export function lowerContract(
  c: Group,
  prologues: ReadonlySet<Node>,
  locate: Locate,
  stores: (n: Node) => readonly number[],
): KernelCall | null {
  const dot = c.nodes.find((n) => isOp(n, "dot")) as Node<"dot">;
  const [a, b] = dot.src as [Node, Node];
  const { leftBatch, rightBatch, leftContract, rightContract } = dot.attrs;
  const { leftFree, rightFree } = dotRoles(dot);
  // The kernel's dimensions as they first are: the axes of the result that are not of size 1, then k.
  const axes = [
    ...leftBatch.map((l, i) => ({ role: "batch", left: l, right: rightBatch[i]!, size: a.shape[l]! })),
    ...leftFree.map((l) => ({ role: "m", left: l, right: -1, size: a.shape[l]! })),
    ...rightFree.map((r) => ({ role: "n", left: -1, right: r, size: b.shape[r]! })),
  ].filter((x) => x.size !== 1);
  const rank = axes.length;
  const depth = leftContract.reduce((n, i) => n * a.shape[i]!, 1);
  const extents = [...axes.map((x) => x.size), depth];
  const placeOperand =
    (x: Node, side: "left" | "right", contract: readonly number[]) => (strides: readonly number[]) => [
      ...axes.map((axis) => (axis[side] < 0 ? 0 : strides[axis[side]]!)),
      mergeStrides(
        contract.map((i) => x.shape[i]!),
        contract.map((i) => strides[i]!),
      ) ?? 0,
    ];
  const prologue = new Body(locate);
  const operand = (s: Node, place: (strides: readonly number[]) => readonly number[]): number => {
    const view = viewOf(s);
    if (!prologues.has(view.base)) return prologue.load(view.base, view.offset, place(view.strides));
    const permutation = permutationOf(s)!;
    return inlined(view.base, (strides) => place(permutation.map((axis) => (axis < 0 ? 0 : strides[axis]!))));
  };
  /** A prologue's value; `place` takes strides over all of its axes. */
  const inlined = (n: Node, place: (strides: readonly number[]) => readonly number[]): number => {
    for (const s of n.src) {
      const { base } = viewOf(s);
      if (prologues.has(base))
        prologue.define(
          base,
          inlined(base, (strides) => place(sameAxes(base, n, strides))),
        );
    }
    return prologue.compute(n, (squeezed) => place(unsqueeze(n, squeezed)));
  };
  const left = operand(a, placeOperand(a, "left", leftContract));
  const leftAccesses = prologue.accesses.length;
  const right = operand(b, placeOperand(b, "right", rightContract));

  const epilogue = new Body(locate, prologue.accesses);
  const place = (strides: readonly number[]) => [...strides, 0];
  for (const n of c.nodes) {
    const value =
      n === dot ? epilogue.add({ op: "accumulator", dtype: dot.dtype }) : epilogue.compute(n, place);
    epilogue.define(n, value);
    for (const buffer of stores(n))
      epilogue.store(value, {
        dtype: n.dtype,
        buffer,
        offset: 0,
        strides: place(contiguousStrides(c.shape)),
      });
  }
  if (extents.slice(0, rank).includes(0)) return null;

  const dims = (role: string) => axes.map((_, i) => i).filter((i) => axes[i]!.role === role);
  const open = epilogue.accesses;
  const m = collapse(dims("m"), extents, open);
  const n = collapse(dims("n"), extents, open);
  // Free axes that do not merge become batch axes.
  const batch = [...collapse(dims("batch"), extents, open), ...m.slice(0, -1), ...n.slice(0, -1)];
  const groups = [...batch, m.at(-1) ?? [], n.at(-1) ?? [], [rank]];
  const sizes = groups.map((g) => g.reduce((size, d) => size * extents[d]!, 1));
  const [mAt, nAt, kAt] = [groups.length - 3, groups.length - 2, groups.length - 1] as const;
  const unit = (list: readonly OpenAccess[], free: number): "free" | "k" | "none" => {
    const full = list.filter((x) => x.strides.some((s) => s !== 0));
    const at = (x: OpenAccess, g: number) => (groups[g]!.length === 0 ? 0 : x.strides[groups[g]!.at(-1)!]!);
    if (full.every((x) => at(x, kAt) === 1)) return "k";
    return full.every((x) => at(x, free) === 1) ? "free" : "none";
  };
  const leftList = open.slice(0, leftAccesses);
  const rightList = accessesOf(prologue.values, [right]).map((i) => open[i]!);
  const leftKind = unit(leftList, mAt);
  const rightKind = unit(rightList, nAt);
  const { accesses, args } = closeAccesses(open, groups, 0, (x, strides) => {
    if (leftList.includes(x)) return strides[leftKind === "free" ? mAt : kAt]!;
    if (rightList.includes(x)) return strides[rightKind === "free" ? nAt : kAt]!;
    return strides[nAt]!;
  });
  const kernel = kernelOf<ContractKernel>({
    kind: "contract",
    batch: batch.length,
    dtype: dot.dtype,
    accesses,
    prologue: prologue.values,
    left,
    right,
    leftUnit: leftKind === "free" ? "m" : leftKind,
    rightUnit: rightKind === "free" ? "n" : rightKind,
    epilogue: epilogue.values,
    stores: epilogue.stores,
  });
  const around = costOf([prologue, epilogue], open, extents, [rank]);
  const work = 2 * extents.reduce((p, e) => p * e, 1);
  return {
    kernel,
    extents: sizes,
    accesses: args,
    flops: work + around.flops,
    bytes: around.bytes,
    check: false,
  };
}

/** Strides over a node's axes of other sizes than 1, as strides over all of them. */
function unsqueeze(n: Node, strides: readonly number[]): number[] {
  let next = 0;
  return n.shape.map((d) => (d === 1 ? 0 : strides[next++]!));
}

/** Strides over the axes of `from`, as strides over those of `to`: both have the same axes but for size 1. */
function sameAxes(from: Node, to: Node, strides: readonly number[]): number[] {
  return unsqueeze(to, squeezeStrides(from.shape, strides));
}
