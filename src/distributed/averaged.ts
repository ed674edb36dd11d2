import type { DType } from "../base/dtype.ts";
import { type Shape, sizeOf } from "../base/shape.ts";
import { reshape, sliceAxis } from "../ir/build.ts";
import type { Collective } from "../ir/collective.ts";
import { node } from "../ir/node.ts";
import { type Regions, widened } from "../optim/accumulate.ts";
import type { Gradients } from "../optim/gradient-transform.ts";
import { partShape } from "../optim/part.ts";
import type { Node } from "../optim/transform.ts";
import { add, div, full, like, mul } from "../tensor/operations/elementwise.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Region } from "../tensor/region.ts";
import type { Agreed } from "./agreement.ts";
import { bucketsOf } from "./buckets.ts";

/** How gradients are averaged over ranks. */
interface Averaging {
  readonly by: Collective;
  readonly average: "ranks" | "used" | "samples";
  readonly bucketCapMb: number;
  /** By how much this rank's weigh; null: as much as any other's. */
  readonly weight: ((dtype: DType) => Node) | null;
  /** The turn of the first bucket. */
  readonly firstTurn: number;
}

/** Means over ranks of the gradients of all that is agreed on; this rank has those of `own`, and gives zeros for others. */
export function averaged(
  { regions, users }: Agreed,
  gradients: Gradients,
  own: Regions,
  { by, average, bucketCapMb, weight: weightOf, firstTurn }: Averaging,
): Gradients {
  const means = new Map<Parameter, Node>();
  for (const [i, { dtype, members }] of bucketsOf(regions, bucketCapMb * 2 ** 20).entries()) {
    const weight = weightOf?.(dtype) ?? null;
    const parts = members.map((p) => {
      const [region, shape] = [regions.get(p)!, partShape(p, regions.get(p)!)];
      const gradient = gradients.get(p);
      if (gradient === undefined) return full(shape, 0, dtype);
      const mine = own.get(p)!;
      const same = like(gradient, partShape(p, mine), dtype, "gradient");
      return widened(p, weight === null ? same : mul(same, weight), mine, region);
    });
    if (weight !== null) parts.push(weight);
    const total = node("allReduce", parts, { by, turn: firstTurn + i });
    let at = 0;
    const next = (shape: Shape): Node => {
      const size = sizeOf(shape);
      at += size;
      return reshape(sliceAxis(total, 0, at - size, size), shape);
    };
    const sums = members.map((p) => next(partShape(p, regions.get(p)!)));
    const samples = weight === null ? null : next([]);
    for (const [m, p] of members.entries()) {
      const used = (): number | Node => usersOf(p, users.get(p)!, regions.get(p)!, dtype);
      means.set(p, divided(sums[m]!, samples ?? (average === "used" ? used() : by.size)));
    }
  }
  return new Map([...regions.keys()].map((p) => [p, means.get(p)!]));
}

/** How many ranks have a gradient of each element of a parameter's region: one number where that is the same of all. */
function usersOf(
  p: Parameter,
  own: readonly (Region | null)[],
  region: Region | null,
  dtype: DType,
): number | Node {
  if (own.every((each) => each === region)) return own.length;
  return own
    .map((each) => widened(p, full(partShape(p, each), 1, dtype), each, region))
    .reduce((a, b) => add(a, b));
}

/** A sum by a count. Products with what powers of two are the inverse of have the same bits, and take less time. */
const divided = (sum: Node, count: number | Node): Node =>
  typeof count === "number" && Number.isInteger(Math.log2(count)) ? mul(sum, 1 / count) : div(sum, count);
