import type { DType } from "../base/dtype.ts";
import { dtypes } from "../base/dtype.ts";
import { sizeOf } from "../base/shape.ts";
import type { Regions } from "../optim/accumulate.ts";
import { partShape } from "../optim/part.ts";
import { stateDtype } from "../optim/state-tensor.ts";
import type { Parameter } from "../tensor/parameter.ts";

/** Parameters whose gradients, of one dtype, go to the other ranks together. */
export interface Bucket {
  readonly dtype: DType;
  readonly members: readonly Parameter[];
}

/**
 * Shares what is updated out to buckets of at most so many bytes, or of one parameter that has more. They go by the order
 * of `regions`, which all ranks have, from its end: the gradients of the last layers are there first, and can be on their
 * way while the rest of backward runs.
 */
export function bucketsOf(regions: Regions, capBytes: number): Bucket[] {
  const buckets: Bucket[] = [];
  const open = new Map<DType, { bytes: number; members: Parameter[] }>();
  for (const [p, region] of [...regions].reverse()) {
    const dtype = stateDtype(p);
    const bytes = sizeOf(partShape(p, region)) * dtypes[dtype].bytes;
    let bucket = open.get(dtype);
    if (bucket !== undefined && bucket.bytes + bytes > capBytes) {
      buckets.push({ dtype, members: bucket.members });
      bucket = undefined;
    }
    if (bucket === undefined) open.set(dtype, (bucket = { bytes: 0, members: [] }));
    bucket.bytes += bytes;
    bucket.members.push(p);
  }
  for (const [dtype, { members }] of open) buckets.push({ dtype, members });
  return buckets;
}
