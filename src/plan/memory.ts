/** A buffer that needs room from step `first` to step `last`, both included. */
export interface Span {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

const align = (n: number): number => Math.ceil(n / 64) * 64;

/** Offsets of buffers in one arena, so that no two that live at once overlap; the largest are placed first. */
export function assignOffsets(spans: readonly Span[]): { offsets: number[]; bytes: number } {
  const offsets = new Array<number>(spans.length).fill(0);
  const bySize = spans.map((_, i) => i).sort((a, b) => spans[b]!.bytes - spans[a]!.bytes || a - b);
  const placed: number[] = [];
  let total = 0;
  for (const i of bySize) {
    const span = spans[i]!;
    const busy = placed
      .filter((j) => spans[j]!.first <= span.last && span.first <= spans[j]!.last)
      .sort((a, b) => offsets[a]! - offsets[b]!);
    let at = 0;
    for (const j of busy) {
      if (at + align(span.bytes) <= offsets[j]!) break;
      at = Math.max(at, offsets[j]! + align(spans[j]!.bytes));
    }
    offsets[i] = at;
    total = Math.max(total, at + align(span.bytes));
    placed.push(i);
  }
  return { offsets, bytes: total };
}
