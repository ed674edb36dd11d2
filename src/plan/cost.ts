import { dtypes, isFloat } from "../base/dtype.ts";
import type { OpenAccess } from "./body.ts";
import type { Store, Value } from "./kernel.ts";

/** What a call takes: operations on floats, and bytes read and written. */
export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}

/** A set of dimensions as bits: those along which a value differs. */
type Space = number;

const spaceOf = (strides: readonly number[]): Space =>
  strides.reduce((space, stride, d) => (stride === 0 ? space : space | (1 << d)), 0);

const sizeIn = (space: Space, extents: readonly number[]): number =>
  extents.reduce((size, extent, d) => (space & (1 << d) ? size * extent : size), 1);

/** Operations that moving a value, or making bits, is not. */
const free = new Set<Value["op"]>(["load", "constant", "index", "gather", "random", "accumulator", "cast"]);

/**
 * The cost of a kernel over dimensions of some extents, as it would be counted by hand: an operation on floats counts
 * once for each element of the dimensions along which its value differs (a fused multiply-add twice, a fold once an
 * element that is folded); what memory holds counts once where it is read, through however many accesses, and once
 * where it is written (a constant or host scalar that is an argument: one element). `bodies` share the accesses;
 * `folded` are the dimensions that a reduction or a product's sum runs over.
 */
export function costOf(
  bodies: readonly { readonly values: readonly Value[]; readonly stores: readonly Store[] }[],
  open: readonly OpenAccess[],
  extents: readonly number[],
  folded: readonly number[],
): Cost {
  const inner = folded.reduce((space, d) => space | (1 << d), 0);
  const whole = (1 << extents.length) - 1;
  const reads: OpenAccess[] = [];
  const writes: OpenAccess[] = [];
  let flops = 0;
  let gathered = 0;
  for (const { values, stores } of bodies) {
    const spaces: Space[] = [];
    for (const v of values) {
      const args = "args" in v ? v.args : [];
      let space = args.reduce((sum, arg) => sum | spaces[arg]!, 0);
      if ("access" in v) space |= spaceOf(open[v.access]!.strides);
      if (v.op === "accumulator") space = whole & ~inner;
      if (v.op === "load") reads.push(open[v.access]!);
      if (v.op === "gather") gathered += sizeIn(space, extents) * dtypes[open[v.access]!.dtype].bytes;
      const onFloats = isFloat(v.dtype) || args.some((arg) => isFloat(values[arg]!.dtype));
      if (onFloats && !free.has(v.op))
        flops += sizeIn(v.op === "reduce" ? space | inner : space, extents) * (v.op === "fma" ? 2 : 1);
      spaces.push(v.op === "reduce" ? space & ~inner : space);
    }
    for (const { access, value, adds } of stores) {
      writes.push(open[access]!);
      if (adds && isFloat(values[value]!.dtype)) flops += sizeIn(whole, extents);
    }
  }
  return { flops, bytes: gathered + bytesUnder(reads, extents) + bytesUnder(writes, extents) };
}

/** Bytes of memory under some accesses: what several of them reach counts once. */
export function bytesUnder(accesses: readonly OpenAccess[], extents: readonly number[]): number {
  const buffers = new Map<number, OpenAccess[]>();
  for (const a of accesses) buffers.set(a.buffer, [...(buffers.get(a.buffer) ?? []), a]);
  let bytes = 0;
  for (const list of buffers.values()) {
    // The same strides and extents in another order reach the same elements.
    const regions = new Map<string, { count: number; first: number; end: number }>();
    for (const { offset, strides } of list) {
      const steps = strides.map((stride, d) => ({ stride, extent: extents[d]! }));
      const moving = steps
        .filter(({ stride, extent }) => stride !== 0 && extent !== 1)
        .sort((a, b) => a.stride - b.stride);
      if (moving.some(({ extent }) => extent === 0)) continue;
      const reach = (sign: number) =>
        moving.reduce(
          (sum, { stride, extent }) => (stride * sign > 0 ? sum + stride * (extent - 1) : sum),
          offset,
        );
      const count = moving.reduce((product, { extent }) => product * extent, 1);
      const key = list.length === 1 ? "" : JSON.stringify([offset, moving]);
      regions.set(key, { count, first: reach(-1), end: reach(1) + 1 });
    }
    // Regions that overlap otherwise hold no more elements than there are between their ends.
    let [count, covered, end] = [0, 0, Number.NEGATIVE_INFINITY];
    for (const region of [...regions.values()].sort((a, b) => a.first - b.first)) {
      count += region.count;
      covered += Math.max(0, region.end - Math.max(end, region.first));
      end = Math.max(end, region.end);
    }
    bytes += Math.min(count, covered) * dtypes[list[0]!.dtype].bytes;
  }
  return bytes;
}
