import { dtypes } from "../base/dtype.ts";
import { type Shape, sizeOf } from "../base/shape.ts";
import { add, cast, reshape, sliceAxis } from "../ir/build.ts";
import { isShared, shareStart } from "../ir/collective.ts";
import { isOp, type Node, node } from "../ir/node.ts";

/**
 * What sums over ranks are made of: exchanges of bytes, and additions, which are kernels as any other. Each rank adds up
 * all of a part; where there are more than two, and it is large, a share of it, which then goes to all.
 */
export class Sums {
  /** By sum, those of its parts, each of the shape of that. */
  readonly #made = new Map<Node, readonly Node[]>();

  /** The elements of a sum, end to end; its parts are memory, from its beginning on. */
  make(sum: Node<"allReduce">, parts: readonly Node[]): Node {
    const sums = sumsOf(sum, parts);
    this.#made.set(sum, sums);
    const flat = sums.map((n) => reshape(n, [sizeOf(n.shape)]));
    return flat.length === 1 ? flat[0]! : node("concat", flat, { axis: 0 }, false);
  }

  /** A slice of a sum that is of one part of it, and so needs no copy; null: it is another one. */
  part(n: Node): Node | null {
    if (!isOp(n, "slice")) return null;
    const found = this.#made.get(n.src[0]!);
    const { start, size, step } = n.attrs;
    if (found === undefined || step[0] !== 1) return null;
    let at = 0;
    for (const sum of found) {
      const length = sizeOf(sum.shape);
      if (at === start[0] && length === size[0]) return reshape(sum, [length]);
      at += length;
    }
    return null;
  }
}

function sumsOf({ attrs: { by, turn }, dtype }: Node<"allReduce">, parts: readonly Node[]): Node[] {
  const { rank: own, size: ranks } = by;
  const { bytes, compute, float } = dtypes[dtype];
  const wide = compute ? dtype : float ? "f32" : "i32";
  const isSharedPart = (n: Node): boolean => isShared(sizeOf(n.shape) * bytes, ranks);
  /** The sum of what every rank gives, `mine` of this one. */
  const added = (exchange: Node, part: number, mine: Node): Node => {
    const slots = Array.from({ length: ranks }, (_, rank) =>
      rank === own ? mine : received(exchange, rank, part, mine.shape),
    );
    return cast(slots.map((slot) => cast(slot, wide)).reduce(add), dtype);
  };
  const shareOf = (n: Node, rank: number): readonly [start: number, length: number] => {
    const [start, end] = [rank, rank + 1].map((r) => shareStart(sizeOf(n.shape), r, ranks)) as [
      number,
      number,
    ];
    return [start, end - start];
  };
  // Of each turn there are two: shares go to who adds them up, and sums of shares to all.
  const first = node("exchange", [...parts], { by, turn: 2 * turn, shares: true }, false);
  const sums = parts.map((n, i) => {
    if (!isSharedPart(n)) return added(first, i, n);
    return added(first, i, sliceAxis(reshape(n, [sizeOf(n.shape)]), 0, ...shareOf(n, own)));
  });
  const shared = parts.flatMap((n, i) => (isSharedPart(n) ? [i] : []));
  if (shared.length === 0) return sums;
  const shares = shared.map((i) => sums[i]!);
  const second = node("exchange", shares, { by, turn: 2 * turn + 1, shares: false }, false);
  for (const [place, i] of shared.entries()) {
    const all = Array.from({ length: ranks }, (_, rank) =>
      rank === own ? shares[place]! : received(second, rank, place, [shareOf(parts[i]!, rank)[1]]),
    );
    sums[i] = reshape(node("concat", all, { axis: 0 }, false), parts[i]!.shape);
  }
  return sums;
}

const received = (exchange: Node, rank: number, part: number, shape: Shape): Node =>
  node("received", [exchange], { rank, part, shape }, false);
