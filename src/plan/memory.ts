/** A buffer that needs room from step `first` to step `last`, both included. */
export interface Span {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** Where each of some spans lies in an arena of so many bytes. */
export interface Offsets {
  readonly offsets: number[];
  readonly bytes: number;
}

const align = (n: number): number => Math.ceil(n / 64) * 64;

/** Spans up to which each may look at all others before it is placed. */
const few = 4096;

/** Offsets of buffers in one arena, so that no two that live at once overlap. */
export const assignOffsets = (spans: readonly Span[]): Offsets =>
  spans.length <= few ? placeLargestFirst(spans) : placeInOrder(spans);

/**
 * The largest are placed first, each at the lowest offset where it fits. Its arenas are on average 1 % larger than what
 * lives at once, and it takes as long as the square of the number of spans.
 */
function placeLargestFirst(spans: readonly Span[]): Offsets {
  const offsets = new Array<number>(spans.length).fill(0);
  const bySize = spans.map((_, i) => i).sort((a, b) => spans[b]!.bytes - spans[a]!.bytes || a - b);
  // What has been placed, by offset: where each begins and ends, and when it is there. Flat, as each new one walks it.
  const starts = new Float64Array(spans.length);
  const ends = new Float64Array(spans.length);
  const firsts = new Int32Array(spans.length);
  const lasts = new Int32Array(spans.length);
  let total = 0;
  for (const [placed, i] of bySize.entries()) {
    const { first, last } = spans[i]!;
    const bytes = align(spans[i]!.bytes);
    let at = 0;
    let place = 0;
    for (; place < placed; place++) {
      if (firsts[place]! > last || lasts[place]! < first) continue;
      if (at + bytes <= starts[place]!) break;
      if (ends[place]! > at) at = ends[place]!;
    }
    // Those that are there at other times may lie on both sides of it.
    while (place > 0 && starts[place - 1]! > at) place--;
    for (const column of [starts, ends, firsts, lasts]) column.copyWithin(place + 1, place, placed);
    starts[place] = at;
    ends[place] = at + bytes;
    firsts[place] = first;
    lasts[place] = last;
    offsets[i] = at;
    total = Math.max(total, at + bytes);
  }
  return { offsets, bytes: total };
}

/**
 * Spans are placed as they begin, each in the first gap that others have left, and leave a gap as they end. There are
 * few gaps at any time, so it takes little longer than the number of spans; its arenas are a few percent larger than
 * those of the other way, which in large plans is 1 %.
 */
function placeInOrder(spans: readonly Span[]): Offsets {
  const offsets = new Array<number>(spans.length).fill(0);
  const places = spans.map((_, i) => i);
  const byFirst = places.toSorted(
    (a, b) => spans[a]!.first - spans[b]!.first || spans[b]!.bytes - spans[a]!.bytes,
  );
  const byLast = places.toSorted((a, b) => spans[a]!.last - spans[b]!.last);
  /** By offset; no two touch, and the last never ends. */
  const gaps = [{ from: 0, to: Number.POSITIVE_INFINITY }];
  const leave = (from: number, to: number): void => {
    let [low, high] = [0, gaps.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (gaps[middle]!.from < from) low = middle + 1;
      else high = middle;
    }
    const before = gaps[low - 1]?.to === from ? 1 : 0;
    const after = gaps[low]!.from === to ? 1 : 0;
    const gap = { from: before ? gaps[low - 1]!.from : from, to: after ? gaps[low]!.to : to };
    gaps.splice(low - before, before + after, gap);
  };
  let total = 0;
  let ended = 0;
  for (const i of byFirst) {
    for (; spans[byLast[ended]!]!.last < spans[i]!.first; ended++) {
      const over = byLast[ended]!;
      leave(offsets[over]!, offsets[over]! + align(spans[over]!.bytes));
    }
    const bytes = align(spans[i]!.bytes);
    const at = gaps.findIndex(({ from, to }) => to - from >= bytes);
    const gap = gaps[at]!;
    offsets[i] = gap.from;
    gap.from += bytes;
    if (gap.from === gap.to) gaps.splice(at, 1);
    total = Math.max(total, offsets[i]! + bytes);
  }
  return { offsets, bytes: total };
}
