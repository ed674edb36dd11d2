import type { DType } from "../base/dtype.ts";
import { sizeOf } from "../base/shape.ts";
import { reshape, sliceAxis } from "../ir/build.ts";
import type { Collective } from "../ir/collective.ts";
import { type Node, node } from "../ir/node.ts";
import { zeros } from "./create.ts";
import { cat } from "./functions.ts";
import { div, mul } from "./operations/elementwise.ts";
import { stated } from "./operations/stated.ts";
import { Tensor } from "./tensor.ts";

/** The ranks of the group whose step computes a loss now. */
export interface RanksOfStep {
  readonly by: Collective;
  /** By how much this rank's gradients will weigh in a mean; null: as much as any other's. */
  readonly weight: ((dtype: DType) => Node) | null;
  /** The turn of the next sum. */
  turn: number;
  /**
   * Is told of what sums over ranks: a layer, and what that is called; or null, and what all ranks must have alike. Throws
   * where it cannot in this step.
   */
  note(layer: object | null, what: string): void;
}

let current: RanksOfStep | null = null;

/** Runs `fn`, which computes the losses of a step, together with other ranks. */
export function withRanks<T>(ranks: RanksOfStep, fn: () => T): T {
  const before = current;
  current = ranks;
  try {
    return fn();
  } finally {
    current = before;
  }
}

/** The ranks that a loss is computed with; null: none. */
export const ranksOfStep = (): RanksOfStep | null => current;

/** Sums tensors of one dtype over ranks. Gradients of what any rank makes of a sum come back to all. */
export function sumOverRanks(ranks: RanksOfStep, tensors: readonly Tensor[]): Tensor[] {
  const weight = ranks.weight?.(tensors[0]!.dtype) ?? null;
  // A rank's gradients are multiplied by its own weight afterwards; those of another rank's loss are to have that one's.
  const parts = tensors.map(({ node: x }) => (weight === null ? x : stated(x, [x, (g) => div(g, weight)])));
  const total = node("allReduce", parts, { by: ranks.by, turn: ranks.turn++ });
  let at = 0;
  return tensors.map(({ shape }) => {
    const size = sizeOf(shape);
    const sum = reshape(sliceAxis(total, 0, at, size), shape);
    at += size;
    return new Tensor(weight === null ? sum : stated(sum, [sum, (g) => mul(g, weight)]));
  });
}

/**
 * Rows of all ranks, in their order, of tensors that have as many rows on each. Gradients of what any rank makes of them
 * come back to the rank whose rows they are.
 */
export function gatherOverRanks(ranks: RanksOfStep, tensors: readonly Tensor[]): Tensor[] {
  const { rank, size } = ranks.by;
  const placed = tensors.map((x) => {
    const [rows, ...rest] = x.shape as [number, ...number[]];
    const none = (count: number): Tensor => zeros([count * rows, ...rest], { dtype: x.dtype });
    return cat([none(rank), x, none(size - rank - 1)], 0);
  });
  return sumOverRanks(ranks, placed);
}
