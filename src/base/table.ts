/** Lines of a table: columns under their headings, numbers to the right, words to the left. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string[] {
  const texts = rows.map((row) => row.map(String));
  const widths = headings.map((heading, i) =>
    Math.max(heading.length, ...texts.map((row) => row[i]!.length)),
  );
  const numeric = headings.map((_, i) =>
    rows.every((row) => typeof row[i] === "number" || isNumber(row[i]!)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd();
  return [line(headings), line(widths.map((width) => "─".repeat(width))), ...texts.map(line)];
}

/** "1,234", "97.8 %" and "–" stand in a column of numbers too. */
const isNumber = (cell: string): boolean => /^(–|-?[\d.,]+(e[-+]?\d+)?( %)?)$/.test(cell);

/** 1234567 as "1,234,567". */
export const grouped = (n: number): string => n.toLocaleString("en-US");

/** 0.97825 as "97.8 %". */
export const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;
