import { printable } from "../base/printable.ts";
import { table } from "../base/table.ts";

/** How a table is made to fit a terminal. */
export interface Fit {
  /** Width of the terminal; undefined in a pipe, where nothing is cut. */
  readonly columns: number | undefined;
  /** Headings whose cells may lose their middle, the longest first, down to `leastWidth` characters. */
  readonly cut: readonly string[];
  /** Headings to leave out where that is not enough, one after the other. */
  readonly drop: readonly string[];
}

/** The fewest characters that a column is cut down to. */
const leastWidth = 16;

/** A table of text from files that fits a terminal: as long as something may be cut or left out for it. */
export function fittedTable(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  { columns = Number.POSITIVE_INFINITY, cut, drop }: Fit,
): string[] {
  const cells = rows.map((row) => row.map(printable));
  const all = headings.map((heading, i) => Math.max(heading.length, ...cells.map((row) => row[i]!.length)));
  let kept = headings.map((_, i) => i);
  let widths = cutWidths(headings, all, kept, columns, cut);
  for (const heading of drop) {
    if (widthOf(widths, kept) <= columns) break;
    kept = kept.filter((i) => headings[i] !== heading);
    widths = cutWidths(headings, all, kept, columns, cut);
  }
  return table(
    kept.map((i) => headings[i]!),
    cells.map((row) => kept.map((i) => shortened(row[i]!, widths[i]!))),
  );
}

/** Widths, of which the largest that may have been cut until those that are kept fit, or none can be. */
function cutWidths(
  headings: readonly string[],
  widths: readonly number[],
  kept: readonly number[],
  columns: number,
  cut: readonly string[],
): number[] {
  const result = [...widths];
  for (let excess = widthOf(result, kept) - columns; excess > 0; excess--) {
    const able = kept.filter(
      (i) => cut.includes(headings[i]!) && result[i]! > Math.max(leastWidth, headings[i]!.length),
    );
    if (able.length === 0) break;
    result[able.reduce((widest, i) => (result[i]! > result[widest]! ? i : widest))]!--;
  }
  return result;
}

const widthOf = (widths: readonly number[], kept: readonly number[]): number =>
  kept.reduce((sum, i) => sum + widths[i]!, 2 * (kept.length - 1));

/** Text without its middle where it is longer than so many characters. */
function shortened(text: string, width: number): string {
  if (text.length <= width) return text;
  const end = Math.floor((width - 1) / 2);
  return `${text.slice(0, width - 1 - end)}…${text.slice(text.length - end)}`;
}
